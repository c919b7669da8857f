//! An experiment for Chaos Toolkit.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};

use crate::{
    error::ExperimentError,
    experiment::{
        Experiment, HttpExpect, HttpRequest, Phase, PhaseRule, Probe, Question, Stage, Target,
    },
};

/// How long a rule outlives its phase if nobody takes it back.
const GRACE: Duration = Duration::from_secs(5);

/// Returns the experiment as one of Chaos Toolkit, which `chaos validate` accepts and `chaos run` runs against the admin
/// port.
///
/// Its actions put the rules with what is left of their phase as `ttl`, so they end by themselves though Chaos Toolkit plays
/// no rollbacks after a failure. It takes an action for done whatever the port answers, so a rule that is refused would go
/// unnoticed. Each rule is therefore preceded by one with the same id that injects nothing, and a probe of the hypothesis asks
/// whether a rule with this id is there that has injected nothing. Only the rules of the last phase
/// that has rules are checked so.
///
/// What Chaos Toolkit has no means for is left out and named in the description: queries to Prometheus, sites, comparisons,
/// latencies, the estimate and the bounds that stop; and bodies, as it fails on an expression for one that is JSON, and needs
/// another package for JSON itself.
///
/// # Errors
/// Returns an error if the target is a fleet or a Unix socket, which Chaos Toolkit does not reach.
pub fn chaos_toolkit(experiment: &Experiment) -> Result<Value, ExperimentError> {
    let endpoints = endpoints(&experiment.target)?;
    let phases = &experiment.phases;
    let last = phases.iter().rev().find(|phase| !phase.rules.is_empty());
    let last: Vec<_> = last.iter().flat_map(|phase| &phase.rules).collect();
    let (mut probes, mut left_out) = (Vec::new(), Vec::new());
    for endpoint in &endpoints {
        let injected = last.iter().map(|rule| has_injected(endpoint, rule));
        probes.extend(injected);
    }
    let mut during = Vec::new();
    for probe in &experiment.hypothesis.probes {
        let Question::Http { request, expect } = &probe.question else {
            left_out.push(format!("the probe {:?}", probe.name));
            continue;
        };
        if expect.body.is_some() || expect.json.is_some() {
            left_out.push(format!("the body that {:?} expects", probe.name));
        }
        if expect.latency.is_some() {
            left_out.push(format!("the latency that {:?} expects", probe.name));
        }
        let asked = http_probe(probe, request, expect);
        if probe.ask.contains(&Stage::During) {
            during.push(asked.clone());
        }
        if probe.ask.iter().any(|stage| *stage != Stage::During) {
            probes.push(asked);
        }
    }
    if experiment.estimate.is_some() {
        left_out.push("the estimate".into());
    }
    left_out.push("the bounds that stop the experiment".into());
    let method = phases.iter();
    let method: Vec<_> = method
        .flat_map(|phase| steps(phase, &endpoints, &during))
        .collect();
    let ids: BTreeSet<_> = experiment.rules().map(PhaseRule::id).collect();
    let rollbacks = endpoints.iter().flat_map(|endpoint| {
        let delete = |id: &&str| {
            action(
                &format!("delete {id} at {endpoint}"),
                endpoint,
                id,
                "DELETE",
            )
        };
        ids.iter().map(delete).collect::<Vec<_>>()
    });
    let description = format!(
        "{}\n\nLeft out: {}.",
        experiment.description,
        left_out.join(", ")
    );
    Ok(json!({
        "version": "1.0.0",
        "title": experiment.title,
        "description": description.trim(),
        "tags": experiment.tags,
        "steady-state-hypothesis": { "title": experiment.hypothesis.title, "probes": probes },
        "method": method,
        "rollbacks": rollbacks.collect::<Vec<_>>(),
    }))
}

