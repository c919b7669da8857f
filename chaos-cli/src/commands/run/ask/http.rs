//! A probe that is an HTTP request.

use std::{collections::HashMap, time::Duration};

use chaos_gameday::{HttpAnswer, HttpExpect, HttpRequest};
use reqwest::{Client, Method, RequestBuilder, header::HeaderMap};
use serde_json::json;

use crate::{
    client::outside::{self, Answered},
    commands::run::ask::ProbeAnswer,
};

/// The longest part that is shown of a body that is not as expected. Others are not shown at all.
const SHOWN: usize = 200;

pub(super) async fn ask(
    client: &Client,
    request: &HttpRequest,
    expect: &HttpExpect,
) -> ProbeAnswer {
    let asked = async { outside::ask(written(client, request)?, request.timeout.0).await };
    match asked.await {
        Ok(answered) => judge(&answered, expect),
        Err(why) => ProbeAnswer::unanswered(why),
    }
}

fn judge(answered: &Answered, expect: &HttpExpect) -> ProbeAnswer {
    let Answered { status, body, .. } = answered;
    // Nobody reads nanoseconds.
    let latency = match answered.latency {
        long if long >= Duration::from_millis(10) => Duration::from_millis(long.as_millis() as u64),
        short => Duration::from_micros(short.as_micros() as u64),
    };
    let unmet = expect.unmet(&HttpAnswer::new(*status, body, latency));
    let seconds = latency.as_secs_f64();
    let mut output = json!({ "status": status, "seconds": seconds });
    if !unmet.is_empty() {
        let shown: String = body.chars().take(SHOWN).collect();
        output["body"] = shown.into();
    }
    ProbeAnswer::of(output, seconds, &unmet)
}

fn written(client: &Client, request: &HttpRequest) -> Result<RequestBuilder, String> {
    let method: Method = (request.method.parse()).map_err(|_| "no such method".to_owned())?;
    let headers: HashMap<_, _> = request.headers.clone().into_iter().collect();
    let headers = HeaderMap::try_from(&headers);
    let headers = headers.map_err(|error| format!("the headers cannot be sent: {error}"))?;
    Ok(client.request(method, &request.url).headers(headers))
}
