//! Whether ports are ready for the rules of an experiment. Nothing is changed.

use chaos_gameday::Experiment;
use serde_json::Value;

use crate::{
    client::{Client, answer::text},
    commands::run::target::ports::{Ports, in_use},
    failure::{Exit, Failure},
};

/// Asks each port whether it is not halted, has the sites, counts failures where the experiment asks for them, and has no
/// rules of somebody else with the ids of these.
pub(super) async fn ask(
    ports: &Ports,
    experiment: &Experiment,
    rules: &[Value],
) -> Result<(), Failure> {
    let aimed = rules.iter().map(|rule| text(rule, "site"));
    let exact: Vec<_> = aimed.filter(|site| !site.contains('*')).collect();
    let counted = counted(experiment);
    let ask = async |client: &Client| {
        let status = client.get(&["v1", "status"]).await?.with("state")?.body;
        if status["state"] == "halted" {
            let halted = &status["halted"];
            let (by, reason) = (text(halted, "by"), text(halted, "reason"));
            let failure = Failure::new(Exit::Changed, format!("halted by {by}: {reason}"));
            return Err(failure.at("target", "one that is not halted: chaosctl resume"));
        }
        let answer = client.get(&["v1", "sites"]).await?.with("sites")?;
        let known = answer.body["sites"].as_array();
        let known = known.map_or(&[][..], Vec::as_slice);
        for (field, site) in &counted {
            has_site(client, known, field, site)?;
            counts_failures(client, known, field, site)?;
        }
        for site in &exact {
            has_site(client, known, "site", site)?;
        }
        for rule in rules {
            is_free(ports, client, rule).await?;
        }
        Ok(())
    };
    ports.ask(ask).await.into_iter().collect()
}

/// Returns the fields that name the sites whose calls are counted, with these sites.
fn counted(experiment: &Experiment) -> Vec<(String, &str)> {
    let probes = experiment.hypothesis.probes.iter().enumerate();
    let asked = probes.filter_map(|(n, probe)| {
        let field = format!("hypothesis.probes[{n}].site");
        Some((field, probe.question.site()?))
    });
    let bound = experiment.stop.worse_than_control.as_ref();
    let bound = bound.map(|bound| ("stop.worse_than_control.site".to_owned(), &*bound.site));
    asked.chain(bound).collect()
}

fn has_site(client: &Client, known: &[Value], field: &str, site: &str) -> Result<(), Failure> {
    let names = known.iter().map(|known| text(known, "name"));
    if names.clone().any(|name| name == site) {
        return Ok(());
    }
    let near = names
        .max_by(|a, b| {
            let likeness = |known: &str| strsim::jaro_winkler(site, known);
            likeness(a).total_cmp(&likeness(b))
        })
        .map_or_else(
            || "sites are known once calls have passed them".to_owned(),
            |near| format!("one that is there, such as {near}"),
        );
    let detail = format!("{} has no site {site:?}", client.name());
    Err(Failure::usage(detail).at(field, near))
}

/// Refuses a site in code, which does not see how calls end, and one of connections.
fn counts_failures(
    client: &Client,
    known: &[Value],
    field: &str,
    site: &str,
) -> Result<(), Failure> {
    let mut named = known.iter().filter(|known| text(known, "name") == site);
    let Some(other) = named.find(|known| text(known, "kind") != "layer") else {
        return Ok(());
    };
    let kind = text(other, "kind");
    let name = client.name();
    let detail = format!("{name} counts no failures at {site:?}, a site of the kind {kind:?}");
    Err(Failure::usage(detail).at(field, "the site of a layer, which sees how calls end"))
}

/// Returns a failure if somebody else has a rule of this id.
async fn is_free(ports: &Ports, client: &Client, rule: &Value) -> Result<(), Failure> {
    let id = text(rule, "id");
    match client.get(&["v1", "rules", id]).await {
        Err(failure) if failure.status == Some(404) => Ok(()),
        Err(failure) => Err(failure),
        Ok(there) if ports.is_left_over(&there.body) => Ok(()),
        Ok(_) => Err(in_use(id)),
    }
}
