//! The program itself starts and names its commands.

use std::process::Command;

#[test]
fn help_names_every_noun() {
    let output = Command::new(env!("CARGO_BIN_EXE_fusionctl")).arg("--help").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let help = String::from_utf8(output.stdout).unwrap();
    let nouns = [
        "auth",
        "server",
        "tenant",
        "user",
        "key",
        "session",
        "inbox",
        "conv",
        "escalation",
        "article",
    ];
    for noun in nouns {
        let line = format!("  {noun} ");
        assert!(help.contains(&line), "{noun} is missing:\n{help}");
    }
}
