//! The arguments of the commands about chaosctl itself.

use clap::{Args, Subcommand};

#[cfg(feature = "fleet")]
use crate::args::fleet::ContextFleetArgs;

#[derive(Args, Debug)]
pub(crate) struct ContextArgs {
    #[command(subcommand)]
    pub(crate) command: ContextCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ContextCommand {
    /// Lists the contexts
    Ls,
    /// Uses a context from now on
    Use {
        /// The name of the context
        name: String,
    },
    /// Adds a context with the endpoints and files of this command line
    Set(ContextSetArgs),
}

#[derive(Args, Debug)]
pub(crate) struct ContextSetArgs {
    /// The name of the context
    pub(crate) name: String,
    /// Makes each write name the context, and those that inject faults ask
    #[arg(long)]
    pub(crate) production: bool,
    #[cfg(feature = "fleet")]
    #[command(flatten)]
    pub(crate) fleet: ContextFleetArgs,
}

#[derive(Args, Debug)]
pub(crate) struct CompletionArgs {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Args, Debug)]
pub(crate) struct ManArgs {
    /// The command
    pub(crate) command: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct HelpArgs {
    /// A command, or `faults`, with the name of a fault
    pub(crate) topic: Vec<String>,
}
