//! A pseudo-terminal with a program on it.

use std::{
    io::{Read, Write},
    process::Child,
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::Duration,
};

use pty_process::{
    Size,
    blocking::{Command, Pty, open},
};
use vt100::Parser;

/// The program on a terminal of 24 rows.
pub(crate) struct Screen {
    child: Child,
    terminal: Arc<Pty>,
    seen: Arc<Mutex<Seen>>,
    reader: JoinHandle<()>,
}

struct Seen {
    parser: Parser,
    bytes: Vec<u8>,
}

impl Screen {
    /// Runs `chaosctl` with these arguments, which a shell reads.
    pub(crate) fn chaosctl(columns: u16, arguments: &str, variables: &[(&str, &str)]) -> Self {
        let program = env!("CARGO_BIN_EXE_chaosctl");
        Self::start(columns, &format!("exec {program} {arguments}"), variables)
    }

    /// Runs a line of shell.
    pub(crate) fn start(columns: u16, line: &str, variables: &[(&str, &str)]) -> Self {
        let (terminal, end) = open().unwrap();
        terminal.resize(Size::new(24, columns)).unwrap();
        let command = Command::new("sh")
            .args(["-c", line])
            .env("TERM", "xterm")
            // Where tests usually run, it must not bring colours that nobody has asked for.
            .env("CI", "true")
            .env("CHAOSCTL_CONFIG", "/nowhere/config.toml")
            .env_remove("NO_COLOR")
            .envs(variables.iter().copied());
        let child = command.spawn(end).unwrap();
        let terminal = Arc::new(terminal);
        let seen = Arc::new(Mutex::new(Seen {
            parser: Parser::new(24, columns, 0),
            bytes: Vec::new(),
        }));
        let (output, shared) = (Arc::clone(&terminal), Arc::clone(&seen));
        let reader = thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = (&*output).read(&mut bytes) {
                let mut seen = shared.lock().unwrap();
                seen.parser.process(&bytes[..read]);
                seen.bytes.extend_from_slice(&bytes[..read]);
            }
        });
        Self {
            child,
            terminal,
            seen,
            reader,
        }
    }

    /// What is on the screen.
    pub(crate) fn text(&self) -> String {
        self.seen.lock().unwrap().parser.screen().contents()
    }

    pub(crate) fn is_alternate(&self) -> bool {
        self.seen.lock().unwrap().parser.screen().alternate_screen()
    }

    /// Waits until the screen shows all of these.
    #[track_caller]
    pub(crate) fn wait(&self, expected: &[&str]) {
        for _ in 0..1000 {
            let text = self.text();
            if expected.iter().all(|expected| text.contains(expected)) {
                return;
            }
            thread::park_timeout(Duration::from_millis(20));
        }
        panic!("{expected:?} is not on the screen:\n{}", self.text());
    }

    pub(crate) fn press(&self, keys: &str) {
        (&*self.terminal).write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until the program has ended.
    pub(crate) fn end(mut self) -> Ended {
        let status = self.child.wait().unwrap();
        // Reading ends when no process has the terminal any longer.
        self.reader.join().unwrap();
        let seen = self.seen.lock().unwrap();
        Ended {
            code: status.code().unwrap_or(-1),
            written: String::from_utf8_lossy(&seen.bytes).into_owned(),
            is_alternate: seen.parser.screen().alternate_screen(),
        }
    }
}

/// What a program that has ended left behind.
pub(crate) struct Ended {
    pub(crate) code: i32,
    /// All that was written to the terminal.
    pub(crate) written: String,
    pub(crate) is_alternate: bool,
}