fn endpoints(target: &Target) -> Result<Vec<String>, ExperimentError> {
    let refuse = |problem| {
        let allowed = "endpoints with http:// or https://";
        Err(ExperimentError::new("target", problem, allowed))
    };
    let Target::Endpoints(endpoints) = target else {
        return refuse("Chaos Toolkit does not reach a fleet through etcd");
    };
    if endpoints
        .iter()
        .any(|endpoint| endpoint.starts_with("unix:"))
    {
        return refuse("Chaos Toolkit does not reach a Unix socket");
    }
    let trimmed = endpoints.iter();
    Ok(trimmed
        .map(|it| it.trim_end_matches('/').to_owned())
        .collect())
}

/// What is done in a phase.
fn steps(phase: &Phase, endpoints: &[String], during: &[Value]) -> Vec<Value> {
    let at_each = |name: &str, method: &'static str, body: &dyn Fn(&PhaseRule) -> Value| {
        let pairs = endpoints
            .iter()
            .flat_map(|endpoint| phase.rules.iter().map(move |rule| (endpoint, rule)));
        let steps = pairs.map(|(endpoint, rule)| {
            let id = rule.id();
            let mut step = action(&format!("{name} {id} at {endpoint}"), endpoint, id, method);
            step["provider"]["arguments"] = body(rule);
            step
        });
        steps.collect::<Vec<_>>()
    };
    let mut steps = at_each("make room for", "PUT", &|rule| {
        json!({
            "site": rule.rule().site().to_string(),
            "enabled": false,
            "ttl": rule.json_for(phase.length + GRACE)["ttl"],
            "faults": [{ "latency": "1ms" }],
        })
    });
    steps.extend(at_each("arm", "PUT", &|rule| {
        rule.json_for(phase.length + GRACE)
    }));
    if steps.is_empty() {
        let endpoint = &endpoints[0];
        steps.push(json!({
            "type": "probe",
            "name": format!("the rules at {endpoint} in a pause"),
            "provider": { "type": "http", "url": format!("{endpoint}/v1/rules") },
        }));
    }
    if let Some(Value::Object(last)) = steps.last_mut() {
        let pause = json!({ "after": phase.length.as_secs_f64() });
        last.insert("pauses".into(), pause);
    }
    steps.extend(during.iter().cloned());
    // Its counts stay.
    steps.extend(at_each(
        "disable",
        "PATCH",
        &|_| json!({ "enabled": false }),
    ));
    steps
}

/// An action on a rule. Chaos Toolkit sends JSON only if the header is spelt like this.
fn action(name: &str, endpoint: &str, id: &str, method: &str) -> Value {
    json!({
        "type": "action",
        "name": name,
        "provider": {
            "type": "http",
            "url": format!("{endpoint}/v1/rules/{id}"),
            "method": method,
            "headers": { "Content-Type": "application/json" },
            "timeout": 5,
        },
    })
}

/// Asks for the first injection of a rule. If there is no such rule, as before the method, the answer is 404 at once; if it
/// has injected something, 200 at once; if it has not, the port waits for longer than Chaos Toolkit does, which fails.
fn has_injected(endpoint: &str, rule: &PhaseRule) -> Value {
    let id = rule.id();
    json!({
        "type": "probe",
        "name": format!("{id} is not there at {endpoint}, or has injected something"),
        "tolerance": [200, 404],
        "provider": {
            "type": "http",
            "url": format!("{endpoint}/v1/rules/{id}/injections?at_least=1&within=5"),
            "timeout": 2,
        },
    })
}

/// Asks whether the status is that which is expected.
fn http_probe(probe: &Probe, request: &HttpRequest, expect: &HttpExpect) -> Value {
    let tolerance = match expect.status {
        Some(status) => json!(status),
        None => json!((200..400).collect::<Vec<_>>()),
    };
    let mut asked = json!({
        "type": "probe",
        "name": probe.name,
        "tolerance": tolerance,
        "provider": {
            "type": "http",
            "url": request.url,
            "method": request.method,
            "timeout": request.timeout.0.as_secs_f64(),
        },
    });
    if !request.headers.is_empty() {
        asked["provider"]["headers"] = json!(request.headers);
    }
    asked
}
