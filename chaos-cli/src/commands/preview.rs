//! `preview`: which calls or keys a rule would hit.

use serde_json::{Value, json};

use crate::{
    args::aim::PreviewArgs,
    client::{Client, request::Request},
    failure::Failure,
    fleet::{Fleet, Report},
    output::Output,
    rule::file,
};

pub(super) async fn run(
    fleet: &Fleet,
    out: &Output,
    args: &PreviewArgs,
) -> Result<Report, Failure> {
    let mut question = json!({ "rule": rule(args)? });
    match &args.ordinals {
        Some(range) => question["ordinals"] = ordinals(range)?,
        None => question["keys"] = json!(args.keys),
    }
    let hits = fleet
        .ask(async |client: &Client| {
            let request = Request::post(&["v1", "preview"], question.clone());
            Ok(client.send(request).await?.with("hits")?.body)
        })
        .await;
    let several = fleet.clients.len() > 1;
    for hits in hits.iter().flatten() {
        out.warnings(hits);
    }
    Ok(fleet.report(out, hits, |name, body| {
        let hits = body["hits"].as_object().into_iter().flatten();
        let hits = hits.flat_map(|(_, list)| list.as_array().into_iter().flatten());
        let hits: Vec<_> = hits.map(plain).collect();
        let hits = match hits.is_empty() {
            true => "would hit none of them".to_owned(),
            false => format!("would hit {}", hits.join(", ")),
        };
        match several {
            true => format!("{name}  {hits}"),
            false => hits,
        }
    }))
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => chaos_core::OneLine(text).to_string(),
        other => other.to_string(),
    }
}

/// Returns the id of a rule, or the rule of the file.
fn rule(args: &PreviewArgs) -> Result<Value, Failure> {
    let Some(path) = &args.file else {
        return Ok(json!(args.id));
    };
    let rules = file::rules(path)?;
    let mut wanted = rules.into_iter().filter(|rule| {
        let id = args.id.as_deref();
        id.is_none_or(|id| rule["id"] == id)
    });
    match (wanted.next(), wanted.next()) {
        (Some(rule), None) => Ok(rule),
        (None, _) => Err(Failure::usage("the file has no such rule").at("ID", "that of a rule")),
        _ => Err(Failure::usage("the file has several rules").at("ID", "that of one of them")),
    }
}

/// Reads `0..100`.
fn ordinals(range: &str) -> Result<Value, Failure> {
    let bounds = range.split_once("..");
    let bounds = bounds.and_then(|(first, end)| {
        Some([first.trim().parse::<u64>().ok()?, end.trim().parse().ok()?])
    });
    bounds.map(|bounds| json!(bounds)).ok_or_else(|| {
        Failure::usage(format!("{range:?} is no range")).at("--calls", "FIRST..END, such as 0..100")
    })
}
