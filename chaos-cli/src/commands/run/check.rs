//! Whether a target would take an experiment. Nothing is changed.

use chaos_gameday::Experiment;
use serde_json::json;

use crate::{
    args::{Globals, experiment::TargetAccessArgs},
    commands::run::target::{self, RunTarget},
    failure::{Exit, Failure},
    fleet::Report,
    output::Output,
};

/// `experiment check`: asks whether the target would take the experiment.
pub(crate) async fn check(
    globals: &Globals,
    access: &TargetAccessArgs,
    out: &Output,
    experiment: &Experiment,
) -> Result<Report, Failure> {
    let target = RunTarget::open(globals, access, experiment)?;
    target
        .check(globals, out, experiment, &target::sites(experiment))
        .await?;
    let names = target.names();
    out.text(format_args!("{} would take it", names.join(", ")));
    let documents = names.into_iter();
    let documents = documents.map(|name| json!({ "endpoint": name, "result": "would_take" }));
    Ok(Report {
        exit: Exit::Done,
        documents: Some(documents.collect()),
    })
}
