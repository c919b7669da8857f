//! Files that are read.

mod refused;

use std::time::Duration;

use chaos_core::Mode;

use super::*;

const WINDOW: &str = "window = { days = 'mon-fri', hours = '09:00-17:00', zone = 'Europe/Berlin' }";

/// A pick that is fine, with further fields or others in place of its own.
fn with(fields: &str) -> String {
    let mut lines = vec!["[[pick]]".to_owned()];
    for own in [
        "group_by = ['service', 'zone']",
        "fault = 'abort(exit)'",
        WINDOW,
    ] {
        let name = own.split(' ').next().unwrap();
        let names = fields.lines().filter_map(|line| line.split(' ').next());
        let replaces = |given: &str| given == name || (given, name) == ("rules", "fault");
        if !names.clone().any(replaces) {
            lines.push(own.to_owned());
        }
    }
    lines.extend(fields.lines().map(str::to_owned));
    lines.join("\n")
}

fn read(fields: &str) -> Pick {
    let text = with(fields);
    let picks = picks_from_toml(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
    picks.into_iter().next().unwrap()
}

#[test]
fn three_fields_are_enough() {
    let pick = read("");
    assert_eq!(pick.name(), "service-zone");
    assert_eq!(pick.group_by(), ["service", "zone"]);
    assert!(pick.labels().is_empty() && pick.holidays().is_empty());
    assert_eq!(pick.ttl(), Duration::from_secs(600));
    assert_eq!(pick.mean_time_between(), Duration::from_secs(16 * 3600));
    assert_eq!(pick.min_time_between(), Duration::from_secs(8 * 3600));
    assert_eq!(
        (pick.at_most(), pick.seed(), pick.probe()),
        (None, None, None)
    );
    assert_eq!((pick.probability(), pick.is_leashed()), (1.0, true));
    let [rule] = pick.rules() else {
        panic!("{:?}", pick.rules());
    };
    let rule = chaos_core::wire::rule_to_value(rule);
    let expected = serde_json::json!({
        "id": "service-zone.1", "site": "**", "enabled": true, "mode": "shadow", "final": true, "ttl": "10m",
        "faults": [{ "abort": "exit" }],
    });
    assert_eq!(rule, expected);
}

#[test]
fn every_field_is_read() {
    let pick = read(
        "name = 'shop'\nlabels = { service = 'shop', tier = '1' }\nttl = '90s'\nmean_time_between = '1d'\n\
         min_time_between = '2h 30m'\nat_most = 3\nprobability = 0.5\nleashed = false\n\
         probe = { url = 'http://shop:8080/health', status = 204 }\nseed = 9223372036854775807\n\
         window = { days = 'sat', zone = 'UTC', holidays = [2026-12-26, '2026-12-25'] }\n\
         fault = 'db.read=5%latency(200ms); db.write=status(503)'",
    );
    assert_eq!(pick.name(), "shop");
    assert_eq!(pick.labels()["tier"], "1");
    assert_eq!(pick.mean_time_between(), Duration::from_secs(24 * 3600));
    assert_eq!(pick.min_time_between(), Duration::from_secs(9000));
    assert_eq!(
        (pick.at_most(), pick.seed()),
        (Some(3), Some(i64::MAX as u64))
    );
    assert_eq!((pick.probability(), pick.is_leashed()), (0.5, false));
    let probe = pick.probe().unwrap();
    assert_eq!(
        probe.to_string(),
        "GET http://shop:8080/health is answered with 204"
    );
    assert_eq!((probe.url().path(), probe.status()), ("/health", 204));
    assert_eq!(
        (pick.window().days(), pick.window().hours()),
        ("sat", "00:00-24:00")
    );
    let holidays: Vec<_> = pick.holidays().iter().map(ToString::to_string).collect();
    assert_eq!(holidays, ["2026-12-25", "2026-12-26"]);
    let rules: Vec<_> = pick
        .rules()
        .iter()
        .map(chaos_core::wire::rule_to_value)
        .collect();
    assert_eq!(
        (&rules[0]["id"], &rules[1]["id"]),
        (&"shop.1".into(), &"shop.2".into())
    );
    assert_eq!(
        (&rules[0]["rate"], &rules[0]["ttl"]),
        (&0.05.into(), &"1m 30s".into())
    );
    assert_eq!(rules[0]["mode"], serde_json::Value::Null);
}

#[test]
fn rules_are_those_of_any_file() {
    let rules = "rules = [{ id = 'slow', site = 'db.*', faults = [{ latency = '200ms' }], rate = 0.5, \
                 match = { labels = { table = 'orders' } } }, { site = 'x', faults = [{ status = 503 }] }]";
    let pick = read(&format!(
        "{rules}\nttl = '5m'\nprobe = 'https://shop/health'"
    ));
    let read: Vec<_> = pick
        .rules()
        .iter()
        .map(chaos_core::wire::rule_to_value)
        .collect();
    assert_eq!(
        (&read[0]["id"], &read[1]["id"]),
        (&"slow".into(), &"service-zone.2".into())
    );
    assert_eq!(read[0]["match"]["labels"]["table"], "orders");
    let twin = chaos_core::wire::rule_from_json(
        br#"{"id": "service-zone.2", "site": "x", "faults": [{"status": 503}], "ttl": "5m"}"#,
        None,
    );
    assert_eq!(pick.rules()[1], twin.unwrap().mode(Mode::Shadow));
    assert_eq!(pick.probe().unwrap().status(), 200);
}

#[test]
fn every_field_is_in_the_docs() {
    let docs = include_str!("../../../docs/picker.md");
    let rows = docs.lines().filter_map(|line| line.strip_prefix("| `"));
    let rows: Vec<_> = rows.filter_map(|row| row.split('`').next()).collect();
    let known: Vec<_> = PICK.iter().map(|(name, _)| *name).collect();
    assert_eq!(rows, known);
}
