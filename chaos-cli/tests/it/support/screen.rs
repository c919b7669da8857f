//! A pseudo-terminal with a program on it.

use std::{
    io::{Read, Write},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use vt100::Parser;

/// The program on a terminal of 24 rows.
pub(crate) struct Screen {
    pub(crate) child: Child,
    seen: Arc<Mutex<Seen>>,
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
        let line = format!("stty cols {columns} rows 24; {line}");
        // The one of util-linux, which gives the program a terminal.
        let mut command = Command::new("script");
        command
            .args(["-qec", &line, "/dev/null"])
            .env("TERM", "xterm")
            .env("CHAOSCTL_CONFIG", "/nowhere/config.toml")
            .env_remove("NO_COLOR")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        for (name, value) in variables {
            command.env(name, value);
        }
        let child = command.spawn();
        let mut child = child.expect("`script` of util-linux is installed");
        let seen = Arc::new(Mutex::new(Seen {
            parser: Parser::new(24, columns, 0),
            bytes: Vec::new(),
        }));
        let (mut output, shared) = (child.stdout.take().unwrap(), Arc::clone(&seen));
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = output.read(&mut bytes) {
                let mut seen = shared.lock().unwrap();
                seen.parser.process(&bytes[..read]);
                seen.bytes.extend_from_slice(&bytes[..read]);
            }
        });
        Self { child, seen }
    }

    /// What is on the screen.
    pub(crate) fn text(&self) -> String {
        self.seen.lock().unwrap().parser.screen().contents()
    }

    /// All that was written to the terminal.
    pub(crate) fn written(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap().bytes).into_owned()
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
        let mut input = self.child.stdin.as_ref().unwrap();
        input.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until the program has ended, and returns its code and all that it has written.
    pub(crate) fn end(mut self) -> (i32, String) {
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        // What it wrote last may be on its way.
        let mut before = usize::MAX;
        while before != self.written().len() {
            before = self.written().len();
            thread::park_timeout(Duration::from_millis(100));
        }
        (code, self.written())
    }
}
