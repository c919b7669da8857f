//! The arguments of `monkey`.

use std::path::PathBuf;

use clap::{Args, Subcommand, builder::RangedU64ValueParser};

use crate::args::fleet::FleetAccessArgs;

#[derive(Args, Debug)]
pub(crate) struct MonkeyArgs {
    #[command(flatten)]
    pub(crate) access: FleetAccessArgs,
    /// How long the faults outlive this process, and how long this process outlives etcd: 5s to 5m
    #[arg(long, value_name = "TIME", default_value = "30s", global = true)]
    pub(crate) hold: humantime::Duration,
    #[command(subcommand)]
    pub(crate) command: MonkeyCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MonkeyCommand {
    /// Makes the picks of a file when they are due, until it is stopped; of several, one makes each pick
    Run {
        /// A file of picks, in TOML
        #[arg(short, long)]
        file: PathBuf,
    },
    /// Picks replicas of a group at once, and holds the fleet until that is over; Ctrl-C takes it back
    Now(Box<MonkeyNowArgs>),
}

#[derive(Args, Debug)]
pub(crate) struct MonkeyNowArgs {
    /// The labels that a replica must have; with commas between several
    #[arg(
        long,
        value_name = "NAME=VALUE",
        value_delimiter = ',',
        required = true
    )]
    pub(crate) group: Vec<String>,
    /// The fault in the short form, such as 'abort(exit)' or 'db.*=5%latency(200ms)'
    #[arg(long)]
    pub(crate) fault: String,
    /// The number of picks, 1 to 100; a replica may be picked again
    #[arg(long, value_name = "N", default_value = "1", value_parser = RangedU64ValueParser::<u64>::new().range(1..=100))]
    pub(crate) count: u64,
    /// The time from one pick to the next
    #[arg(long, value_name = "TIME", default_value = "10s")]
    pub(crate) interval: humantime::Duration,
    /// The share of the picks that are made, above 0 and at most 1
    #[arg(long, value_name = "SHARE", default_value = "1")]
    pub(crate) probability: f64,
    /// How long the faults last, 1s to 24h
    #[arg(long, value_name = "TIME", default_value = "10m")]
    pub(crate) ttl: humantime::Duration,
    /// Injects; without it, the rules are shadow rules, which count what they would hit and harm nobody
    #[arg(long)]
    pub(crate) unleashed: bool,
    /// The seed of all draws; without it, the picks are others each time
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,
    /// A URL that has to answer 200 before a pick
    #[arg(long, value_name = "URL")]
    pub(crate) probe: Option<String>,
    /// A URL that gets a POST of each pick; several for several
    #[arg(long, value_name = "URL")]
    pub(crate) webhook: Vec<String>,
}
