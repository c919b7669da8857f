//! The arguments of the commands that change or stop what there is.

use clap::Args;

#[derive(Args, Debug)]
pub(crate) struct IdsArgs {
    /// The ids of the rules
    #[arg(required = true, value_name = "ID")]
    pub(crate) ids: Vec<String>,
    /// Why, for the audit
    #[arg(long)]
    pub(crate) reason: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct RemoveArgs {
    /// The ids of the rules
    #[arg(
        required_unless_present = "all",
        conflicts_with = "all",
        value_name = "ID"
    )]
    pub(crate) ids: Vec<String>,
    /// Deletes all rules
    #[arg(long)]
    pub(crate) all: bool,
    /// Why, for the audit
    #[arg(long)]
    pub(crate) reason: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct ExtendArgs {
    /// The id of the rule
    pub(crate) id: String,
    /// How much longer the rule lasts, such as 5m
    pub(crate) by: String,
    /// Why, for the audit
    #[arg(long)]
    pub(crate) reason: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct ReleaseArgs {
    /// The id of the rule
    pub(crate) id: String,
}

#[derive(Args, Debug)]
pub(crate) struct UndoArgs {
    /// The id of the audit entry
    pub(crate) entry: Option<u64>,
    /// Why, for the audit
    #[arg(long)]
    pub(crate) reason: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct HaltArgs {
    /// Why; it may be left out
    pub(crate) reason: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct ReasonArgs {
    /// Why
    #[arg(required = true)]
    pub(crate) reason: Vec<String>,
}
