//! `context`: named sets of endpoints.

use std::path::Path;

use serde_json::json;

use crate::{
    args::{
        Globals,
        own::{ContextArgs, ContextCommand},
    },
    client::address::Address,
    config::contexts::Contexts,
    failure::{Exit, Failure},
    fleet::Report,
    output::{Output, table::table},
};

pub(crate) fn run(globals: &Globals, args: &ContextArgs, out: &Output) -> Result<Report, Failure> {
    let contexts = Contexts::read()?;
    match &args.command {
        ContextCommand::Ls => list(&contexts, out),
        ContextCommand::Use { name } => {
            contexts.use_context(name)?;
            out.text(format_args!("context {name} is in use"));
            Ok(done(json!({ "context": name })))
        }
        ContextCommand::Set { name, production } => {
            let table = table_of(globals, *production)?;
            contexts.add(name, &table)?;
            out.text(format_args!(
                "added context {name}; use it: chaosctl context use {name}"
            ));
            Ok(done(json!({ "context": name })))
        }
    }
}

fn done(document: serde_json::Value) -> Report {
    Report {
        exit: Exit::Done,
        documents: Some(vec![document]),
    }
}

fn list(contexts: &Contexts, out: &Output) -> Result<Report, Failure> {
    let in_use = contexts.in_use.clone()?;
    let is_used = |name: &str| in_use.as_deref() == Some(name);
    let rows = contexts.all.iter().map(|(name, context)| {
        vec![
            if is_used(name) { "*" } else { "" }.to_owned(),
            name.clone(),
            context.endpoints.join(", "),
            if context.production { "production" } else { "" }.to_owned(),
        ]
    });
    out.text(table(
        &["", "CONTEXT", "ENDPOINTS", ""],
        rows.collect(),
        "no contexts",
    ));
    let documents = contexts.all.iter().map(|(name, context)| {
        json!({
            "context": name,
            "in_use": is_used(name),
            "endpoints": context.endpoints,
            "production": context.production,
        })
    });
    Ok(Report {
        exit: Exit::Done,
        documents: Some(documents.collect()),
    })
}

/// Returns the entry for the endpoints and files of the command line.
fn table_of(globals: &Globals, production: bool) -> Result<toml::Table, Failure> {
    if globals.endpoints.is_empty() {
        let failure = Failure::usage("no endpoint is named");
        return Err(failure.at("-e", "at least one endpoint"));
    }
    for endpoint in &globals.endpoints {
        endpoint.parse::<Address>()?;
    }
    let mut table = toml::Table::new();
    table.insert("endpoints".to_owned(), globals.endpoints.clone().into());
    for (name, path) in [
        ("token_file", &globals.token_file),
        ("ca", &globals.ca),
        ("cert", &globals.cert),
        ("cert_key", &globals.cert_key),
    ] {
        if let Some(path) = path {
            table.insert(name.to_owned(), absolute(path)?.into());
        }
    }
    if production {
        table.insert("production".to_owned(), true.into());
    }
    Ok(table)
}

/// Returns a path that means the same in every folder.
fn absolute(path: &Path) -> Result<String, Failure> {
    let absolute = std::path::absolute(path);
    let absolute = absolute.map_err(|error| crate::config::unreadable(path, &error))?;
    Ok(absolute.display().to_string())
}
