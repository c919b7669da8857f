//! Whether ports are ready for the rules of an experiment. Nothing is changed.

use serde_json::Value;

use crate::{
    client::{Client, answer::text},
    commands::run::target::ports::{Ports, in_use, is_left_over},
    failure::{Exit, Failure},
};

/// Asks each port whether it is not halted, has the sites, and has no rules of somebody else with the ids of these.
pub(super) async fn ask(ports: &Ports, rules: &[Value], sites: &[String]) -> Result<(), Failure> {
    let aimed = rules.iter().map(|rule| text(rule, "site").to_owned());
    let exact = aimed.filter(|site| !site.contains('*'));
    let named: Vec<String> = sites.iter().cloned().chain(exact).collect();
    let ask = async |client: &Client| {
        let status = client.get(&["v1", "status"]).await?.with("state")?.body;
        if status["state"] == "halted" {
            let halted = &status["halted"];
            let (by, reason) = (text(halted, "by"), text(halted, "reason"));
            let failure = Failure::new(Exit::Changed, format!("halted by {by}: {reason}"));
            return Err(failure.at("target", "one that is not halted: chaosctl resume"));
        }
        has_sites(client, &named).await?;
        for rule in rules {
            is_free(client, rule).await?;
        }
        Ok(())
    };
    ports.ask(ask).await.into_iter().collect()
}

async fn has_sites(client: &Client, named: &[String]) -> Result<(), Failure> {
    let answer = client.get(&["v1", "sites"]).await?.with("sites")?;
    let sites = answer.body["sites"].as_array().into_iter().flatten();
    let known: Vec<&str> = sites.map(|site| text(site, "name")).collect();
    let Some(unknown) = named.iter().find(|site| !known.contains(&site.as_str())) else {
        return Ok(());
    };
    let near = known
        .iter()
        .max_by(|a, b| {
            let likeness = |known: &str| strsim::jaro_winkler(unknown, known);
            likeness(a).total_cmp(&likeness(b))
        })
        .map_or_else(
            || "sites are known once calls have passed them".to_owned(),
            |near| format!("one that is there, such as {near}"),
        );
    let detail = format!("{} has no site {unknown:?}", client.name());
    Err(Failure::usage(detail).at("site", near))
}

/// Returns a failure if somebody else has a rule of this id.
async fn is_free(client: &Client, rule: &Value) -> Result<(), Failure> {
    let id = text(rule, "id");
    match client.get(&["v1", "rules", id]).await {
        Err(failure) if failure.status == Some(404) => Ok(()),
        Err(failure) => Err(failure),
        Ok(there) if is_left_over(&there.body, rule) => Ok(()),
        Ok(_) => Err(in_use(id)),
    }
}
