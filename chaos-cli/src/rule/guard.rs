//! Guard rails in one line: `http.server errors<10%`, `p99<800ms`.

use serde_json::{Value, json};

use crate::failure::Failure;

const ALLOWED: &str = "[SITE] errors<10%, or [SITE] p99<800ms";

/// Reads a guard rail; without a site, it measures where the rule aims.
pub(crate) fn read(text: &str) -> Result<Value, Failure> {
    let refuse = |problem: String| Failure::usage(problem).at("--guard", ALLOWED);
    let Some((left, bound)) = text.split_once('<') else {
        return Err(refuse(format!("{text:?} has no `<`")));
    };
    let left: Vec<&str> = left.split_whitespace().collect();
    let (site, measure) = match left.as_slice() {
        [measure] => (None, *measure),
        [site, measure] => (Some(*site), *measure),
        _ => return Err(refuse(format!("{text:?} is no guard rail"))),
    };
    let bound = bound.trim();
    let mut guard = match measure {
        "errors" => {
            let percent = bound.strip_suffix('%').map(str::trim);
            let percent = percent.and_then(|number| number.parse::<f64>().ok());
            let ratio = percent.filter(|percent| (0.0..=100.0).contains(percent));
            let ratio = ratio.ok_or_else(|| refuse(format!("{bound:?} is no percentage")))?;
            json!({ "error_ratio": ratio / 100.0 })
        }
        quantile if quantile.starts_with('p') => json!({ "latency": { quantile: bound } }),
        other => return Err(refuse(format!("{other:?} is not measured"))),
    };
    if let Some(site) = site {
        guard["site"] = site.into();
    }
    Ok(guard)
}

/// Writes a guard rail as [`read`] reads it, if it has no more than that.
pub(crate) fn write(guard: &Value) -> Option<String> {
    let site = guard["site"].as_str().map(|site| format!("{site} "));
    let bound = match (guard["error_ratio"].as_f64(), guard["latency"].as_object()) {
        (Some(ratio), None) => format!("errors<{}%", ratio * 100.0),
        (None, Some(latency)) => {
            let (quantile, most) = latency.iter().next()?;
            format!("{quantile}<{}", most.as_str()?)
        }
        _ => return None,
    };
    Some(format!("{}{bound}", site.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guard_rails_are_read_and_written() {
        for (text, expected) in [
            (
                "http.server errors<10%",
                json!({ "site": "http.server", "error_ratio": 0.1 }),
            ),
            ("errors<2.5%", json!({ "error_ratio": 0.025 })),
            ("p99<800ms", json!({ "latency": { "p99": "800ms" } })),
            (
                "a.b p99.9<1s",
                json!({ "site": "a.b", "latency": { "p99.9": "1s" } }),
            ),
        ] {
            assert_eq!(read(text).unwrap(), expected);
            assert_eq!(write(&expected).unwrap(), text);
        }
        for text in [
            "",
            "errors",
            "errors<",
            "errors<10",
            "errors<101%",
            "a b c<1%",
            "x<1",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
