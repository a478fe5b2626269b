//! Writes one served file into `OUT_DIR`, plain and compressed, and the Rust that embeds it.

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

/// Hex digits of the SHA-256 that stand in an asset's name and its entity tag.
const HASH_DIGITS: usize = 16;

/// How an asset is addressed.
pub(crate) enum Name {
    /// A path that never changes; the content behind it does.
    Fixed(&'static str),
    /// Stem and extension; the content's hash goes between them.
    Hashed(&'static str, &'static str),
}

/// An asset in `OUT_DIR`.
pub(crate) struct Written {
    constant: &'static str,
    path: String,
    content_type: &'static str,
    file: String,
    hash: String,
}

impl Written {
    /// The `pub static` for `lib.rs`.
    pub(crate) fn rust(&self) -> String {
        let Self { constant, path, content_type, file, hash } = self;
        format!(
            "/// `{path}`, compiled from its sources when cargo built this crate.\n\
             pub static {constant}: Asset = Asset {{\n    \
             path: {path:?},\n    \
             content_type: {content_type:?},\n    \
             bytes: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{file}\")),\n    \
             gzip: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{file}.gz\")),\n    \
             etag: {etag:?},\n}};\n",
            etag = format!("\"{hash}\""),
        )
    }
}

pub(crate) fn write(
    out: &Path,
    constant: &'static str,
    name: &Name,
    content_type: &'static str,
    bytes: &[u8],
) -> Result<Written, Box<dyn Error>> {
    let digest: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let hash = digest[..HASH_DIGITS].to_owned();
    let path = match name {
        Name::Fixed(path) => (*path).to_owned(),
        Name::Hashed(stem, extension) => format!("/w/assets/{stem}.{hash}.{extension}"),
    };
    let file = constant.to_lowercase();
    fs::write(out.join(&file), bytes)?;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    fs::write(out.join(format!("{file}.gz")), encoder.finish()?)?;
    Ok(Written { constant, path, content_type, file, hash })
}
