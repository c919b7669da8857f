//! The JSON of an audit entry, which the port, the audit file, the event streams and the webhooks
//! share.

use std::{sync::Arc, time::SystemTime};

use chaos_core::{
    Rule, RuleId,
    audit::{BeforeAndAfter, Entry},
    wire,
};
use jiff::Timestamp;
use serde_json::{Value, json};

/// Returns the JSON of an entry with all of its changes.
pub(crate) fn entry(entry: &Entry) -> Value {
    let changes = entry.changes();
    of_changes(entry, &changes)
}

/// Returns the JSON of an entry with the given `changes`, which may be a part of its own.
pub(crate) fn of_changes(entry: &Entry, changes: &[BeforeAndAfter]) -> Value {
    let changes: Vec<Value> = changes
        .iter()
        .map(|(before, after)| {
            let rule = after.as_ref().or(before.as_ref()).map(|rule| rule.id());
            json!({
                "rule": rule.map(RuleId::as_str),
                "before": before.as_ref().map(written),
                "after": after.as_ref().map(written),
            })
        })
        .collect();
    json!({
        "id": entry.id,
        "at": time(entry.at),
        "actor": entry.actor.name(),
        "address": entry.actor.address(),
        "action": entry.action.as_str(),
        "what": entry.what.as_deref(),
        "reason": entry.actor.reason(),
        "generation": entry.generation,
        "changes": changes,
    })
}

/// Returns the JSON of a rule, as a client would write it.
fn written(rule: &Arc<Rule>) -> Value {
    wire::rule_to_value(rule)
}

/// Formats a time by RFC 3339, in UTC with milliseconds. A time outside of the calendar's range is
/// formatted as the start of 1970.
pub(crate) fn time(at: SystemTime) -> String {
    let at = Timestamp::try_from(at).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{at:.3}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chaos_core::{Fault, Injector, audit::Actor};

    use super::*;

    #[test]
    fn an_entry_has_all_its_fields_always() {
        let injector = Injector::new();
        let rule = |fault| Rule::new("a".parse().unwrap(), "db.read".parse().unwrap(), fault);
        injector.put(rule(Fault::error("x")));
        injector.put(rule(Fault::error("y")));
        injector
            .as_actor(Actor::new("alice").at("[::1]:7"))
            .refuse("no");
        let entries = injector.audit().after(0).entries;
        let [made, changed, refused] = entries.as_slice() else {
            panic!("{entries:?}")
        };
        let made = entry(made);
        assert_eq!(made["changes"][0]["before"], Value::Null);
        assert_eq!(
            made["changes"][0]["after"]["faults"],
            json!([{ "error": "x" }])
        );
        assert_eq!(
            entry(changed)["changes"][0]["before"],
            made["changes"][0]["after"]
        );
        let mut refused = entry(refused);
        let at = refused.as_object_mut().unwrap().remove("at").unwrap();
        assert!(at.as_str().unwrap().ends_with('Z'), "{at}");
        let expected = json!({
            "id": 3, "actor": "alice", "address": "[::1]:7", "action": "refuse", "what": "no",
            "reason": null, "generation": 2, "changes": [],
        });
        assert_eq!(refused, expected);
    }

    #[test]
    fn any_time_can_be_written() {
        let epoch = SystemTime::UNIX_EPOCH;
        for (at, expected) in [
            (
                epoch + Duration::from_millis(1_600_000_000_007),
                "2020-09-13T12:26:40.007Z",
            ),
            (epoch - Duration::from_secs(1), "1969-12-31T23:59:59.000Z"),
            (
                epoch + Duration::from_secs(1 << 60),
                "1970-01-01T00:00:00.000Z",
            ),
        ] {
            assert_eq!(time(at), expected);
        }
    }
}
