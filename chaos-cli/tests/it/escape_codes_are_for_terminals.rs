//! Escape codes are written to a terminal that takes them, and to nothing else.

use std::future::ready;

use axum::{Json, Router};
use serde_json::json;

use crate::support::{
    port::{Port, serve},
    program::{command, run},
    screen::Screen,
};

const ESCAPE: char = '\u{1b}';

/// Commands whose output goes to standard output, to standard error and to both.
const COMMANDS: [&str; 9] = [
    "--help",
    "help",
    "help faults",
    "status",
    "rules",
    "show lost",
    "arm 'db.read=5%latency(200ms)+statsu(503)'",
    "arm db.read=error",
    "try 'db.read=error(x)' --for 1s",
];

#[test]
fn a_terminal_that_wants_none_gets_none() {
    let port = Port::new();
    port.put("db.read=error(x)", "lost");
    let program = env!("CARGO_BIN_EXE_chaosctl");
    for (arguments, variable) in [
        ("", ("NO_COLOR", "1")),
        ("", ("TERM", "dumb")),
        ("--color never", ("TERM", "xterm")),
    ] {
        // One after the other, on one terminal.
        let lines =
            COMMANDS.map(|command| format!("{program} -e {} {arguments} {command}", port.url));
        let written = Screen::start(80, &lines.join("; "), &[variable])
            .end()
            .written;
        for expected in [
            "Usage: ",
            "FAULT",
            "next to end",
            "statsu",
            "taken back after",
        ] {
            assert!(written.contains(expected), "{expected}: {written}");
        }
        assert!(
            !written.contains(ESCAPE),
            "{variable:?} {arguments}: {written:?}"
        );
    }
    // Where nothing is said against them, there are some.
    let written = Screen::chaosctl(80, "--help", &[]).end().written;
    assert!(written.contains(ESCAPE), "{written:?}");
}

#[test]
fn a_pipe_gets_none() {
    let port = Port::new();
    port.put("db.read=error(x)", "lost");
    for line in COMMANDS {
        let program = format!(
            "exec {} -e {} {line}",
            env!("CARGO_BIN_EXE_chaosctl"),
            port.url
        );
        // Through a shell, for the quotes.
        let mut shell = std::process::Command::new("sh");
        shell
            .args(["-c", &program])
            .env("TERM", "xterm")
            .env("CHAOSCTL_CONFIG", "/nowhere/config.toml");
        let ran = run(shell);
        assert!(!ran.stdout.contains(ESCAPE), "{ran:?}");
        assert!(!ran.stderr.contains(ESCAPE), "{ran:?}");
    }
    let mut forced = command(&["--color", "auto", "--help"]);
    forced.env("CLICOLOR_FORCE", "1");
    assert!(run(forced).stdout.contains(ESCAPE));
}

/// Whatever a service puts into the texts that commands print.
#[test]
fn texts_of_answers_cannot_steer_the_terminal() {
    let evil = "\u{1b}]0;owned\u{7}\u{202e}";
    let document = json!({
        "state": evil, "token": evil, "role": "arm", "name": evil, "generation": 1,
        "rules": [{ "id": "a", "site": evil, "stats": { "expires_in": 1.0 }, "faults": [{ "error": evil }] }],
        "entries": [{ "id": 7, "action": "put", "actor": evil, "changes": [{ "rule": evil }] }],
        "id": evil, "stats": { "expires_in": 1.0 },
    });
    let url = serve(Router::new().fallback(move || ready(Json(document.clone()))));
    for command in [
        "halt enough",
        "resume fixed",
        "ack seen",
        "undo",
        "undo 7",
        "arm db.read=error(x)",
        "arm db.read=error(x) --id a",
        "show a",
        "show a -o cmd",
        "show a -o toml",
        "token --rule db.read=error(x) --for 1m --subject me",
    ] {
        let command = command.replace("db.read=error(x)", "'db.read=error(x)'");
        let variables = [("CLICOLOR_FORCE", "1")];
        let screen = Screen::chaosctl(200, &format!("-y -e {url} {command}"), &variables);
        let written = screen.end().written;
        assert!(!written.is_empty(), "{command}");
        let steers = |c: char| (c.is_control() && c != '\n' && c != '\r') || c == '\u{202e}';
        assert!(!written.contains(steers), "{command}: {written:?}");
    }
}
