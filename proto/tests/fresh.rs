//! The committed generated code is exactly what the `.proto` files say. To renew it:
//! `FUSION_RENEW=1 cargo test -p fusionchat-proto`.

use std::path::Path;

use prost::Message as _;

#[test]
fn generated_code_is_fresh() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> = std::fs::read_dir(root.join("fusionchat/v1"))
        .expect("the proto folder")
        .map(|entry| format!("fusionchat/v1/{}", entry.expect("entry").file_name().display()))
        .collect();
    files.sort();
    let descriptors = protox::compile(&files, [root]).expect("the proto files compile");
    let out = tempfile::tempdir().expect("a temporary folder");
    tonic_prost_build::configure()
        .out_dir(out.path())
        .compile_fds(descriptors.clone())
        .expect("code generation");
    let mut lean = descriptors;
    for file in &mut lean.file {
        file.source_code_info = None;
    }
    std::fs::write(out.path().join("fusionchat.v1.bin"), lean.encode_to_vec()).expect("write");
    let committed = root.join("src/gen");
    for name in ["fusionchat.v1.rs", "fusionchat.v1.bin"] {
        let fresh = std::fs::read(out.path().join(name)).expect("generated file");
        if std::env::var_os("FUSION_RENEW").is_some() {
            std::fs::write(committed.join(name), &fresh).expect("renew");
        }
        let stands = std::fs::read(committed.join(name)).unwrap_or_default();
        assert!(
            stands == fresh,
            "proto/src/gen/{name} is stale: run FUSION_RENEW=1 cargo test -p fusionchat-proto"
        );
    }
}
