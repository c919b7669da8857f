//! The live frames of a port: what calls of watched sites do, a second at a time.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::{sleep, timeout};

use crate::{
    client::{
        Client, answer::text, event_stream::EventStream, request::Request, rule_list::has_ended,
    },
    failure::Failure,
};

/// The most sites and patterns that a port takes at a time.
pub(crate) const MOST_SITES: usize = 25;

/// A stream of frames. The port counts at the sites for as long as it is open.
pub(crate) struct Live(EventStream);

impl Live {
    /// Begins to watch sites: names, or patterns such as `db.*`.
    pub(crate) async fn watch(client: &Client, sites: &[String]) -> Result<Self, Failure> {
        let request = Request::get(&["v1", "live"]);
        let request = sites
            .iter()
            .take(MOST_SITES)
            .fold(request, |request, site| request.query("watch", site));
        Ok(Self(EventStream::open(client, request).await?))
    }

    /// Returns the next frame; `None` at the end of the stream. The first ones are those of the last minutes, if
    /// somebody watched then. Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<Option<Value>, Failure> {
        while let Some(event) = self.0.next().await? {
            if event.name == "frame" {
                return Ok(Some(event.json()));
            }
        }
        Ok(None)
    }

    /// Watches for some time, and returns what the sites have done meanwhile, by name.
    pub(crate) async fn figures(
        &mut self,
        length: Duration,
    ) -> Result<Map<String, Value>, Failure> {
        let mut frames = Vec::new();
        let read = async {
            while let Some(frame) = self.next().await? {
                frames.push(frame);
            }
            // The stream has ended early: what is known is all there is.
            sleep(length).await;
            Ok(())
        };
        match timeout(length, read).await {
            Ok(Err(failure)) => Err(failure),
            Ok(Ok(())) | Err(_) => Ok(figures(&frames, length)),
        }
    }
}

/// Returns what each site has done in the last frames: the means of the numbers, and the latest latencies.
fn figures(frames: &[Value], length: Duration) -> Map<String, Value> {
    let most = usize::try_from(length.as_secs()).unwrap_or(usize::MAX);
    let last = &frames[frames.len().saturating_sub(most.max(1))..];
    let mut all: Map<String, Value> = Map::new();
    for (name, site) in last
        .iter()
        .flat_map(|frame| frame["sites"].as_object())
        .flatten()
    {
        let sum = all.entry(name).or_insert_with(|| json!({ "frames": 0 }));
        sum["frames"] = (number(sum, "frames") + 1.0).into();
        add(sum, site, &["calls", "hit", "failed"]);
        sum["held"] = site["held"].clone();
        for group in ["alone", "injected"] {
            if sum[group].is_null() {
                sum[group] = json!({});
            }
            add(&mut sum[group], &site[group], &["calls", "failed"]);
            for quantile in ["p50", "p90", "p99"] {
                if !site[group][quantile].is_null() || sum[group][quantile].is_null() {
                    sum[group][quantile] = site[group][quantile].clone();
                }
            }
        }
    }
    for site in all.values_mut() {
        let frames = number(site, "frames");
        let fields = site.as_object_mut();
        fields.map(|fields| fields.remove("frames"));
        for name in ["calls", "hit", "failed"] {
            site[name] = (number(site, name) / frames).into();
        }
        for group in ["alone", "injected"] {
            for name in ["calls", "failed"] {
                site[group][name] = (number(&site[group], name) / frames).into();
            }
        }
    }
    all
}

fn add(sum: &mut Value, site: &Value, names: &[&str]) {
    for name in names {
        sum[name] = (number(sum, name) + number(site, name)).into();
    }
}

/// Returns the number of a field, or 0.
pub(crate) fn number(value: &Value, field: &str) -> f64 {
    value[field].as_f64().unwrap_or_default()
}

/// Returns the sites that show whether it hurts: those of rules in force, and the layers.
pub(crate) async fn sites_that_matter(
    client: &Client,
    rules: &[Value],
) -> Result<Vec<String>, Failure> {
    let mut all = sites_of(rules);
    let answer = client.get(&["v1", "sites"]).await?.with("sites")?;
    let sites = answer.body["sites"].as_array().into_iter().flatten();
    let layers = sites.filter(|site| site["kind"] == "layer");
    for name in layers.map(|site| text(site, "name")) {
        if all.len() < MOST_SITES && all.iter().all(|known| known != name) {
            all.push(name.to_owned());
        }
    }
    Ok(all)
}

/// Returns the sites at which rules may hurt: those that rules in force aim at or measure.
pub(crate) fn sites_of(rules: &[Value]) -> Vec<String> {
    let mut sites: Vec<String> = Vec::new();
    let in_force = rules
        .iter()
        .filter(|rule| rule["enabled"] != false && !has_ended(rule));
    for rule in in_force {
        let guards = rule["guards"].as_array().into_iter().flatten();
        for part in guards.chain([rule]) {
            let site = text(part, "site");
            if !site.is_empty() && sites.iter().all(|known| known != site) {
                sites.push(site.to_owned());
            }
        }
    }
    sites
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(calls: f64, failed: f64, p99: Value) -> Value {
        let alone = json!({ "calls": calls, "failed": failed, "p50": p99, "p90": p99, "p99": p99 });
        let injected =
            json!({ "calls": 0.0, "failed": 0.0, "p50": null, "p90": null, "p99": null });
        json!({ "sites": { "a": {
            "calls": calls, "hit": 0.0, "failed": failed, "held": 1, "alone": alone, "injected": injected,
        } } })
    }

    #[test]
    fn figures_are_those_of_the_last_seconds() {
        let old = frame(1000.0, 1000.0, json!(9.0));
        let first = json!({ "sites": {} });
        let frames = [
            old,
            first,
            frame(10.0, 1.0, json!(0.2)),
            frame(20.0, 0.0, Value::Null),
        ];
        let figures = figures(&frames, Duration::from_secs(3));
        let site = &figures["a"];
        assert_eq!((number(site, "calls"), number(site, "failed")), (15.0, 0.5));
        assert_eq!(site["alone"]["p99"], 0.2);
        assert_eq!(site["injected"]["p99"], Value::Null);
        assert_eq!((&site["held"], &site["frames"]), (&json!(1), &Value::Null));
        assert!(super::figures(&[], Duration::from_secs(3)).is_empty());
    }

    #[test]
    fn a_rule_that_is_over_is_not_watched() {
        let rules = [
            json!({ "site": "a", "guards": [{ "site": "b" }, { "error_ratio": 0.1 }], "stats": { "expires_in": 1.0 } }),
            json!({ "site": "a", "stats": { "expires_in": null } }),
            json!({ "site": "c", "enabled": false }),
            json!({ "site": "d", "stats": { "expires_in": 0.0 } }),
        ];
        assert_eq!(sites_of(&rules), ["b", "a"]);
    }
}
