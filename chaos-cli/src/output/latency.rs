//! What calls of a site do, in a line for people.

use serde_json::Value;

/// Returns `p99 38 ms left alone, 486 ms hit; errors 0.1 % left alone, 3.9 % in all; 42 calls/s, 2.8 hit, 3 held`.
pub(crate) fn latency(site: &Value) -> String {
    let (alone, injected) = (&site["alone"], &site["injected"]);
    if number(site, "calls") == 0.0 {
        return "no calls".to_owned();
    }
    let mut parts = Vec::new();
    let p99 = [(alone, "left alone"), (injected, "hit")].map(|(group, word)| {
        let seconds = group["p99"].as_f64()?;
        Some(format!("{} {word}", short(seconds)))
    });
    let p99: Vec<_> = p99.into_iter().flatten().collect();
    if !p99.is_empty() {
        parts.push(format!("p99 {}", p99.join(", ")));
    }
    let all = percent(number(site, "failed"), number(site, "calls"));
    // Of calls of plain code, a service knows how many there are, and not what becomes of them.
    let is_measured = !p99.is_empty() || number(site, "failed") > 0.0;
    if is_measured && number(injected, "calls") > 0.0 {
        let alone = percent(number(alone, "failed"), number(alone, "calls"));
        parts.push(format!("errors {alone} left alone, {all} in all"));
    } else if is_measured {
        parts.push(format!("errors {all}"));
    }
    let (calls, hit, held) = (number(site, "calls"), number(site, "hit"), &site["held"]);
    parts.push(format!("{calls:.1} calls/s, {hit:.1} hit, {held} held"));
    parts.join("; ")
}

/// Returns `p50 12 ms, p99 38 ms left alone`; of the calls that were hit, if none was left alone; nothing if the site
/// measures no calls, or has none.
pub(crate) fn quantiles(site: &Value) -> Option<String> {
    let mut groups = [("alone", "left alone"), ("injected", "hit")].into_iter();
    groups.find_map(|(group, word)| {
        let quantile = |name| Some(short(site[group][name].as_f64()?));
        let (p50, p99) = (quantile("p50")?, quantile("p99")?);
        Some(format!("p50 {p50}, p99 {p99} {word}"))
    })
}

/// Returns `p99 38 ms, hit 486 ms; errors 3.9 %`, for a narrow terminal.
#[cfg(feature = "watch")]
pub(crate) fn latency_in_short(site: &Value) -> String {
    let p99 = |group: &str| site[group]["p99"].as_f64().map(short);
    let errors = percent(number(site, "failed"), number(site, "calls"));
    match (p99("alone"), p99("injected")) {
        _ if number(site, "calls") == 0.0 => "no calls".to_owned(),
        (None, None) => format!("{:.1} calls/s", number(site, "calls")),
        (Some(alone), None) => format!("{alone}; errors {errors}"),
        (None, Some(hit)) => format!("hit {hit}; errors {errors}"),
        (Some(alone), Some(hit)) => format!("{alone}, hit {hit}; errors {errors}"),
    }
}

fn number(value: &Value, field: &str) -> f64 {
    value[field].as_f64().unwrap_or_default()
}

fn percent(part: f64, all: f64) -> String {
    match all > 0.0 {
        true => format!("{:.1} %", part / all * 100.0),
        false => "0.0 %".to_owned(),
    }
}

/// Returns a short time: `0.4 ms`, `38 ms`, `1.2 s`.
fn short(seconds: f64) -> String {
    match seconds * 1e3 {
        ms if ms < 10.0 => format!("{ms:.1} ms"),
        ms if ms < 1000.0 => format!("{ms:.0} ms"),
        ms => format!("{:.1} s", ms / 1e3),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_compares_calls_left_alone_with_those_hit() {
        let group = |calls: f64, failed: f64, p99: Value| json!({ "calls": calls, "failed": failed, "p99": p99 });
        let site = json!({
            "calls": 42.0, "hit": 2.8, "failed": 1.638, "held": 3,
            "alone": group(39.2, 0.0392, json!(0.0381)), "injected": group(2.8, 1.6, json!(0.486)),
        });
        let expected = "p99 38 ms left alone, 486 ms hit; errors 0.1 % left alone, 3.9 % in all; \
                        42.0 calls/s, 2.8 hit, 3 held";
        assert_eq!(latency(&site), expected);
        let idle = json!({
            "calls": 2.0, "hit": 0.0, "failed": 0.0, "held": 0,
            "alone": group(2.0, 0.0, json!(0.0004)), "injected": group(0.0, 0.0, Value::Null),
        });
        assert_eq!(
            latency(&idle),
            "p99 0.4 ms left alone; errors 0.0 %; 2.0 calls/s, 0.0 hit, 0 held"
        );
        let code = json!({ "calls": 2.0, "hit": 1.0, "failed": 0.0, "held": 0, "injected": { "calls": 1.0 } });
        assert_eq!(latency(&code), "2.0 calls/s, 1.0 hit, 0 held");
        assert_eq!(latency(&json!({ "calls": 0.0 })), "no calls");
        assert_eq!(short(1.24), "1.2 s");
    }

    #[test]
    fn quantiles_are_those_of_calls_left_alone_if_there_are_some() {
        let group = |p50: Value, p99: Value| json!({ "p50": p50, "p99": p99 });
        let none = || group(Value::Null, Value::Null);
        let (alone, hit) = (
            || group(json!(0.012), json!(0.038)),
            || group(json!(0.24), json!(0.486)),
        );
        for (alone, injected, expected) in [
            (alone(), hit(), Some("p50 12 ms, p99 38 ms left alone")),
            (none(), hit(), Some("p50 240 ms, p99 486 ms hit")),
            (none(), none(), None),
        ] {
            let site = json!({ "alone": alone, "injected": injected });
            assert_eq!(quantiles(&site).as_deref(), expected);
        }
    }

    #[cfg(feature = "watch")]
    #[test]
    fn a_narrow_line_has_the_same_numbers() {
        let group = |p99: Value| json!({ "p99": p99 });
        let site = |alone: Value, injected: Value| json!({ "calls": 10.0, "failed": 1.0, "alone": group(alone), "injected": group(injected) });
        for (site, expected) in [
            (
                site(json!(0.038), json!(0.486)),
                "38 ms, hit 486 ms; errors 10.0 %",
            ),
            (site(json!(0.038), Value::Null), "38 ms; errors 10.0 %"),
            (site(Value::Null, json!(0.486)), "hit 486 ms; errors 10.0 %"),
            (site(Value::Null, Value::Null), "10.0 calls/s"),
            (json!({}), "no calls"),
        ] {
            assert_eq!(latency_in_short(&site), expected);
        }
    }
}
