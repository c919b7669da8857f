//! `watch` in a pseudo-terminal: it shows hits, halts with a key, and gives the screen back.

use std::{
    io::{Read, Write},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use chaos_core::inject;
use vt100::Parser;

use crate::support::{
    port::{Port, dead},
    program::chaosctl,
};

struct Screen {
    child: Child,
    parser: Arc<Mutex<Parser>>,
}

impl Screen {
    fn start(columns: u16, arguments: &str) -> Self {
        let program = env!("CARGO_BIN_EXE_chaosctl");
        let line = format!("stty cols {columns} rows 24; exec {program} {arguments} watch");
        // The one of util-linux, which gives the program a terminal.
        let mut child = Command::new("script")
            .args(["-qec", &line, "/dev/null"])
            .env("TERM", "xterm")
            .env("CHAOSCTL_CONFIG", "/nowhere/config.toml")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let parser = Arc::new(Mutex::new(Parser::new(24, columns, 0)));
        let (mut output, seen) = (child.stdout.take().unwrap(), Arc::clone(&parser));
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = output.read(&mut bytes) {
                seen.lock().unwrap().process(&bytes[..read]);
            }
        });
        Self { child, parser }
    }

    fn text(&self) -> String {
        self.parser.lock().unwrap().screen().contents()
    }

    /// Waits until the screen shows all of these.
    #[track_caller]
    fn wait(&self, expected: &[&str]) {
        for _ in 0..400 {
            let text = self.text();
            if expected.iter().all(|expected| text.contains(expected)) {
                return;
            }
            thread::park_timeout(Duration::from_millis(50));
        }
        panic!("{expected:?} is not on the screen:\n{}", self.text());
    }

    fn press(&mut self, keys: &str) {
        let mut input = self.child.stdin.as_ref().unwrap();
        input.write_all(keys.as_bytes()).unwrap();
    }

    /// Quits, and waits until the program has ended and the screen is as it was.
    fn quit(mut self) {
        assert!(self.parser.lock().unwrap().screen().alternate_screen());
        self.press("q");
        assert!(self.child.wait().unwrap().success());
        for _ in 0..100 {
            if !self.parser.lock().unwrap().screen().alternate_screen() {
                return;
            }
            thread::park_timeout(Duration::from_millis(20));
        }
        panic!("the screen was not given back");
    }
}

#[test]
fn a_hit_is_seen_and_h_halts_at_80_and_at_40_columns() {
    for columns in [80, 40] {
        let port = Port::new();
        port.put("db.read=error(x)", "lost");
        let mut screen = Screen::start(columns, &format!("-e {}", port.url));
        screen.wait(&["ARMED", "lost", "0 of 0"]);
        let injector = &port.injector;
        assert!(inject!(injector: injector, "db.read").is_err());
        screen.wait(&["1 of 1"]);
        screen.press("?");
        screen.wait(&["halt all endpoints"]);
        screen.press("?h");
        screen.wait(&["HALTED", "pressed in", "halted 1 of 1"]);
        assert!(port.is_halted());
        screen.quit();
    }
}

/// One that is gone is not shown as it was, and does not keep the others from being shown.
#[test]
fn what_is_not_known_is_said() {
    let port = Port::new();
    let screen = Screen::start(80, &format!("-e {} -e {}", dead(), port.url));
    screen.wait(&["NOT KNOWN", "no answer", "IDLE"]);
    screen.quit();
}

#[test]
fn it_needs_a_terminal() {
    let port = Port::new();
    chaosctl(&["-e", &port.url, "watch"]).expect(2);
    chaosctl(&["--json", "-e", &port.url, "watch"])
        .expect(2)
        .json();
}
