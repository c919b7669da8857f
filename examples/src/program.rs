//! A child process whose standard output is read line by line.

use std::{
    ffi::OsStr,
    path::Path,
    process::{ExitStatus, Stdio},
};

use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use crate::Error;

/// A running process. Dropping this kills it.
#[derive(Debug)]
pub struct Program {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Program {
    /// Starts a program. Its log level is `error`, because a test may make thousands of injections.
    ///
    /// # Errors
    /// Returns an error if the program cannot be started.
    pub fn start<A: AsRef<OsStr>>(binary: &Path, args: &[A]) -> Result<Self, Error> {
        Self::start_in(binary, args, &[])
    }

    /// Starts a program with `variables` in its environment. Its log level is `error` unless they set
    /// `RUST_LOG`.
    ///
    /// # Errors
    /// Returns an error if the program cannot be started.
    pub fn start_in<A: AsRef<OsStr>>(
        binary: &Path,
        args: &[A],
        variables: &[(&str, &str)],
    ) -> Result<Self, Error> {
        let child = Command::new(binary)
            .args(args)
            .env("RUST_LOG", "error")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let mut child = child.map_err(|error| format!("{}: {error}", binary.display()))?;
        let output = child.stdout.take().ok_or("the output is piped")?;
        let lines = BufReader::new(output).lines();
        Ok(Self { child, lines })
    }

    /// Waits for the next line that starts with `label`, and returns its rest, without surrounding
    /// white space. Other lines are skipped.
    ///
    /// # Errors
    /// Returns an error if the program closes its output before it prints such a line.
    pub async fn line(&mut self, label: &str) -> Result<String, Error> {
        while let Some(line) = self.lines.next_line().await? {
            if let Some(rest) = line.strip_prefix(label) {
                return Ok(rest.trim().to_owned());
            }
        }
        Err(format!("the program ended without printing a line that starts with {label:?}").into())
    }

    /// Returns the process ID.
    ///
    /// # Errors
    /// Returns an error if [`ended`](Self::ended) has already returned.
    pub fn id(&self) -> Result<u32, Error> {
        Ok(self.child.id().ok_or("the program has ended")?)
    }

    /// Sends `SIGTERM`, as a supervisor does.
    ///
    /// # Errors
    /// Returns an error if the process has ended.
    pub async fn terminate(&self) -> Result<(), Error> {
        let id = self.id()?;
        let kill = format!("kill -TERM {id}");
        let sent = Command::new("sh").args(["-c", &kill]).status().await?;
        if sent.success() {
            Ok(())
        } else {
            Err("cannot send SIGTERM to the program".into())
        }
    }

    /// Waits for the program to exit, and returns its exit status.
    ///
    /// # Errors
    /// Returns an error if the operating system doesn't report the status.
    pub async fn ended(&mut self) -> Result<ExitStatus, Error> {
        Ok(self.child.wait().await?)
    }
}
