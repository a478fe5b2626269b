//! The budgets of what a visitor's browser loads, measured on the bytes that are served. It must
//! not need a browser: what the files do is tested elsewhere.

use std::io::Read;

use flate2::read::GzDecoder;
use fusionchat_widget::{APP, ASSETS, Asset, EMBED, STYLE};

/// Bytes on the wire: every page of the customer pays for this one.
const EMBED_GZIP_MAX: usize = 4_500;
/// Bytes on the wire at the first opening.
const APP_GZIP_MAX: usize = 18_000;
const STYLE_GZIP_MAX: usize = 5_000;

#[test]
fn every_asset_keeps_to_its_budget() {
    for (asset, limit) in [(&EMBED, EMBED_GZIP_MAX), (&APP, APP_GZIP_MAX), (&STYLE, STYLE_GZIP_MAX)]
    {
        let Asset { path, bytes, gzip, .. } = asset;
        println!("{path}: {} raw, {} gzip, at most {limit}", bytes.len(), gzip.len());
        assert!(gzip.len() <= limit, "{path} is {} bytes, more than {limit}", gzip.len());
    }
}

#[test]
fn the_compressed_bytes_are_the_same_file() {
    for asset in ASSETS {
        let mut plain = Vec::new();
        GzDecoder::new(asset.gzip).read_to_end(&mut plain).unwrap();
        assert_eq!(plain, asset.bytes, "{}", asset.path);
    }
}

#[test]
fn hashed_names_change_with_the_content() {
    for asset in [&APP, &STYLE] {
        let hash = asset.etag.trim_matches('"');
        assert_eq!(hash.len(), 16);
        assert!(asset.path.starts_with("/w/assets/") && asset.path.contains(hash), "{asset:?}");
    }
}

#[test]
fn nothing_served_can_make_markup_of_text() {
    for asset in [&EMBED, &APP] {
        let code = str::from_utf8(asset.bytes).unwrap();
        for sink in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
            assert!(!code.contains(sink), "{} contains {sink}", asset.path);
        }
    }
}
