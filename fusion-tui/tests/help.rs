//! The program itself starts and says how to use it.

use std::process::{Command, Stdio};

#[test]
fn help_says_how_to_use_it() {
    let output = Command::new(env!("CARGO_BIN_EXE_fusion-tui")).arg("--help").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let help = String::from_utf8(output.stdout).unwrap();
    for word in ["--demo", "--endpoint"] {
        assert!(help.contains(word), "{word} is missing:\n{help}");
    }
}

#[test]
fn without_a_terminal_it_names_the_other_program() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fusion-tui"));
    command.env_clear().env("FUSION_TOKEN", "none").stdin(Stdio::null());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("terminal"), "{text}");
}
