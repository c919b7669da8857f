//! `Child`: a command of the operator's that runs while one of ours goes on.

use std::{future::pending, io::stderr, process::ExitStatus};

use tokio::process::{self, Command};

use crate::{
    failure::{Exit, Failure},
    output::Output,
};

/// A command that runs. It is killed when this is dropped.
pub(super) struct Child(process::Child);

impl Child {
    /// Runs a command with its arguments; nothing if there is none.
    pub(super) fn spawn(command: &[String], out: &Output) -> Result<Option<Self>, Failure> {
        Self::spawn_with(command, &[], out)
    }

    /// Runs a command with its arguments and further variables in its environment; nothing if there is none.
    pub(super) fn spawn_with(
        command: &[String],
        variables: &[(&str, &str)],
        out: &Output,
    ) -> Result<Option<Self>, Failure> {
        let Some((program, arguments)) = command.split_first() else {
            return Ok(None);
        };
        let mut command = Command::new(program);
        command.args(arguments).kill_on_drop(true);
        command.envs(variables.iter().copied());
        if out.is_json() {
            // Standard output is one JSON document.
            command.stdout(stderr());
        }
        let child = command.spawn().map_err(|error| {
            let failure = Failure::usage(format!("{program} cannot be run: {error}"));
            failure.at("COMMAND", "a program that can be run")
        })?;
        Ok(Some(Self(child)))
    }

    /// Waits for a command, and returns its exit code; for ever if there is none. Cancel safe.
    pub(super) async fn ended(child: &mut Option<Self>) -> u8 {
        let Some(Self(child)) = child else {
            return pending().await;
        };
        match child.wait().await {
            Ok(status) => exit_code(status),
            Err(_) => Exit::Refused.code(),
        }
    }
}

fn exit_code(status: ExitStatus) -> u8 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return u8::try_from(128 + signal).unwrap_or(u8::MAX);
    }
    status
        .code()
        .and_then(|code| code.try_into().ok())
        .unwrap_or(u8::MAX)
}
