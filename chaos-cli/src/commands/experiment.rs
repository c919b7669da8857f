//! `experiment`: what can be done with the file of an experiment without a run.

pub(super) mod file;

use serde_json::{Value, json};

use crate::{
    args::{
        Globals,
        experiment::{ExperimentArgs, ExperimentCommand},
    },
    commands::run::{check, report},
    failure::{Exit, Failure},
    fleet::Report,
    output::Output,
};

/// An experiment to begin with.
const TEMPLATE: &str = include_str!("experiment/template.yaml");

pub(super) async fn run(
    globals: &Globals,
    out: &Output,
    args: &ExperimentArgs,
) -> Result<Report, Failure> {
    match &args.command {
        ExperimentCommand::New { title } => {
            // A string of JSON is one of YAML, whatever is in it.
            out.print(
                TEMPLATE
                    .replace("TITLE", &json!(title).to_string())
                    .trim_end(),
            );
        }
        ExperimentCommand::Check {
            file,
            offline,
            access,
        } => {
            let experiment = file::experiment(file)?;
            if !offline {
                return check(globals, access, out, &experiment).await;
            }
            out.text("the file is fine; nobody was asked");
            out.json(&json!([{ "experiment": experiment.title }]));
        }
        ExperimentCommand::Export { file: path, .. } => {
            let experiment = file::experiment(path)?;
            let exported = chaos_gameday::chaos_toolkit(&experiment);
            out.print(pretty(
                &exported.map_err(|error| file::failed(path, &error))?,
            ));
        }
        ExperimentCommand::Report { journal, output } => {
            let journal = file::journal(journal)?;
            match output {
                Some(path) => {
                    report::write(path, &journal)?;
                    out.text(format_args!("written to {}", path.display()));
                }
                None => out.print(chaos_gameday::report_markdown(&journal).trim_end()),
            }
        }
        ExperimentCommand::Schema { journal } => {
            let schema = match journal {
                true => chaos_gameday::journal_schema(),
                false => chaos_gameday::experiment_schema(),
            };
            out.print(pretty(&schema));
        }
    }
    Ok(Report::printed(Exit::Done))
}

fn pretty(document: &Value) -> String {
    format!("{document:#}")
}
