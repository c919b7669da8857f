//! A probe that is an HTTP request.

use std::{collections::HashMap, time::Duration};

use chaos_core::Clock;
use chaos_gameday::{HttpAnswer, HttpExpect, HttpRequest};
use reqwest::{Client, Method, header::HeaderMap};
use serde_json::json;
use tokio::time::timeout;

use crate::{client::causes, commands::run::ask::ProbeAnswer};

/// The longest body that is read.
const MAX_BYTES: usize = 1024 * 1024;

/// The longest part that is shown of a body that is not as expected. Others are not shown at all.
const SHOWN: usize = 200;

pub(super) async fn ask(
    client: &Client,
    request: &HttpRequest,
    expect: &HttpExpect,
) -> ProbeAnswer {
    let clock = Clock::monotonic();
    let fetched = timeout(request.timeout.0, fetch(client, request)).await;
    // Nobody reads nanoseconds.
    let latency = match clock.now() {
        long if long >= Duration::from_millis(10) => Duration::from_millis(long.as_millis() as u64),
        short => Duration::from_micros(short.as_micros() as u64),
    };
    match fetched {
        Err(_) => ProbeAnswer::unanswered(format!("no answer within {}", request.timeout)),
        Ok(Err(why)) => ProbeAnswer::unanswered(why),
        Ok(Ok((status, body))) => judge(status, &body, latency, expect),
    }
}

fn judge(status: u16, body: &str, latency: Duration, expect: &HttpExpect) -> ProbeAnswer {
    let unmet = expect.unmet(&HttpAnswer::new(status, body, latency));
    let mut output = json!({ "status": status, "seconds": latency.as_secs_f64() });
    if !unmet.is_empty() {
        let shown: String = body.chars().take(SHOWN).collect();
        output["body"] = shown.into();
    }
    ProbeAnswer::of(output, &unmet)
}

/// Sends the request, and reads the whole answer.
async fn fetch(client: &Client, request: &HttpRequest) -> Result<(u16, String), String> {
    let method: Method = (request.method.parse()).map_err(|_| "no such method".to_owned())?;
    let headers: HashMap<_, _> = request.headers.clone().into_iter().collect();
    let headers = HeaderMap::try_from(&headers);
    let headers = headers.map_err(|error| format!("the headers cannot be sent: {error}"))?;
    let sent = client.request(method, &request.url).headers(headers);
    let mut response = sent.send().await.map_err(|error| causes(&error))?;
    let mut bytes = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|error| causes(&error))? {
        bytes.extend_from_slice(&part);
        if bytes.len() > MAX_BYTES {
            return Err("the answer has more than 1 MiB".to_owned());
        }
    }
    let body = String::from_utf8_lossy(&bytes).into_owned();
    Ok((response.status().as_u16(), body))
}
