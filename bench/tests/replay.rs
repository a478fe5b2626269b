//! The bench on itself: a few dialogues, one kill, and every lie noticed.

use std::path::Path;
use std::process::Command;

#[test]
fn fault_38_a_killed_daemon_keeps_what_it_acknowledged_and_lies_are_noticed() {
    let bench = Path::new(env!("CARGO_BIN_EXE_fusion-bench"));
    let daemon = bench.with_file_name("fusionchatd");
    assert!(daemon.exists(), "{} is not there: cargo build --workspace", daemon.display());
    let output = Command::new(bench)
        .args(["replay", "--self-test", "--json", "--parallel", "8", "--daemon"])
        .arg(&daemon)
        .output()
        .expect("the bench starts");
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}: {err}{out}", output.status);
    let report: serde_json::Value = serde_json::from_str(&out).expect("one JSON object");
    assert_eq!(report["kills"].as_array().map(Vec::len), Some(1), "{report}");
    assert_eq!(report["findings"]["differenceCount"], 0, "{report}");
    assert_eq!(report["findings"]["acknowledged"], report["messages"], "{report}");
    assert!(report["acksIgnored"].as_u64() > Some(0), "{report}");
    let lies = err.lines().filter(|line| line.starts_with("noticed: ")).count();
    assert_eq!(lies, 7, "{err}");
}

#[test]
fn what_is_missing_is_named() {
    let bench = env!("CARGO_BIN_EXE_fusion-bench");
    let output = Command::new(bench)
        .args(["replay", "--dialogues", "/nowhere/dialogues.jsonl"])
        .output()
        .expect("the bench starts");
    assert_eq!(output.status.code(), Some(2));
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(err.contains("--dialogues FILE"), "{err}");
}
