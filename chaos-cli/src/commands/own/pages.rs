//! `man` and `version`: what the program says of itself.

use clap::CommandFactory;
use serde_json::json;

use crate::{
    args::{Cli, own::ManArgs},
    commands::own::NAME,
    failure::{Exit, Failure},
    fleet::Report,
    output::Output,
};

pub(crate) fn version(out: &Output) -> Report {
    let version = env!("CARGO_PKG_VERSION");
    out.text(format_args!("{NAME} {version}"));
    Report {
        exit: Exit::Done,
        documents: Some(vec![json!({ "version": version })]),
    }
}

pub(crate) fn man(args: &ManArgs, out: &Output) -> Result<Report, Failure> {
    let mut program = Cli::command();
    program.build();
    let command = match &args.command {
        None => program,
        Some(name) => program.find_subcommand(name).cloned().ok_or_else(|| {
            let failure = Failure::usage(format!("there is no command {name}"));
            failure.at("COMMAND", "one that `chaosctl help` lists")
        })?,
    };
    let title = match &args.command {
        None => NAME.to_owned(),
        Some(_) => format!("{NAME}-{}", command.get_name()),
    };
    let mut page = Vec::new();
    let rendered = clap_mangen::Man::new(command)
        .title(title)
        .render(&mut page);
    rendered.map_err(|error| Failure::new(Exit::Refused, error.to_string()))?;
    out.print(String::from_utf8_lossy(&page).trim_end());
    Ok(Report::printed(Exit::Done))
}
