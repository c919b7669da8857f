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

/// Returns the names of the faults, each with its description.
fn described(schema: &Value) -> Vec<(&str, &str)> {
    let definitions = &schema["$defs"];
    let fields = definitions["Fault"]["properties"].as_object();
    let fields = fields.into_iter().flatten();
    let faults = fields.filter(|(name, _)| !BESIDE.contains(&name.as_str()));
    let described = faults.map(|(name, field)| {
        let own = field["description"].as_str();
        let referred = || {
            let definition = field["$ref"].as_str()?.strip_prefix("#/$defs/")?;
            definitions[definition]["description"].as_str()
        };
        (name.as_str(), own.or_else(referred).unwrap_or_default())
    });
    described.collect()
}

fn faults() -> String {
    let schema = wire::schema();
    let rows = described(&schema).into_iter().map(|(name, does)| {
        let first = does.split_once(". ").map_or(does, |(first, _)| first);
        vec![name.to_owned(), first.trim_end_matches('.').to_owned()]
    });
    table(&["FAULT", "DOES"], rows.collect(), "no faults")
}

fn fault(name: &str) -> Result<String, Failure> {
    let schema = wire::schema();
    let all = described(&schema);
    let Some((_, does)) = all.iter().find(|(known, _)| *known == name) else {
        let known: Vec<_> = all.iter().map(|(known, _)| *known).collect();
        let failure = Failure::usage(format!("there is no fault {name}"));
        return Err(failure.at("NAME", known.join(", ")));
    };
    let mut lines = vec![format!("{name}: {does}"), String::new()];
    let examples = schema["$defs"]["Fault"]["examples"]
        .as_array()
        .into_iter()
        .flatten();
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
