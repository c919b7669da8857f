//! `sites`: where faults may happen.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    args::look::SitesArgs,
    client::{
        Client,
        answer::{number, text},
        live::{Live, MOST_SITES},
    },
    failure::Failure,
    fleet::{Fleet, Report},
    output::{Output, table::table},
};

pub(in crate::commands) async fn run(fleet: &Fleet, out: &Output, args: &SitesArgs) -> Report {
    let several = fleet.clients.len() > 1;
    let lists = fleet
        .ask(async |client: &Client| {
            let body = client.get(&["v1", "sites"]).await?.with("sites")?.body;
            let sites = body["sites"].as_array().into_iter().flatten();
            let sites = sites.filter(|site| is_wanted(site, args)).cloned();
            let mut sites: Vec<Value> = sites.collect();
            if let Some(length) = args.seen {
                look(client, &mut sites, *length).await?;
            }
            Ok(json!({ "sites": sites }))
        })
        .await;
    fleet.report(out, lists, |name, list| {
        let sites = list["sites"].as_array().into_iter().flatten();
        let table = match args.seen {
            None => {
                let head = ["SITE", "KIND", "WHERE", "LABELS", "RULES"];
                table(&head, sites.map(row).collect(), "no such sites")
            }
            Some(_) => {
                let head = ["SITE", "METHODS", "ROUTES", "HOSTS", "LABELS"];
                let rows = sites
                    .map(seen_row)
                    .filter(|row| row[1..].iter().any(|it| !it.is_empty()));
                table(&head, rows.collect(), "no calls were seen")
            }
        };
        match several {
            true => format!("{name}\n{table}"),
            false => table,
        }
    })
}

/// Watches sites, and adds to each what its calls had.
async fn look(client: &Client, sites: &mut [Value], length: Duration) -> Result<(), Failure> {
    let names: Vec<_> = sites
        .iter()
        .map(|site| text(site, "name").to_owned())
        .collect();
    let watched = match names.len() {
        0 => return Ok(()),
        1..=MOST_SITES => names.clone(),
        _ => vec!["**".to_owned()],
    };
    // A port knows what was seen for as long as somebody watches.
    let mut live = Live::watch(client, &watched).await?;
    live.figures(length).await?;
    for (site, name) in sites.iter_mut().zip(&names) {
        let seen = client.get(&["v1", "sites", name, "seen"]).await?;
        site["seen"] = seen.with("methods")?.body;
    }
    Ok(())
}

fn is_wanted(site: &Value, args: &SitesArgs) -> bool {
    let name = text(site, "name");
    let by_name = args
        .pattern
        .as_deref()
        .is_none_or(|pattern| match pattern.contains('*') {
            true => matches(pattern, name),
            false => name.contains(pattern),
        });
    let by_file = args
        .file
        .as_deref()
        .is_none_or(|part| text(site, "file").contains(part));
    by_name && by_file
}

/// Returns whether a pattern matches a name, as in a rule: `*` is one part, `**` any number of parts.
fn matches(pattern: &str, name: &str) -> bool {
    fn parts(pattern: &[&str], name: &[&str]) -> bool {
        match (pattern, name) {
            ([], []) => true,
            (["**", rest @ ..], name) => {
                (0..=name.len()).any(|skipped| parts(rest, &name[skipped..]))
            }
            (["*", rest @ ..], [_, behind @ ..]) => parts(rest, behind),
            ([one, rest @ ..], [other, behind @ ..]) => one == other && parts(rest, behind),
            _ => false,
        }
    }
    let (pattern, name): (Vec<_>, Vec<_>) =
        (pattern.split('.').collect(), name.split('.').collect());
    parts(&pattern, &name)
}

fn listed(texts: &Value) -> String {
    let texts = texts.as_array().into_iter().flatten();
    let texts: Vec<_> = texts.filter_map(Value::as_str).collect();
    texts.join(", ")
}

fn seen_row(site: &Value) -> Vec<String> {
    let seen = ["methods", "paths", "hosts", "labels"].map(|field| listed(&site["seen"][field]));
    let name = text(site, "name").to_owned();
    [name].into_iter().chain(seen).collect()
}

fn row(site: &Value) -> Vec<String> {
    let place = match text(site, "file") {
        "" => String::new(),
        file => format!("{file}:{}", number(site, "line")),
    };
    vec![
        text(site, "name").to_owned(),
        text(site, "kind").to_owned(),
        place,
        listed(&site["labels"]),
        listed(&site["rules"]),
    ]
}
