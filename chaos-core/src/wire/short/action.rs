//! The actions of the short form: each name becomes a fault in JSON.

use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::grammar::{TermAction, excerpt};
use crate::{error::RuleError, wire::fault::io_kind};

const NAMES: &str = "off, return, sleep, panic, print, pause, yield, delay, or one of latency, \
                     status, grpc, error, value, abort, hang, block, body, headers, burn, custom, \
                     one_of";

/// An argument as it was written.
enum Argument {
    /// One or several words without quotes.
    Plain(String),
    Quoted(String),
    /// The JSON text of a list or an object.
    Json(String),
}

/// Returns the fault as JSON text, and the rule's reason if the action gives one.
pub(super) fn fault(action: &TermAction<'_>) -> Result<(String, Option<String>), RuleError> {
    use Argument::{Json, Plain, Quoted};
    let refuse =
        |problem: &str, allowed: &str| Err(RuleError::new(excerpt(action.text), problem, allowed));
    let name = action.name;
    let argument = argument(action)?;
    let one = |name: &str, value: Value| named(name, &value.to_string());
    let fault = match (name, argument) {
        ("return" | "value", None) => one("value", Value::Null),
        ("return" | "value", Some(Plain(text))) => {
            // A number or a word of JSON; any other text is itself.
            let value = serde_json::from_str(&text);
            one("value", value.unwrap_or_else(|_| text.into()))
        }
        ("return" | "value", Some(Quoted(text))) => one("value", text.into()),
        ("return" | "value", Some(Json(json))) => named("value", &json),

        ("sleep", Some(Plain(time) | Quoted(time))) => one("latency", in_ms(time).into()),
        ("delay", Some(Plain(time) | Quoted(time))) => one("block", in_ms(time).into()),
        ("sleep" | "delay", _) => {
            return refuse(
                "the argument is not a time",
                "milliseconds or a duration, as in sleep(50) or sleep(1s)",
            );
        }
        // A wait of no time would not yield the thread at all.
        ("yield", None) => one("latency", "1ns".into()),
        ("yield", Some(_)) => return refuse("the action takes no argument", "`yield` alone"),
        ("panic", said @ (None | Some(Plain(_) | Quoted(_)))) => {
            return Ok((one("abort", "panic".into()), said.map(text)));
        }
        ("panic", Some(Json(_))) => {
            return refuse(
                "the argument is not a text",
                "`panic`, or a text in parentheses",
            );
        }
        ("print", said @ (None | Some(Plain(_) | Quoted(_)))) => {
            let message = said.map(text).unwrap_or_default();
            one("custom", json!({ "name": "print", "message": message }))
        }
        ("print", Some(Json(_))) => {
            return refuse(
                "the argument is not a text",
                "`print`, or a text in parentheses",
            );
        }
        // The longest time that is allowed; the end of the rule ends the wait, too.
        ("pause", None) => one("pause", json!({ "max": "24h" })),
        ("pause", Some(Plain(max) | Quoted(max))) => one("pause", json!({ "max": max })),

        ("error", Some(Plain(text) | Quoted(text))) => match io_kind::from_name(&text) {
            Some(_) => one("error", json!({ "kind": text })),
            None => one("error", text.into()),
        },
        ("latency" | "status" | "grpc", Some(Plain(text))) => {
            let number = text.parse::<u64>().map(Value::from);
            one(name, number.unwrap_or_else(|_| text.into()))
        }
        ("latency" | "status" | "grpc", Some(Quoted(text))) => one(name, text.into()),
        ("abort" | "hang" | "block", Some(Plain(text) | Quoted(text))) => one(name, text.into()),
        (
            "latency" | "status" | "grpc" | "error" | "abort" | "pause" | "body" | "headers"
            | "burn" | "custom" | "one_of",
            Some(Json(json)),
        ) => named(name, &json),
        ("body" | "headers" | "burn" | "custom" | "one_of", _) => {
            let allowed = "what JSON has there, as in body({\"throttle\":\"10KiB/s\"})";
            return refuse("the argument is neither a list nor an object", allowed);
        }
        ("latency" | "status" | "grpc" | "error" | "abort" | "hang" | "block", _) => {
            let allowed = "an argument, as in latency(200ms), status(503), grpc(UNAVAILABLE), \
                           error(connection_reset), abort(reset), hang(30s), block(50ms)";
            return refuse("the action does not take this argument", allowed);
        }
        ("break", _) => return refuse("there is no debugger to break into", NAMES),
        _ => return refuse("the action is unknown", NAMES),
    };
    Ok((fault, None))
}

fn argument(action: &TermAction<'_>) -> Result<Option<Argument>, RuleError> {
    let refuse = |error: serde_json::Error, allowed: &str| {
        // The position counts from the start of the argument, and would mislead.
        let error = error.to_string();
        let problem = error.split(" at line ").next().unwrap_or(&error);
        RuleError::new(excerpt(action.text), problem, allowed)
    };
    match action.argument {
        None | Some("") => Ok(None),
        Some(text) if text.starts_with('"') => serde_json::from_str(text)
            .map(|text| Some(Argument::Quoted(text)))
            .map_err(|error| refuse(error, "one text in quotes, written as in JSON")),
        Some(text) if text.starts_with(['{', '[']) => serde_json::from_str::<IgnoredAny>(text)
            .map(|_| Some(Argument::Json(text.to_owned())))
            .map_err(|error| refuse(error, "JSON, where an argument starts with `{` or `[`")),
        Some(text) => Ok(Some(Argument::Plain(text.to_owned()))),
    }
}

fn text(argument: Argument) -> String {
    match argument {
        Argument::Plain(text) | Argument::Quoted(text) | Argument::Json(text) => text,
    }
}

fn named(name: &str, json: &str) -> String {
    format!("{{\"{name}\":{json}}}")
}

/// Adds the unit `ms` to a plain number, which counts milliseconds in failpoints.
fn in_ms(time: String) -> String {
    let is_number = !time.is_empty() && time.bytes().all(|b| b.is_ascii_digit());
    if is_number { format!("{time}ms") } else { time }
}
