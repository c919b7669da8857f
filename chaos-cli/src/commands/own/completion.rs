//! `completion`: completions of commands and arguments, and of the ids of rules, which are asked of the service.

use clap::{Command, CommandFactory};
use clap_complete::Shell;

use crate::{
    args::{Cli, own::CompletionArgs},
    failure::Exit,
    fleet::Report,
    output::Output,
};

/// The arguments that are ids of rules.
const IDS: [&str; 2] = ["id", "ids"];

pub(crate) fn run(args: &CompletionArgs, out: &Output) -> Report {
    let mut program = Cli::command();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut program, super::NAME, &mut script);
    let script = String::from_utf8_lossy(&script);
    out.print(with_ids(args.shell, &program, &script).trim_end());
    Report::printed(Exit::Done)
}

/// Adds the ids of rules to a script that clap has made.
fn with_ids(shell: Shell, program: &Command, script: &str) -> String {
    let fill = |text: &str, between: &str| {
        let text = text.replace("@OPTIONS@", &options(program).join(between));
        text.replace("@COMMANDS@", &commands(program).join(between))
    };
    // The command that the scripts themselves run is none for people.
    let lines = script
        .lines()
        .filter(|line| !line.starts_with("'__ids:") && !line.contains("-a \"__ids\""));
    let script = lines.collect::<Vec<_>>().join("\n").replace(" __ids", "") + "\n";
    let script = script.as_str();
    match shell {
        Shell::Bash => {
            let (functions, end) = script.rsplit_once("\n}\n").unwrap_or((script, ""));
            let end = end.replace("complete -F _chaosctl ", "complete -F _chaosctl_with_ids ");
            let ids = fill(include_str!("completion/ids.bash"), "|");
            format!("{functions}\n}}\n{ids}{end}")
        }
        Shell::Zsh => {
            let lines = script.lines().map(|line| match is_id(line) {
                true => line.replace(":_default'", ":_chaosctl_ids'"),
                false => line.to_owned(),
            });
            let lines: Vec<_> = lines.collect();
            let script = lines.join("\n");
            let ids = fill(include_str!("completion/ids.zsh"), "|");
            // What follows it calls the functions.
            match script.rsplit_once("\nif [ \"$funcstack[1]\"") {
                Some((functions, end)) => {
                    format!("{functions}\n{ids}\nif [ \"$funcstack[1]\"{end}")
                }
                None => script,
            }
        }
        Shell::Fish => format!("{script}{}", fill(include_str!("completion/ids.fish"), " ")),
        _ => script.to_owned(),
    }
}

/// Returns whether a line of the script for zsh describes an argument that is an id.
fn is_id(line: &str) -> bool {
    let argument = line.trim_start_matches(['\'', '*', ':']);
    let (name, _) = argument.split_once(" -- ").unwrap_or_default();
    line.starts_with('\'') && IDS.contains(&name)
}

/// Returns the options of the program that take a value.
fn options(program: &Command) -> Vec<String> {
    let options = program
        .get_opts()
        .filter(|it| it.get_action().takes_values());
    let names = options.flat_map(|option| {
        let short = option.get_short().map(|name| format!("-{name}"));
        let long = option.get_long().map(|name| format!("--{name}"));
        short.into_iter().chain(long)
    });
    names.collect()
}

/// Returns the commands that take ids of rules.
fn commands(program: &Command) -> Vec<&str> {
    let takes = |command: &&Command| {
        let mut arguments = command.get_positionals();
        arguments.any(|argument| IDS.contains(&argument.get_id().as_str()))
    };
    let commands = program.get_subcommands().filter(takes);
    commands.map(Command::get_name).collect()
}
