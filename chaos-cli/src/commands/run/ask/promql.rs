//! A probe that is a query to a Prometheus.

use chaos_core::WithCauses;
use chaos_gameday::{NumberBounds, PromqlQuery};
use prometheus_http_query::{Client, response::Data};
use serde_json::json;

use crate::commands::run::ask::ProbeAnswer;

/// How long a Prometheus may take for a query, in milliseconds.
const PATIENCE: i64 = 5_000;

pub(super) async fn ask(
    client: &reqwest::Client,
    query: &PromqlQuery,
    expect: &NumberBounds,
) -> ProbeAnswer {
    match fetch(client, query).await {
        Err(why) => ProbeAnswer::unanswered(why),
        // It holds neither way.
        Ok(number) if number.is_nan() => {
            ProbeAnswer::unanswered("the result is not a number (NaN)")
        }
        Ok(number) => {
            let unmet: Vec<_> = expect.unmet(number).into_iter().collect();
            ProbeAnswer::of(json!({ "value": number }), number, &unmet)
        }
    }
}

async fn fetch(client: &reqwest::Client, query: &PromqlQuery) -> Result<f64, String> {
    let client = Client::from(client.clone(), &query.url);
    let client = client.map_err(|error| format!("{:#}", WithCauses(&error)))?;
    let asked = client.query(&query.query).timeout(PATIENCE).get().await;
    let result = asked.map_err(|error| WithCauses(&error).to_string())?;
    match result.data() {
        Data::Scalar(sample) => Ok(sample.value()),
        Data::Vector(samples) => match &samples[..] {
            [one] => Ok(one.sample().value()),
            [] => Err("the query has no sample".to_owned()),
            several => Err(format!(
                "the query has {} samples; allowed: exactly one",
                several.len()
            )),
        },
        Data::Matrix(_) => Err("the query has a range of samples; allowed: one number".to_owned()),
    }
}
