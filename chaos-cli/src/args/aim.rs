//! The arguments of the commands that aim.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["short"]))]
pub(crate) struct ArmArgs {
    #[command(flatten)]
    pub(crate) rule: RuleArgs,
    /// Changes nothing, and says what would be made
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Makes nothing if the service warns of something
    #[arg(long)]
    pub(crate) strict: bool,
    /// Prints the rules in this format, and asks no endpoint
    #[arg(short, long, value_name = "FORMAT")]
    pub(crate) output: Option<RuleFormatArg>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum RuleFormatArg {
    Json,
    Toml,
    Yaml,
}

/// A rule in the short form, with the fields that the short form does not have.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct RuleArgs {
    /// The site and its faults: 'SITE=TERMS', as in 'db.read=1%3*error(lost)->latency(50ms)'
    #[arg(
        value_name = "SITE=TERMS",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) short: String,
    /// The id; without it, one is made from the site
    #[arg(long)]
    pub(crate) id: Option<String>,
    /// Only calls with this method; several for any of them
    #[arg(long)]
    pub(crate) method: Vec<String>,
    /// Only calls with this path, which may be a route such as /checkout/{id}
    #[arg(long)]
    pub(crate) path: Option<String>,
    /// Only calls to this host
    #[arg(long)]
    pub(crate) host: Option<String>,
    /// Only calls with this header
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub(crate) headers: Vec<String>,
    /// Only calls with this parameter
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) query: Vec<String>,
    /// Only calls with this label
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) label: Vec<String>,
    /// Only calls of this gRPC method: shop.v1.Orders/Place
    #[arg(long)]
    pub(crate) grpc: Option<String>,
    /// Decides by this key, so that calls with equal keys are treated alike: header:x-user-id
    #[arg(long)]
    pub(crate) key: Option<String>,
    /// The fraction of the calls to hit, 0 to 1
    #[arg(long)]
    pub(crate) rate: Option<f64>,
    /// Makes the draws repeatable
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// The greatest number of injections
    #[arg(long)]
    pub(crate) limit: Option<u64>,
    /// The greatest number of injections under way at a time
    #[arg(long, value_name = "NUMBER")]
    pub(crate) max_active: Option<u32>,
    /// Halts if the service shows this: 'http.server errors<10%', 'http.server p99<800ms'
    #[arg(long = "guard", value_name = "[SITE] BOUND")]
    pub(crate) guards: Vec<String>,
    /// How long the rule lasts, such as 5m; the default is ten minutes
    #[arg(long, value_name = "TIME")]
    pub(crate) ttl: Option<String>,
    /// Why, for the list of rules and the audit
    #[arg(long)]
    pub(crate) reason: Option<String>,
    /// Matches, draws and counts, and injects nothing
    #[arg(long)]
    pub(crate) shadow: bool,
}

#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["rule", "file"]))]
pub(crate) struct TokenArgs {
    /// A rule in the short form
    #[arg(long, value_name = "SITE=TERMS")]
    pub(crate) rule: Option<String>,
    /// A file with rules in place of --rule
    #[arg(short, long)]
    pub(crate) file: Option<PathBuf>,
    /// How long the token is accepted
    #[arg(long = "for", value_name = "TIME")]
    pub(crate) length: humantime::Duration,
    /// Who uses the token, for the logs of the services
    #[arg(long)]
    pub(crate) subject: String,
    /// A command to run with the token in CHAOS_TOKEN, in place of printing it; its exit code is that of this program
    #[arg(last = true)]
    pub(crate) command: Vec<String>,
}

#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("calls").required(true).args(["keys", "ordinals"]))]
pub(crate) struct PreviewArgs {
    /// The id of a rule; with --file, the rule of the file with this id
    #[arg(required_unless_present = "file")]
    pub(crate) id: Option<String>,
    /// A file with a rule, in JSON, TOML or YAML; `-` is standard input, in JSON
    #[arg(short, long)]
    pub(crate) file: Option<PathBuf>,
    /// Asks about these keys
    #[arg(long, value_delimiter = ',')]
    pub(crate) keys: Vec<String>,
    /// Asks about these calls, by number: 0..100
    #[arg(long = "calls", value_name = "FIRST..END")]
    pub(crate) ordinals: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct ApplyArgs {
    /// A file with rules, in JSON, TOML or YAML; `-` is standard input, in JSON
    #[arg(short, long)]
    pub(crate) file: PathBuf,
    /// Deletes the rules that the file does not have, and takes the order of the file
    #[arg(long)]
    pub(crate) prune: bool,
    /// Changes nothing, and shows the difference
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Changes nothing if the service warns of something
    #[arg(long)]
    pub(crate) strict: bool,
    /// Why, for the audit
    #[arg(long)]
    pub(crate) reason: Option<String>,
}

#[derive(Args, Debug)]
#[command(
    group = clap::ArgGroup::new("what").required(true).args(["short", "file"]),
    // `--for` is how long the rule lasts.
    mut_arg("ttl", |ttl| ttl.hide(true).conflicts_with("length"))
)]
pub(crate) struct TryArgs {
    #[command(flatten)]
    pub(crate) rule: RuleArgs,
    /// A file with rules in place of SITE=TERMS and its arguments
    #[arg(short, long, conflicts_with = "RuleArgs")]
    pub(crate) file: Option<PathBuf>,
    /// How long to try; the service ends the rule then, whatever becomes of this process
    #[arg(long = "for", value_name = "TIME")]
    pub(crate) length: humantime::Duration,
    /// Arms for this time, and extends it while this process lives: at least 3s
    #[arg(long, value_name = "TIME")]
    pub(crate) lease: Option<humantime::Duration>,
    /// Ends with code 7 when the service shows this: 'http.server errors>5%', 'p99>800ms'
    #[arg(long, value_name = "[SITE] BOUND")]
    pub(crate) until: Option<String>,
    /// A command to run meanwhile: the rule ends with it, and its exit code is that of this program
    #[arg(last = true)]
    pub(crate) command: Vec<String>,
}
