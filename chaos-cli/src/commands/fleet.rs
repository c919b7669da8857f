//! `fleet`: one fault on the whole fleet, through etcd.

mod apply;
pub(super) mod ending;
mod hold;
mod lines;

use std::path::Path;

use chaos_fleet::{Document, FleetError};
use serde_json::{Value, json};

use crate::{
    args::{
        Globals,
        fleet::{FleetArgs, FleetCommand},
    },
    config::etcd::{self, Target},
    failure::{Exit, Failure},
    fleet::Report,
    output::Output,
    rule::file,
};

pub(super) async fn run(
    globals: &Globals,
    args: &FleetArgs,
    out: &Output,
) -> Result<Report, Failure> {
    let target = etcd::target(globals, &args.access)?;
    match &args.command {
        FleetCommand::Status => status(&target, out).await,
        FleetCommand::Apply(args) => apply::run(&target, out, args).await,
        FleetCommand::Rm { document } => remove(&target, out, document).await,
        FleetCommand::Halt(args) => halt(&target, out, &args.reason.join(" ")).await,
        FleetCommand::Resume => resume(&target, out).await,
        FleetCommand::Replicas => replicas(&target, out).await,
        FleetCommand::Preview { file } => preview(&target, out, file).await,
    }
}

/// Returns a report with the object of the fleet.
fn report(target: &Target, exit: Exit, fields: Value) -> Report {
    let mut document = json!({ "fleet": target.fleet });
    if let (Some(document), Value::Object(fields)) = (document.as_object_mut(), fields) {
        document.extend(fields);
    }
    Report {
        exit,
        documents: Some(vec![document]),
    }
}

fn failed(error: FleetError) -> Failure {
    Failure::of_fleet(&error)
}

/// Reads the document of a file.
fn document(path: &Path) -> Result<Document, Failure> {
    let value = file::document(path, "a document: name, rules, ttl, and maybe aim")?;
    Document::from_value(value).map_err(|refusal| Failure::of_refusal(&refusal))
}

async fn status(target: &Target, out: &Output) -> Result<Report, Failure> {
    let status = target.operator().status().await.map_err(failed)?;
    out.text(lines::status(&status));
    Ok(report(target, Exit::Done, json!(status)))
}

async fn replicas(target: &Target, out: &Output) -> Result<Report, Failure> {
    let replicas = target.operator().replicas().await.map_err(failed)?;
    out.text(lines::replicas(&replicas));
    Ok(report(target, Exit::Done, json!({ "replicas": replicas })))
}

async fn preview(target: &Target, out: &Output, file: &Path) -> Result<Report, Failure> {
    let document = document(file)?;
    let operator = target.operator();
    let preview = operator.preview(document.aim(), document.name());
    let preview = preview.await.map_err(failed)?;
    out.text(lines::preview(document.name(), &preview));
    let fields =
        json!({ "document": document.name(), "meant": preview.meant, "others": preview.others });
    Ok(report(target, Exit::Done, fields))
}

async fn remove(target: &Target, out: &Output, document: &str) -> Result<Report, Failure> {
    let name = document.parse();
    let name = name.map_err(|refusal| Failure::of_refusal(&refusal))?;
    target.announce(out);
    match target.operator().remove(&name).await.map_err(failed)? {
        true => {
            out.text(format_args!("removed {name}"));
            Ok(report(target, Exit::Done, json!({ "removed": name })))
        }
        false => {
            let failure = Failure::new(Exit::Refused, format!("there is no document {name}"));
            Err(failure.at("NAME", "one that `chaosctl fleet status` shows"))
        }
    }
}

async fn halt(target: &Target, out: &Output, reason: &str) -> Result<Report, Failure> {
    // An operator in a hurry has none.
    let reason = match reason.trim() {
        "" => "none given",
        reason => reason,
    };
    let halted = target.operator().halt(&target.by, Some(reason)).await;
    halted.map_err(failed)?;
    target.announce(out);
    out.text(format_args!("{}  halted", target.fleet));
    let fields = json!({ "halt": { "by": target.by, "reason": reason } });
    Ok(report(target, Exit::Done, fields))
}

async fn resume(target: &Target, out: &Output) -> Result<Report, Failure> {
    target.confirm(out, &format!("resume the fleet {}", target.fleet))?;
    let was_halted = target.operator().resume().await.map_err(failed)?;
    let told = match was_halted {
        true => "resumed",
        false => "was not halted",
    };
    out.text(format_args!("{}  {told}", target.fleet));
    Ok(report(target, Exit::Done, json!({ "resumed": was_halted })))
}
