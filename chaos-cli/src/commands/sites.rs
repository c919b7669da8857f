//! `sites`: where faults may happen.

use serde_json::{Value, json};

use crate::{
    args::look::SitesArgs,
    client::{
        Client,
        answer::{number, text},
    },
    fleet::{Fleet, Report},
    output::{Output, table::table},
};

pub(super) async fn run(fleet: &Fleet, out: &Output, args: &SitesArgs) -> Report {
    let several = fleet.clients.len() > 1;
    let lists = fleet
        .ask(async |client: &Client| {
            let body = client.get(&["v1", "sites"]).await?.with("sites")?.body;
            let sites = body["sites"].as_array().into_iter().flatten();
            let sites: Vec<_> = sites.filter(|site| is_wanted(site, args)).collect();
            Ok(json!({ "sites": sites }))
        })
        .await;
    fleet.report(out, lists, |name, list| {
        let sites = list["sites"].as_array().into_iter().flatten();
        let head = ["SITE", "KIND", "WHERE", "LABELS", "RULES"];
        let table = table(&head, sites.map(row).collect(), "no such sites");
        match several {
            true => format!("{name}\n{table}"),
            false => table,
        }
    })
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

fn row(site: &Value) -> Vec<String> {
    let listed = |field: &str| {
        let list = site[field].as_array().into_iter().flatten();
        let texts: Vec<_> = list.filter_map(Value::as_str).collect();
        texts.join(", ")
    };
    let place = match text(site, "file") {
        "" => String::new(),
        file => format!("{file}:{}", number(site, "line")),
    };
    vec![
        text(site, "name").to_owned(),
        text(site, "kind").to_owned(),
        place,
        listed("labels"),
        listed("rules"),
    ]
}
