//! A test that runs itself once more, as a process of its own to be a server in.
#![expect(clippy::print_stdout, reason = "the two processes talk that way")]

use std::{
    net::SocketAddr,
    process::{Output, Stdio},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use crate::support::server::SOON;

const VARIABLE: &str = "CHAOS_TEST_SERVER";
/// What comes before all that the server says; the test harness talks, too.
const MARK: &str = "server says: ";

/// Whether this process is the server.
pub(crate) fn is_server() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

/// From the server to the test.
pub(crate) fn say(what: impl std::fmt::Display) {
    // The harness does not end its own lines before the test is done.
    println!("\n{MARK}{what}");
}

/// Waits until the test says something.
pub(crate) async fn listen() {
    let line = tokio::task::spawn_blocking(|| std::io::stdin().lines().next());
    line.await.unwrap();
}

fn command(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture"]);
    command.env(VARIABLE, "1").kill_on_drop(true);
    command
}

/// Runs the test of this name to its end as another process, in which [`is_server`] is true.
pub(crate) async fn output(test: &str) -> Output {
    command(test).output().await.unwrap()
}

/// The other process, seen from the test. It is killed when this is dropped.
pub(crate) struct Itself {
    pub(crate) process: Child,
    from: Lines<BufReader<ChildStdout>>,
    to: ChildStdin,
}

impl Itself {
    /// Runs the test of this name, in which [`is_server`] is then true.
    pub(crate) fn run(test: &str) -> Self {
        let mut process = command(test)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let from = BufReader::new(process.stdout.take().unwrap()).lines();
        let to = process.stdin.take().unwrap();
        Self { process, from, to }
    }

    /// The next thing that it says.
    pub(crate) async fn hear(&mut self) -> String {
        loop {
            let line = timeout(3 * SOON, self.from.next_line()).await;
            let line = line.expect("it says something").unwrap();
            let line = line.expect("it says something before it ends");
            if let Some(said) = line.strip_prefix(MARK) {
                return said.to_owned();
            }
        }
    }

    pub(crate) async fn hear_address(&mut self) -> SocketAddr {
        self.hear().await.parse().unwrap()
    }

    /// Lets its [`listen`] return.
    pub(crate) async fn tell(&mut self) {
        self.to.write_all(b"\n").await.unwrap();
    }
}
