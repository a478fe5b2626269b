//! The program itself starts and names its commands.

use std::process::Command;

#[test]
fn help_names_every_command() {
    let output = Command::new(env!("CARGO_BIN_EXE_fusionchatd")).arg("--help").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let help = String::from_utf8(output.stdout).unwrap();
    for command in ["demo", "serve"] {
        let line = format!("  {command} ");
        assert!(help.contains(&line), "{command} is missing:\n{help}");
    }
}
