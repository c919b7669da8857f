//! Runs of the program.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

/// The program with its arguments, apart from the environment of the tests.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chaosctl"));
    command.args(arguments).stdin(Stdio::null());
    for variable in [
        "CHAOSCTL_ENDPOINT",
        "CHAOSCTL_TOKEN",
        "CHAOSCTL_FLEET",
        "NO_COLOR",
        "CLICOLOR_FORCE",
    ] {
        command.env_remove(variable);
    }
    command.env("CHAOSCTL_CONFIG", Path::new("/nowhere/config.toml"));
    command
}

/// What a run has printed, and its exit code.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    /// The document that `--json` prints.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let document: Value =
            serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"));
        assert!(document.is_array(), "{document}");
        document
    }
}

pub(crate) fn run(mut command: Command) -> Ran {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

pub(crate) fn chaosctl(arguments: &[&str]) -> Ran {
    run(command(arguments))
}

/// Sends a signal, such as `-INT`.
pub(crate) fn kill(child: &Child, signal: &str) {
    let id = child.id().to_string();
    let killed = Command::new("kill").args([signal, &id]).status().unwrap();
    assert!(killed.success());
}
