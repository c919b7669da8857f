//! `help`: of a command, and of the faults.

use chaos_core::wire;
use clap::CommandFactory;
use serde_json::{Value, json};

use crate::{
    args::{Cli, own::HelpArgs},
    failure::{Exit, Failure},
    fleet::Report,
    output::{Output, table::table},
    rule::as_short,
};

/// Fields of a fault that are none by themselves.
const BESIDE: [&str; 3] = ["when", "after", "on"];

pub(crate) fn run(args: &HelpArgs, out: &Output) -> Result<Report, Failure> {
    let topic: Vec<_> = args.topic.iter().map(String::as_str).collect();
    match topic.as_slice() {
        ["faults"] => out.print(faults()),
        ["faults", name] => out.print(fault(name)?),
        path => {
            let mut command = Cli::command();
            command.build();
            for name in path {
                let found = command.find_subcommand(name).cloned();
                command = found.ok_or_else(|| {
                    let failure = Failure::usage(format!("there is no command {name}"));
                    failure.at("COMMAND", "one that `chaosctl help` lists, or faults")
                })?;
            }
            out.print(command.render_long_help());
        }
    }
    Ok(Report::printed(Exit::Done))
}

/// Returns the fields that are faults, each with its description.
fn described(schema: &Value) -> impl Iterator<Item = (&String, &str)> {
    let fields = schema["properties"].as_object().into_iter().flatten();
    let faults = fields.filter(|(name, _)| !BESIDE.contains(&name.as_str()));
    faults.map(|(name, field)| (name, field["description"].as_str().unwrap_or_default()))
}

fn schema() -> Value {
    wire::schema()["$defs"]["Fault"].take()
}

fn faults() -> String {
    let schema = schema();
    let rows = described(&schema).map(|(name, does)| vec![name.clone(), does.to_owned()]);
    table(&["FAULT", "DOES"], rows.collect(), "no faults")
}

fn fault(name: &str) -> Result<String, Failure> {
    let schema = schema();
    let Some((_, does)) = described(&schema).find(|(known, _)| *known == name) else {
        let known: Vec<_> = described(&schema)
            .map(|(known, _)| known.as_str())
            .collect();
        let failure = Failure::usage(format!("there is no fault {name}"));
        return Err(failure.at("NAME", known.join(", ")));
    };
    let mut lines = vec![format!("{name}: {does}"), String::new()];
    let examples = schema["examples"].as_array().into_iter().flatten();
    let mut examples: Vec<_> = examples.filter(|fault| !fault[name].is_null()).collect();
    examples.dedup();
    for example in examples {
        lines.push(format!("  in JSON   {example}"));
        // What stands beside a fault has no place in the short form.
        if example.as_object().is_some_and(|fields| fields.len() == 1) {
            let short = as_short::term(&json!({ "faults": [example] }));
            lines.push(format!("  in short  {short}"));
        }
    }
    Ok(lines.join("\n"))
}
