//! `context`: named sets of endpoints, with a fleet.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::{
    args::{
        Globals,
        own::{ContextArgs, ContextCommand, ContextSetArgs},
    },
    client::address::Address,
    config::contexts::{Context, Contexts},
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
        ContextCommand::Set(args) => {
            let name = &args.name;
            let fleet = fleet_of(globals, args)?;
            let table = table_of(globals, args.production, fleet.is_some())?;
            contexts.add(name, &table, fleet.as_ref())?;
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
    let fleet = |context: &Context| context.fleet.as_ref().map(|fleet| unnamed(&fleet.url));
    let endpoints = |context: &Context| -> Vec<_> {
        let endpoints = context.endpoints.iter();
        endpoints.map(|endpoint| listed(endpoint)).collect()
    };
    let rows = contexts.all.iter().map(|(name, context)| {
        vec![
            if is_used(name) { "*" } else { "" }.to_owned(),
            name.clone(),
            endpoints(context).join(", "),
            fleet(context).unwrap_or_default(),
            if context.production { "production" } else { "" }.to_owned(),
        ]
    });
    out.text(table(
        &["", "CONTEXT", "ENDPOINTS", "FLEET", ""],
        rows.collect(),
        "no contexts",
    ));
    let documents = contexts.all.iter().map(|(name, context)| {
        json!({
            "context": name,
            "in_use": is_used(name),
            "endpoints": endpoints(context),
            "fleet": fleet(context),
            "production": context.production,
        })
    });
    Ok(Report {
        exit: Exit::Done,
        documents: Some(documents.collect()),
    })
}

/// Returns an endpoint, unless commands refuse it: it may then hold a password.
fn listed(endpoint: &str) -> String {
    let is_fine = endpoint.parse::<Address>().is_ok();
    if is_fine { endpoint } else { "***" }.to_owned()
}

/// Returns the address of a fleet without a name and a password, with which the commands of a fleet refuse it.
fn unnamed(fleet: &str) -> String {
    match fleet.rsplit_once('@') {
        Some((_, rest)) => format!("***@{rest}"),
        None => fleet.to_owned(),
    }
}

/// Returns the entry for the endpoints and files of the command line.
fn table_of(globals: &Globals, production: bool, has_fleet: bool) -> Result<toml::Table, Failure> {
    if globals.endpoints.is_empty() && !has_fleet {
        let failure = Failure::usage("no endpoint is named");
        let allowed = match cfg!(feature = "fleet") {
            true => "at least one endpoint, or --fleet",
            false => "at least one endpoint",
        };
        return Err(failure.at("-e", allowed));
    }
    for endpoint in &globals.endpoints {
        endpoint.parse::<Address>()?;
    }
    let mut table = toml::Table::new();
    if !globals.endpoints.is_empty() {
        table.insert("endpoints".to_owned(), globals.endpoints.clone().into());
    }
    let files = [
        ("token_file", &globals.token_file),
        ("ca", &globals.ca),
        ("cert", &globals.cert),
        ("cert_key", &globals.cert_key),
    ];
    insert_files(&mut table, &files)?;
    if production {
        table.insert("production".to_owned(), true.into());
    }
    Ok(table)
}

/// Returns the entry for the fleet of the command line. What `fleet` would refuse is refused here.
#[cfg(feature = "fleet")]
fn fleet_of(globals: &Globals, args: &ContextSetArgs) -> Result<Option<toml::Table>, Failure> {
    let fleet = &args.fleet;
    let Some(url) = &fleet.fleet else {
        return Ok(None);
    };
    crate::config::etcd::target(globals, &fleet.access())?;
    let mut table = toml::Table::new();
    table.insert("url".to_owned(), url.clone().into());
    if let Some(user) = &fleet.user {
        table.insert("user".to_owned(), user.clone().into());
    }
    let files = [
        ("password_file", &fleet.password_file),
        ("key_file", &fleet.key_file),
    ];
    insert_files(&mut table, &files)?;
    if fleet.trust_the_store {
        table.insert("trust_the_store".to_owned(), true.into());
    }
    Ok(Some(table))
}

#[cfg(not(feature = "fleet"))]
fn fleet_of(_: &Globals, _: &ContextSetArgs) -> Result<Option<toml::Table>, Failure> {
    Ok(None)
}

fn insert_files(
    table: &mut toml::Table,
    files: &[(&str, &Option<PathBuf>)],
) -> Result<(), Failure> {
    for (name, path) in files {
        if let Some(path) = path {
            table.insert((*name).to_owned(), absolute(path)?.into());
        }
    }
    Ok(())
}

/// Returns a path that means the same in every folder.
fn absolute(path: &Path) -> Result<String, Failure> {
    let absolute = std::path::absolute(path);
    let absolute = absolute.map_err(|error| crate::config::unreadable(path, &error))?;
    Ok(absolute.display().to_string())
}
