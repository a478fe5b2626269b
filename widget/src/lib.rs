//! The visitor's side as bytes: the loader `/embed.js`, the widget's script and style, and the HTML
//! and the policy of the frame they run in. It must not do input or output: the daemon serves what
//! stands here.

mod frame;

pub use frame::{FramePage, frame, frame_policy};

/// One file to serve, as compiled when this crate was built.
#[derive(Debug)]
pub struct Asset {
    /// Where it is served. Paths under `/w/assets/` carry the content's hash and may be cached for
    /// ever; `/embed.js` keeps its name, so it needs its entity tag.
    pub path: &'static str,
    /// The value of `Content-Type`.
    pub content_type: &'static str,
    /// The file.
    pub bytes: &'static [u8],
    /// The file as gzip, level 9.
    pub gzip: &'static [u8],
    /// The entity tag, quotes included, of `bytes`.
    pub etag: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// Everything there is to serve.
pub static ASSETS: &[&Asset] = &[&EMBED, &APP, &STYLE];
