//! The arguments of `fleet`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::args::change::HaltArgs;

#[derive(Args, Debug)]
pub(crate) struct FleetArgs {
    #[command(flatten)]
    pub(crate) access: FleetAccessArgs,
    #[command(subcommand)]
    pub(crate) command: FleetCommand,
}

/// Which fleet, in which etcd, and as whom. The certificates are those of all commands.
#[derive(Args, Debug)]
pub(crate) struct FleetAccessArgs {
    /// The etcd and the fleet: http://HOST:PORT/FLEET, with commas between the members of a cluster;
    /// without it, CHAOSCTL_FLEET or that of the context
    #[arg(long, value_name = "URL", global = true)]
    pub(crate) fleet: Option<String>,
    /// The user of etcd; with --password-file
    #[arg(long, global = true)]
    pub(crate) user: Option<String>,
    /// The file of the user's password
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) password_file: Option<PathBuf>,
    /// The file of the secret that signs documents
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) key_file: Option<PathBuf>,
    /// Signs nothing: replicas must trust whoever may write to etcd, too
    #[arg(long, global = true, conflicts_with = "key_file")]
    pub(crate) trust_the_store: bool,
    /// Who you are, for the replicas' audits; without it, the user of this machine
    #[arg(long, value_name = "NAME", global = true)]
    pub(crate) by: Option<String>,
}

/// The fleet of a context. Who you are is no part of it.
#[derive(Args, Debug)]
pub(crate) struct ContextFleetArgs {
    /// The etcd and the fleet: http://HOST:PORT/FLEET, with commas between the members of a cluster
    #[arg(long, value_name = "URL")]
    pub(crate) fleet: Option<String>,
    /// The user of etcd; with --password-file
    #[arg(long, requires = "fleet")]
    pub(crate) user: Option<String>,
    /// The file of the user's password
    #[arg(long, value_name = "FILE", requires = "fleet")]
    pub(crate) password_file: Option<PathBuf>,
    /// The file of the secret that signs documents
    #[arg(long, value_name = "FILE", requires = "fleet")]
    pub(crate) key_file: Option<PathBuf>,
    /// Signs nothing: replicas must trust whoever may write to etcd, too
    #[arg(long, requires = "fleet", conflicts_with = "key_file")]
    pub(crate) trust_the_store: bool,
}

impl ContextFleetArgs {
    /// Returns the arguments with which `fleet` is asked for the same fleet.
    pub(crate) fn access(&self) -> FleetAccessArgs {
        FleetAccessArgs {
            fleet: self.fleet.clone(),
            user: self.user.clone(),
            password_file: self.password_file.clone(),
            key_file: self.key_file.clone(),
            trust_the_store: self.trust_the_store,
            by: None,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum FleetCommand {
    /// Shows the documents, what has become of them at each replica, and why
    Status,
    /// Puts the document of a file, and holds the fleet until it is over; Ctrl-C takes it back
    Apply(FleetApplyArgs),
    /// Removes a document, whoever has put it
    Rm {
        /// The name of the document
        #[arg(value_name = "NAME")]
        document: String,
    },
    /// Halts all injection of the fleet, at once; never asks
    Halt(HaltArgs),
    /// Resumes the fleet after its halt; whoever was halted at a replica stays so
    Resume,
    /// Lists the replicas: labels, state, and what they have done with each document
    Replicas,
    /// Shows which replicas the document of a file would be meant for
    Preview {
        /// A file with a document, in JSON, TOML or YAML; `-` is standard input, in JSON
        #[arg(short, long)]
        file: PathBuf,
    },
}

#[derive(Args, Debug)]
pub(crate) struct FleetApplyArgs {
    /// A file with a document, in JSON, TOML or YAML; `-` is standard input, in JSON
    #[arg(short, long)]
    pub(crate) file: PathBuf,
    /// How long the replicas may take to apply it; if one has not by then, it is taken back
    #[arg(long, value_name = "TIME", default_value = "5s")]
    pub(crate) wait: humantime::Duration,
    /// Goes on if not all replicas have applied it
    #[arg(long)]
    pub(crate) partial: bool,
    /// How long it outlives this process, and how long this process outlives etcd: 5s to 5m
    #[arg(long, value_name = "TIME", default_value = "30s")]
    pub(crate) hold: humantime::Duration,
    /// Why, for the replicas' audits
    #[arg(long)]
    pub(crate) reason: Option<String>,
}
