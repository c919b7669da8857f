//! The command line. The help, the completions and the man page are made from it.

pub(crate) mod aim;
pub(crate) mod change;
#[cfg(feature = "gameday")]
pub(crate) mod experiment;
#[cfg(feature = "fleet")]
pub(crate) mod fleet;
pub(crate) mod look;
#[cfg(feature = "fleet")]
pub(crate) mod monkey;
pub(crate) mod own;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Sees, arms and halts the fault injection of running services.
#[derive(Debug, Parser)]
#[command(
    name = "chaosctl",
    version,
    max_term_width = 100,
    subcommand_required = true,
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Args, Debug)]
pub(crate) struct Globals {
    /// An admin port: http://HOST:PORT, https://HOST:PORT or unix:/PATH; several for several services
    #[arg(short = 'e', long = "endpoint", value_name = "ENDPOINT", global = true)]
    pub(crate) endpoints: Vec<String>,
    /// A context of the file config.toml, in place of the one in use
    #[arg(
        short,
        long,
        value_name = "CONTEXT",
        global = true,
        conflicts_with = "endpoints"
    )]
    pub(crate) context: Option<String>,
    /// The file of the access token; without it, CHAOSCTL_TOKEN or that of the context
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) token_file: Option<PathBuf>,
    /// Sends the token over plain HTTP, too, where everyone on the way can read it
    #[arg(long, global = true)]
    pub(crate) insecure_token: bool,
    /// The authorities to trust in place of those of the system, in PEM
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) ca: Option<PathBuf>,
    /// The certificate to present, in PEM; with --cert-key
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) cert: Option<PathBuf>,
    /// The key of the certificate to present, in PEM
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) cert_key: Option<PathBuf>,
    /// Prints JSON: a list with an object for each endpoint, or an object a line where a command goes on
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// The longest that a request may take
    #[arg(long, value_name = "TIME", default_value = "5s", global = true)]
    pub(crate) timeout: humantime::Duration,
    /// Prints neither notes nor warnings
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Answers yes to all questions
    #[arg(short, long, global = true)]
    pub(crate) yes: bool,
    /// When to use colours; NO_COLOR and TERM=dumb turn them off, too
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true)]
    pub(crate) color: ColorArg,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ColorArg {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Shows whether services are idle, armed or halted, by whom and why
    Status(look::StatusArgs),
    /// Lists the rules, what they did, and how long they last
    #[command(visible_alias = "ls")]
    Rules(look::RulesArgs),
    /// Shows one rule
    Show(look::ShowArgs),
    /// Lists the sites
    Sites(look::SitesArgs),
    /// Explains what a rule would do with a call, and why
    Explain(look::ExplainArgs),
    /// Watches the sites of a rule, and tells what becomes of their calls: why the rule hits so many, or none
    Why(look::WhyArgs),
    /// Shows who did what
    Audit(look::AuditArgs),
    /// Shows injections and changes as they happen, a line each
    Events(look::EventsArgs),
    /// Shows state and rules live, full screen; h halts, ? helps
    #[cfg(feature = "watch")]
    Watch(look::WatchArgs),
    /// Arms a rule in the short form, such as 'http.server=10%latency(200ms)'
    Arm(Box<aim::ArmArgs>),
    /// Makes the rules of a file; shows what changes, and asks on a terminal
    Apply(aim::ApplyArgs),
    /// Arms a rule that ends by itself, whatever happens, and shows what it does
    Try(Box<aim::TryArgs>),
    /// Shows which calls or keys a rule would hit
    Preview(aim::PreviewArgs),
    /// Prints a token that carries rules with the requests that present it, or runs a command with it
    Token(Box<aim::TokenArgs>),
    /// Enables rules
    On(change::IdsArgs),
    /// Disables rules
    Off(change::IdsArgs),
    /// Deletes rules
    Rm(change::RemoveArgs),
    /// Moves the deadline of a rule; counts and limits go on
    Extend(change::ExtendArgs),
    /// Releases the calls that a rule's `pause` holds
    Release(change::ReleaseArgs),
    /// Takes back an entry of the audit; without one, your last change
    Undo(change::UndoArgs),
    /// Halts all injection, everywhere, at once; never asks
    Halt(change::HaltArgs),
    /// Resumes injection after a halt
    Resume(change::ReasonArgs),
    /// Acknowledges breaches of guard rails, without a resume
    Ack(change::ReasonArgs),
    /// Runs an experiment: probes, faults in phases, a verdict, a journal and a report
    #[cfg(feature = "gameday")]
    Run(experiment::RunArgs),
    /// Begins, checks, exports and shows experiments
    #[cfg(feature = "gameday")]
    Experiment(experiment::ExperimentArgs),
    /// Injects one fault on a whole fleet, through etcd: apply, status, halt
    #[cfg(feature = "fleet")]
    Fleet(fleet::FleetArgs),
    /// Picks replicas of a fleet at random, at random times or at once, and injects there
    #[cfg(feature = "fleet")]
    Monkey(monkey::MonkeyArgs),
    /// Lists, chooses and adds contexts
    Context(own::ContextArgs),
    /// Prints the help of a command; of `faults`, the faults, and of `faults NAME`, one of them
    Help(own::HelpArgs),
    /// Prints the version of the program
    Version,
    /// Prints the ids of the rules, for completions
    #[command(name = "__ids", hide = true)]
    Ids,
    /// Prints the completions for a shell
    Completion(own::CompletionArgs),
    /// Prints the manual page of the program, or of a command
    Man(own::ManArgs),
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::CommandFactory;

    use super::Cli;

    const PAGE: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../docs/pages/reference/chaosctl.md"
    );

    fn has_word(text: &str, word: &str) -> bool {
        let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '-');
        words.any(|one| one == word)
    }

    /// The rows of the table whose first cell has the command.
    fn rows(page: &str, command: &str) -> String {
        let starts = [format!("`{command} "), format!("`{command}`")];
        let rows = page.lines().filter(|line| {
            let cell = line
                .strip_prefix("| ")
                .and_then(|row| row.split_once(" | "));
            cell.is_some_and(|(cell, _)| starts.iter().any(|start| cell.contains(start)))
        });
        rows.collect()
    }

    /// Returns the arguments of a command, and of those below it, that the page does not have.
    fn missing(page: &str, command: &clap::Command, name: &str) -> Vec<String> {
        let mut text = rows(page, name);
        if text.contains("takes the arguments of `arm`") {
            text += &rows(page, "arm");
        }
        let arguments = command.get_arguments().filter(|it| !it.is_hide_set());
        let absent = arguments.filter_map(|argument| {
            let long = format!("--{}", argument.get_long()?);
            // What several commands take is in a table of its own.
            let text = if argument.is_global_set() {
                page
            } else {
                &text
            };
            (!has_word(text, &long)).then(|| format!("{name} {long}"))
        });
        let mut absent: Vec<_> = absent.collect();
        for below in command.get_subcommands().filter(|it| !it.is_hide_set()) {
            let name = format!("{name} {}", below.get_name());
            absent.extend(missing(page, below, name.trim()));
        }
        absent
    }

    /// Returns the short forms of a command, and of those below it, of which the page does not say what they stand for.
    fn missing_short(page: &str, command: &clap::Command) -> Vec<String> {
        let arguments = command.get_arguments().filter(|it| !it.is_hide_set());
        let absent = arguments.filter_map(|argument| {
            let (short, long) = (argument.get_short()?, argument.get_long()?);
            let said = [
                format!("`-{short}` is `--{long}`"),
                format!("`-{short}`, `--{long}"),
            ];
            let is_there = said.iter().any(|said| page.contains(said));
            (!is_there).then(|| format!("-{short} is --{long}"))
        });
        let below = command.get_subcommands();
        let below = below.flat_map(|command| missing_short(page, command));
        absent.chain(below).collect()
    }

    #[test]
    fn a_short_form_alone_is_no_argument_of_the_reference() {
        let cli = Cli::command();
        let show = cli.find_subcommand("show").unwrap();
        let page = |argument: &str| format!("| `show ID [{argument}]` | shows a rule |");
        let absent = missing(&page("-w, --output FORMAT"), show, "show");
        assert_eq!(absent, ["show --watch"]);
        let absent = missing(&page("--watch, --output"), show, "show");
        assert_eq!(absent, [""; 0]);
    }

    #[test]
    fn each_short_form_is_in_the_reference() {
        let page = fs::read_to_string(PAGE).unwrap();
        assert_eq!(missing_short(&page, &Cli::command()), [""; 0]);
        assert!(missing_short("", &Cli::command()).len() > 5);
    }

    #[test]
    fn each_argument_is_in_the_reference() {
        let page = fs::read_to_string(PAGE).unwrap();
        assert_eq!(missing(&page, &Cli::command(), ""), [""; 0]);
        assert!(missing("", &Cli::command(), "").len() > 50);
    }
}
