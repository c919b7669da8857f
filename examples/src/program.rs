//! A program of this crate as its users run it: a process, whose output is read line by line.

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

/// A running process. It is killed when this is dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Program {
    /// Starts it. Its log shows errors only: there may be thousands of injections.
    ///
    /// # Errors
    /// If there is no such program.
    pub fn start<A: AsRef<OsStr>>(binary: &Path, args: &[A]) -> Result<Self, Error> {
        Self::start_in(binary, args, &[])
    }

    /// The same, with variables in its environment.
    ///
    /// # Errors
    /// If there is no such program.
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

    /// The rest of the next line that starts with `label`.
    ///
    /// # Errors
    /// If the program ends before it prints one.
    pub async fn line(&mut self, label: &str) -> Result<String, Error> {
        while let Some(line) = self.lines.next_line().await? {
            if let Some(rest) = line.strip_prefix(label) {
                return Ok(rest.trim().to_owned());
            }
        }
        Err(format!("it ended without a line that starts with {label:?}").into())
    }

    /// What the system calls it.
    ///
    /// # Errors
    /// If it has ended.
    pub fn id(&self) -> Result<u32, Error> {
        Ok(self.child.id().ok_or("it has ended")?)
    }

    /// Asks it to stop, as a supervisor does.
    ///
    /// # Errors
    /// If it is gone already.
    pub async fn terminate(&self) -> Result<(), Error> {
        let id = self.id()?;
        let kill = format!("kill -TERM {id}");
        let sent = Command::new("sh").args(["-c", &kill]).status().await?;
        if sent.success() {
            Ok(())
        } else {
            Err("it could not be signalled".into())
        }
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// If the operating system does not say how it ended.
    pub async fn ended(&mut self) -> Result<ExitStatus, Error> {
        Ok(self.child.wait().await?)
    }
}
