//! Compiles the loader (`../embed/src`) and the widget (`src/*.ts`, `src/style.css`) into bytes for
//! `lib.rs`. It must not write outside `OUT_DIR` and must not need Node, npm or the network.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

#[path = "build/asset.rs"]
mod asset;
#[path = "build/bundle.rs"]
mod bundle;
#[path = "build/css.rs"]
mod css;

use asset::{Name, Written};
use bundle::Kind;

fn main() -> Result<(), Box<dyn Error>> {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    for script in ["build.rs", "build/asset.rs", "build/bundle.rs", "build/css.rs"] {
        println!("cargo::rerun-if-changed={script}");
    }

    let embed = bundle::compile(&here.join("../embed/src/main.ts"), Kind::Script)?;
    let app = bundle::compile(&here.join("src/main.ts"), Kind::Module)?;
    let style_path = here.join("src/style.css");
    let style = css::minify(&fs::read_to_string(&style_path)?);

    let javascript = "text/javascript; charset=utf-8";
    let written = [
        asset::write(&out, "EMBED", &Name::Fixed("/embed.js"), javascript, embed.code.as_bytes())?,
        asset::write(&out, "APP", &Name::Hashed("app", "js"), javascript, app.code.as_bytes())?,
        asset::write(
            &out,
            "STYLE",
            &Name::Hashed("style", "css"),
            "text/css; charset=utf-8",
            style.as_bytes(),
        )?,
    ];
    for source in embed.sources.iter().chain(&app.sources).chain([&style_path]) {
        println!("cargo::rerun-if-changed={}", source.display());
    }
    fs::write(out.join("assets.rs"), written.iter().map(Written::rust).collect::<String>())?;
    Ok(())
}
