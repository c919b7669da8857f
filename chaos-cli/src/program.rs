//! The program: reads the command line, runs the command, prints its result and returns its code.

use std::{env, ffi::OsString, io::Write, process::ExitCode};

use clap::Parser;
use serde_json::{Value, json};
use tokio::runtime::Builder;

use crate::{
    args::{Cli, ColorArg},
    commands,
    failure::{Exit, Failure},
    fleet::Report,
    output::{Output, is_dumb},
};

/// Runs `chaosctl` with the arguments of the process.
pub fn main() -> ExitCode {
    run(env::args_os()).into()
}

/// Runs `chaosctl` with the given arguments, of which the first is the program's name, and returns its exit
/// code. It prints to the standard output and the standard error of the process.
pub fn run<A: Into<OsString>>(arguments: impl IntoIterator<Item = A>) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return not_parsed(&error, &arguments),
    };
    choose(cli.globals.color);
    let out = Output::new(cli.globals.json, cli.globals.quiet);
    let report = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(commands::run(cli, &out)),
        Err(error) => Err(Failure::new(Exit::Refused, error.to_string())),
    };
    let report = report.unwrap_or_else(|failure| {
        out.failure(None, &failure);
        Report {
            exit: failure.exit,
            documents: Some(vec![json!({ "error": failure.to_json() })]),
        }
    });
    if let Some(documents) = report.documents {
        out.json(&Value::from(documents));
    }
    report.exit.code()
}

fn choose(color: ColorArg) {
    match color {
        // By itself, anstream would colour a dumb terminal where the variable `CI` is set.
        ColorArg::Auto if is_dumb() => anstream::ColorChoice::Never.write_global(),
        ColorArg::Auto => {}
        ColorArg::Always => anstream::ColorChoice::Always.write_global(),
        ColorArg::Never => anstream::ColorChoice::Never.write_global(),
    }
}

/// Prints the help or the error of a command line that was not read.
fn not_parsed(error: &clap::Error, arguments: &[OsString]) -> u8 {
    choose(ColorArg::Auto);
    let before = arguments.iter().take_while(|argument| *argument != "--");
    let before: Vec<_> = before.filter_map(|argument| argument.to_str()).collect();
    let is_never = |two: &[&str]| two == ["--color", "never"];
    if before.contains(&"--color=never") || before.windows(2).any(is_never) {
        choose(ColorArg::Never);
    }
    let text = error.render();
    // Nobody can be told that the output is closed.
    let _ = match error.use_stderr() {
        true => write!(anstream::stderr().lock(), "{}", text.ansi()),
        false => write!(anstream::stdout().lock(), "{}", text.ansi()),
    };
    if !error.use_stderr() {
        return Exit::Done.code();
    }
    if before.contains(&"--json") {
        let text = error.to_string();
        let detail = text.trim_start_matches("error: ").lines().next();
        let failure = Failure::usage(detail.unwrap_or_default());
        let out = Output::new(true, false);
        out.json(&json!([{ "error": failure.to_json() }]));
    }
    Exit::Usage.code()
}
