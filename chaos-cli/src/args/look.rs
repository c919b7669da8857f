//! The arguments of the commands that only look.

use clap::{Args, ValueEnum};

#[derive(Args, Debug)]
pub(crate) struct StatusArgs {
    /// Exits with 10 if a service is armed, and with 20 if one is halted
    #[arg(long)]
    pub(crate) exit_code: bool,
    /// Prints a text for those who take over: rules, halts, breaches and the last changes
    #[arg(long)]
    pub(crate) handover: bool,
    /// Watches sites for three seconds, and shows latency and errors of calls that were hit beside those left alone:
    /// at these sites, or at the layers and those that rules aim at or measure
    #[arg(long, value_name = "SITE", num_args = 0..)]
    pub(crate) latency: Option<Vec<String>>,
}

#[derive(Args, Debug)]
pub(crate) struct RulesArgs {
    /// Only rules that aim at this site
    #[arg(long, value_name = "SITE")]
    pub(crate) site: Option<String>,
    /// Only rules in this state
    #[arg(long)]
    pub(crate) state: Option<StateArg>,
    /// Looks again each second
    #[arg(short, long)]
    pub(crate) watch: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub(crate) enum StateArg {
    /// In force
    On,
    /// Disabled
    Off,
    /// Expired
    Ended,
    /// Counts, and injects nothing
    Shadow,
}

#[derive(Args, Debug)]
pub(crate) struct ShowArgs {
    /// The id of the rule
    pub(crate) id: String,
    /// Prints the rule as it is written, in this format
    #[arg(short, long, value_name = "FORMAT")]
    pub(crate) output: Option<FormatArg>,
    /// Looks again each second
    #[arg(short, long)]
    pub(crate) watch: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum FormatArg {
    Json,
    Toml,
    Yaml,
    /// The command that makes the rule
    Cmd,
}

#[derive(Args, Debug)]
pub(crate) struct SitesArgs {
    /// Only sites whose name contains this, or that this pattern matches: db.*
    pub(crate) pattern: Option<String>,
    /// Only sites in files whose name contains this
    #[arg(long)]
    pub(crate) file: Option<String>,
    /// Watches the sites for this time, and shows which methods, routes, hosts and labels their calls have
    #[arg(
        long,
        value_name = "TIME",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "5s"
    )]
    pub(crate) seen: Option<humantime::Duration>,
}

#[derive(Args, Debug)]
pub(crate) struct AuditArgs {
    /// Only entries about this rule
    #[arg(long, value_name = "ID")]
    pub(crate) rule: Option<String>,
    /// Only entries of this last time, such as 1h
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<humantime::Duration>,
}

#[derive(Args, Debug)]
pub(crate) struct EventsArgs {
    /// Leaves injections out
    #[arg(long)]
    pub(crate) no_injections: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ExplainArgs {
    /// The id of the rule
    pub(crate) id: String,
    /// The site of the call, if the rule aims at several
    #[arg(long)]
    pub(crate) site: Option<String>,
    /// The method of the request
    #[arg(long)]
    pub(crate) method: Option<String>,
    /// The path of the request
    #[arg(long)]
    pub(crate) path: Option<String>,
    /// The host of the request
    #[arg(long)]
    pub(crate) host: Option<String>,
    /// A header of the request
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub(crate) headers: Vec<String>,
    /// A parameter of the request
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) query: Vec<String>,
    /// A label of the call
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) label: Vec<String>,
    /// The key of the call: the header or label by which the rule decides has this value
    #[arg(long, value_name = "VALUE")]
    pub(crate) key: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct WhyArgs {
    /// The id of the rule
    pub(crate) id: String,
    /// How long to count calls: at most 8s
    #[arg(long = "for", value_name = "TIME", default_value = "2s")]
    pub(crate) length: humantime::Duration,
}

#[cfg(feature = "watch")]
#[derive(Args, Debug)]
pub(crate) struct WatchArgs {
    /// Only rules that aim at these sites
    #[arg(value_name = "SITE")]
    pub(crate) sites: Vec<String>,
}
