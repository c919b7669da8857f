//! `EnvoyHeaders`: the headers of Envoy's fault filter, as rules.

use std::{num::NonZeroU64, str::FromStr, time::Duration};

use chaos_core::{
    Direction, Fault, Latency, Rate, Rule, SiteGlob, Trigger,
    fault::{BytesFault, GrpcCode, GrpcStatus},
};
use http::{HeaderMap, HeaderValue};

/// The fault headers of a request.
pub(super) struct EnvoyHeaders<'h>(&'h HeaderMap);

/// The longest value that is read: that of a number with spaces around it.
const LONGEST_VALUE: usize = 32;

/// The headers of Envoy's fault filter.
const HEADERS: [&str; 7] = [
    "x-envoy-fault-abort-request",
    "x-envoy-fault-abort-grpc-request",
    "x-envoy-fault-abort-request-percentage",
    "x-envoy-fault-delay-request",
    "x-envoy-fault-delay-request-percentage",
    "x-envoy-fault-throughput-response",
    "x-envoy-fault-throughput-response-percentage",
];

impl<'h> EnvoyHeaders<'h> {
    /// Returns `None` if the request has none of them.
    pub(super) fn of(headers: &'h HeaderMap) -> Option<Self> {
        let asks = HEADERS.iter().any(|name| headers.contains_key(*name));
        asks.then_some(Self(headers))
    }

    /// Returns the values of all headers: equal for requests that ask for the same faults.
    pub(super) fn values(&self) -> Vec<u8> {
        let bytes = |name: &&str| value(self.0, name).map_or(&b""[..], HeaderValue::as_bytes);
        // A header value holds no line feed.
        let values = HEADERS.iter().map(bytes);
        values.flat_map(|value| [b"\n", value].concat()).collect()
    }

    /// Returns the rules for these headers at `site`. Invalid values are ignored, as in Envoy.
    pub(super) fn rules(&self, site: &SiteGlob) -> Vec<Rule> {
        envoy_rules(self.0, site)
    }
}

fn envoy_rules(headers: &HeaderMap, site: &SiteGlob) -> Vec<Rule> {
    let rule = |id: &str, percentage: &str, fault: Fault| {
        let percent = number::<u64>(headers, percentage).unwrap_or(100).min(100);
        let rate = Rate::new(percent as f64 / 100.0).ok()?;
        let id = id.parse().ok()?;
        Some(Rule::new(id, site.clone(), fault).trigger(Trigger::new().rate(rate)))
    };
    let delay = delay(headers).and_then(|fault| {
        rule(
            "envoy-delay",
            "x-envoy-fault-delay-request-percentage",
            fault,
        )
    });
    let throughput = throughput(headers).and_then(|fault| {
        let percentage = "x-envoy-fault-throughput-response-percentage";
        rule("envoy-throughput", percentage, fault)
    });
    let abort = abort(headers).and_then(|fault| {
        rule(
            "envoy-abort",
            "x-envoy-fault-abort-request-percentage",
            fault,
        )
    });
    // An abort ends the call, so it comes last.
    [delay, throughput, abort].into_iter().flatten().collect()
}

fn delay(headers: &HeaderMap) -> Option<Fault> {
    let millis = number(headers, "x-envoy-fault-delay-request").filter(|millis| *millis > 0)?;
    let latency = Latency::fixed(Duration::from_millis(millis)).ok()?;
    Some(Fault::latency(latency))
}

fn throughput(headers: &HeaderMap) -> Option<Fault> {
    let kib: NonZeroU64 = number(headers, "x-envoy-fault-throughput-response")?;
    let rate = kib.checked_mul(NonZeroU64::new(1024)?)?;
    Some(Fault::Body(BytesFault::throttle(rate), Direction::Response))
}

fn abort(headers: &HeaderMap) -> Option<Fault> {
    let status = number(headers, "x-envoy-fault-abort-request");
    if let Some(fault) = status.and_then(|status| Fault::status(status).ok()) {
        return Some(fault);
    }
    let code = number(headers, "x-envoy-fault-abort-grpc-request")?;
    let status = GrpcStatus::new(GrpcCode::new(code).ok()?, "fault filter abort");
    Some(Fault::grpc(status))
}

/// Returns the value of a header, unless it is too long for a number.
fn value<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h HeaderValue> {
    let value = headers.get(name)?;
    (value.len() <= LONGEST_VALUE).then_some(value)
}

fn number<N: FromStr>(headers: &HeaderMap, name: &str) -> Option<N> {
    value(headers, name)?.to_str().ok()?.trim().parse().ok()
}
