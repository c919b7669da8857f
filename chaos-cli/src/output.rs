//! What is printed: data on standard output, words on standard error.

pub(crate) mod latency;
pub(crate) mod table;
pub(crate) mod time;

use std::{
    cell::Cell,
    fmt::Display,
    io::{self, BufRead, IsTerminal, Write},
};

use chaos_core::OneLine;
use serde_json::Value;

use crate::failure::{Exit, Failure};

/// The number of characters of which [`OneLine`] cuts none.
const PART: usize = 1000;

/// Where a command prints. Escape codes are removed where nobody can see colours.
#[derive(Debug)]
pub(crate) struct Output {
    json: bool,
    quiet: bool,
    /// Whether nobody reads standard output any longer.
    closed: Cell<bool>,
}

impl Output {
    pub(crate) fn new(json: bool, quiet: bool) -> Self {
        Self {
            json,
            quiet,
            closed: Cell::new(false),
        }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Returns whether standard output was closed, as by `head`: a command that goes on then ends.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// Returns whether somebody may look at notes: on a terminal, and without `--quiet`.
    pub(crate) fn is_terminal(&self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }

    /// Prints a line for people to standard output; nothing with `--json`.
    pub(crate) fn text(&self, line: impl Display) {
        if !self.json {
            self.write(harmless(&line.to_string()));
        }
    }

    /// Prints JSON in one line to standard output; nothing without `--json`.
    pub(crate) fn json(&self, document: &Value) {
        if self.json {
            self.print(document);
        }
    }

    /// Prints a line to standard output, whatever the format: exactly, except on a terminal.
    pub(crate) fn print(&self, line: impl Display) {
        match io::stdout().is_terminal() {
            true => self.write(harmless(&line.to_string())),
            false => self.write(line),
        }
    }

    fn write(&self, line: impl Display) {
        let mut out = anstream::stdout().lock();
        let printed = writeln!(out, "{line}").and_then(|()| out.flush());
        if printed.is_err() {
            self.closed.set(true);
        }
    }

    /// Prints a line to standard error, unless `--quiet` says otherwise.
    pub(crate) fn note(&self, line: impl Display) {
        if !self.quiet {
            print_error(harmless(&line.to_string()));
        }
    }

    /// Prints why an endpoint, or the whole command, has failed.
    pub(crate) fn failure(&self, endpoint: Option<&str>, failure: &Failure) {
        match endpoint {
            Some(endpoint) => print_error(format_args!("{endpoint}: {failure}")),
            None => print_error(format_args!("chaosctl: {failure}")),
        }
        if let Some(mark) = &failure.mark {
            print_error(mark);
        }
    }

    /// Prints the warnings of an answer.
    pub(crate) fn warnings(&self, answer: &Value) {
        for warning in answer["warnings"].as_array().into_iter().flatten() {
            let text = |field: &str| warning[field].as_str().unwrap_or_default().to_owned();
            let (field, detail, suggestion) = (text("field"), text("detail"), text("suggestion"));
            let line = match suggestion.is_empty() {
                true => format!("{field}: {detail}"),
                false => format!("{field}: {detail}; try: {suggestion}"),
            };
            self.note(format_args!("warning: {}", OneLine(&line)));
        }
    }

    /// Returns whether there is a terminal to ask on.
    pub(crate) fn can_ask(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Asks a question on the terminal.
    ///
    /// # Errors
    /// Returns a failure if there is no terminal to ask on, or the answer is not yes.
    pub(crate) fn confirm(&self, question: &str) -> Result<(), Failure> {
        if !self.can_ask() {
            let failure = Failure::usage("there is no terminal to ask on");
            return Err(failure.at("--yes", "-y, to answer yes"));
        }
        let mut out = anstream::stderr().lock();
        let _ = write!(out, "{} [y/N] ", harmless(question)).and_then(|()| out.flush());
        drop(out);
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer);
        match (read, answer.trim()) {
            (Ok(_), "y" | "Y" | "yes") => Ok(()),
            _ => Err(Failure::new(Exit::Refused, "nothing was changed")),
        }
    }
}

fn print_error(line: impl Display) {
    // Nobody can be told that standard error is closed.
    let _ = writeln!(anstream::stderr().lock(), "{line}");
}

/// Returns lines without what would steer a terminal, however long they are.
fn harmless(text: &str) -> String {
    let lines = text.split('\n').map(|line| {
        let characters: Vec<char> = line.chars().collect();
        let parts = characters.chunks(PART);
        let parts = parts.map(|part| OneLine(&String::from_iter(part)).to_string());
        parts.collect::<String>()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns whether the terminal takes no escape codes, by its own word.
pub(crate) fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}
