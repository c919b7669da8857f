//! `completion` and `man`: what is made of the command line's definition.

use clap::CommandFactory;

use crate::{
    args::{
        Cli,
        own::{CompletionArgs, ManArgs},
    },
    failure::{Exit, Failure},
    fleet::Report,
    output::Output,
};

const NAME: &str = "chaosctl";

pub(crate) fn completion(args: &CompletionArgs, out: &Output) -> Report {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), NAME, &mut script);
    out.print(String::from_utf8_lossy(&script).trim_end());
    Report::printed(Exit::Done)
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
