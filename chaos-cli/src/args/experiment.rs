//! The arguments of the commands of experiments.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[cfg(feature = "fleet")]
use crate::args::fleet::FleetAccessArgs;

/// How the target of an experiment is reached, beside what all commands take.
#[derive(Args, Debug)]
pub(crate) struct TargetAccessArgs {
    #[cfg(feature = "fleet")]
    #[command(flatten)]
    pub(crate) fleet: FleetAccessArgs,
}

#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    /// The experiment: .yaml, .toml or .json
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The number from which rules without a seed of their own draw; without it, a random one, which is printed
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,
    /// Where the journal is written as it happens; without it, FILE with the extension .journal.json
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,
    /// Where the report is written at the end: .html or .md; several for several
    #[arg(long = "report", value_name = "FILE")]
    pub(crate) reports: Vec<PathBuf>,
    /// The URL that is told the verdict and what is to be done, in JSON; several for several
    #[arg(long = "webhook", value_name = "URL")]
    pub(crate) webhooks: Vec<reqwest::Url>,
    #[command(flatten)]
    pub(crate) access: TargetAccessArgs,
}

#[derive(Args, Debug)]
pub(crate) struct ExperimentArgs {
    #[command(subcommand)]
    pub(crate) command: ExperimentCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ExperimentCommand {
    /// Prints an experiment to begin with, in YAML
    New {
        /// What the experiment is called
        #[arg(default_value = "Lost reads do not reach shoppers")]
        title: String,
    },
    /// Reads an experiment, and asks the target whether it would take its rules; changes nothing
    Check {
        /// The experiment
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Asks nobody
        #[arg(long)]
        offline: bool,
        #[command(flatten)]
        access: TargetAccessArgs,
    },
    /// Prints an experiment in the format of another tool
    Export {
        /// The experiment
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// In the format of the Chaos Toolkit
        #[arg(long, required = true)]
        chaostoolkit: bool,
    },
    /// Writes the report of a journal again
    Report {
        /// The journal of a run
        #[arg(value_name = "JOURNAL")]
        journal: PathBuf,
        /// Where it is written: .html or .md; without it, Markdown is printed
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Prints the JSON Schema of experiments, or of journals
    Schema {
        /// That of journals
        #[arg(long)]
        journal: bool,
    },
}
