//! Runs the simulation of the widget's delivery (`delivery.mjs`) on the TypeScript as it stands. It must not need a
//! package registry: Debian's own esbuild takes the types off, and its Node runs the rest.

use std::path::Path;
use std::process::{Command, Output};
use std::{env, io};

#[test]
fn what_a_visitor_writes_arrives_once_in_order_or_is_shown_as_failed() {
    let missing: Vec<_> = ["esbuild", "node"].into_iter().filter(|name| !is_there(name)).collect();
    if !missing.is_empty() {
        let needs = format!("needs: {}", missing.join(" and "));
        assert!(env::var("FUSION_REQUIRE").as_deref() != Ok("all"), "{needs}");
        println!("{needs}");
        return;
    }
    let script = Path::new(env!("CARGO_TARGET_TMPDIR")).join("delivery.mjs");
    let mut esbuild = Command::new("esbuild");
    esbuild.args(["--bundle", "--platform=node", "--format=esm", "--log-level=error"]);
    esbuild.arg(format!("--outfile={}", script.display())).arg("tests/delivery.mjs");
    succeed(&esbuild.current_dir(env!("CARGO_MANIFEST_DIR")).output());
    succeed(&Command::new("node").arg(script).output());
}

fn is_there(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn succeed(run: &io::Result<Output>) {
    match run {
        Ok(Output { status, stdout, stderr }) => {
            let said = [stdout, stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat();
            println!("{said}");
            assert!(status.success(), "{status}");
        }
        Err(error) => panic!("{error}"),
    }
}
