//! Files that are refused, by field.

use super::*;

#[test]
fn a_bad_value_is_refused_by_field_with_what_is_allowed() {
    let rule = |fields: &str| {
        format!("rules = [{{ site = 'a', faults = [{{ status = 503 }}], {fields} }}]")
    };
    let window = |fields: &str| format!("window = {{ days = 'mon', {fields} }}");
    let many = |text: &str, count| [text].repeat(count).join(", ");
    for (field, bad) in [
        ("name", "name = 1".to_owned()),
        ("name", "name = ''".to_owned()),
        ("name", "name = 'a/b'".to_owned()),
        ("name", format!("name = '{}'", "n".repeat(65))),
        ("name", "group_by = ['a/b']".to_owned()),
        ("group_by", "group_by = 'service'".to_owned()),
        ("group_by", "group_by = []".to_owned()),
        ("group_by", "group_by = ['a', 1]".to_owned()),
        ("group_by", "group_by = ['']".to_owned()),
        ("group_by", "group_by = ['a', 'a']".to_owned()),
        ("group_by", format!("group_by = [{}]", many("'a'", 9))),
        ("labels", "labels = ['service']".to_owned()),
        ("labels", "labels = { service = 1 }".to_owned()),
        (
            "labels",
            format!(
                "labels = {{ {} }}",
                (0..33)
                    .map(|n| format!("l{n} = 'x'"))
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        ),
        ("fault", "fault = 503".to_owned()),
        ("fault", "fault = ''".to_owned()),
        ("fault", "fault = 'statsu(503)'".to_owned()),
        ("fault", "fault = 'status(99)'".to_owned()),
        ("fault", "fault = 'off'".to_owned()),
        ("fault", "fault = 'a b=status(503)'".to_owned()),
        ("rules", "rules = []".to_owned()),
        ("rules", "rules = 'abort(exit)'".to_owned()),
        ("rules", "rules = []\nfault = 'status(503)'".to_owned()),
        (
            "rules",
            format!(
                "rules = [{}]",
                many("{ site = 'a', faults = [{ status = 503 }] }", 101)
            ),
        ),
        ("rules[0]", "rules = [1]".to_owned()),
        ("rules[0].faults", "rules = [{ site = 'a' }]".to_owned()),
        ("rules[0].rate", rule("rate = 7")),
        ("rules[0].rate", rule("rate = inf")),
        ("rules[0].more", rule("more = 1")),
        ("rules[0].ttl", rule("ttl = '1m'")),
        ("rules[0].mode", rule("mode = 'shadow'")),
        ("rules[0].reason", rule("reason = 2026-12-25")),
        (
            "rules[1].id",
            "rules = [{ id = 'x', site = 'a', faults = [{ status = 503 }] }, \
                         { id = 'x', site = 'b', faults = [{ status = 503 }] }]"
                .to_owned(),
        ),
        ("window", "window = 'mon-fri'".to_owned()),
        ("window", "window = {}".to_owned()),
        ("window", "window = { zone = 'UTC' }".to_owned()),
        ("window.days", "window = { days = 'weekdays' }".to_owned()),
        ("window.days", "window = { days = ['mon'] }".to_owned()),
        ("window.hours", window("hours = '9-17'")),
        ("window.hours", window("hours = 9")),
        ("window.zone", window("zone = 'Mars/Olympus'")),
        ("window.zone", window("zone = 1")),
        ("window.until", window("until = 'fri'")),
        ("window.holidays", window("holidays = '2026-12-25'")),
        ("window.holidays", window("holidays = ['25.12.2026']")),
        ("window.holidays", window("holidays = ['20261225']")),
        ("window.holidays", window("holidays = ['2026-02-30']")),
        (
            "window.holidays",
            window("holidays = [2026-12-25T10:00:00]"),
        ),
        ("window.holidays", window("holidays = [10:00:00]")),
        ("window.holidays", window("holidays = [1]")),
        (
            "window.holidays",
            window("holidays = [2026-12-25, '2026-12-25']"),
        ),
        (
            "window.holidays",
            window(&format!("holidays = [{}]", many("2026-12-25", 1001))),
        ),
        ("ttl", "ttl = 60".to_owned()),
        ("ttl", "ttl = 'soon'".to_owned()),
        ("ttl", "ttl = 'never'".to_owned()),
        ("ttl", "ttl = '0s'".to_owned()),
        ("ttl", "ttl = '25h'".to_owned()),
        ("mean_time_between", "mean_time_between = 16".to_owned()),
        (
            "mean_time_between",
            "mean_time_between = 'often'".to_owned(),
        ),
        ("mean_time_between", "mean_time_between = '59s'".to_owned()),
        (
            "mean_time_between",
            "mean_time_between = '2121h'".to_owned(),
        ),
        (
            "mean_time_between",
            "mean_time_between = '9999999999y'".to_owned(),
        ),
        (
            "mean_time_between",
            "window = { days = 'mon', hours = '00:00-00:10' }".to_owned(),
        ),
        ("min_time_between", "min_time_between = true".to_owned()),
        ("min_time_between", "min_time_between = '-1s'".to_owned()),
        ("min_time_between", "min_time_between = '16h'".to_owned()),
        (
            "min_time_between",
            "mean_time_between = '1h'\nmin_time_between = '2h'".to_owned(),
        ),
        ("at_most", "at_most = '1'".to_owned()),
        ("at_most", "at_most = 0".to_owned()),
        ("at_most", "at_most = -1".to_owned()),
        ("at_most", "at_most = 1001".to_owned()),
        ("at_most", "at_most = 1.5".to_owned()),
        ("probability", "probability = '50%'".to_owned()),
        ("probability", "probability = 0".to_owned()),
        ("probability", "probability = 1.1".to_owned()),
        ("probability", "probability = nan".to_owned()),
        ("leashed", "leashed = 'no'".to_owned()),
        ("probe", "probe = 200".to_owned()),
        ("probe", "probe = 'shop:8080'".to_owned()),
        ("probe", "probe = 'ftp://shop/health'".to_owned()),
        ("probe", "probe = '/health'".to_owned()),
        ("probe", "probe = { url = 'x y' }".to_owned()),
        ("probe.url", "probe = {}".to_owned()),
        ("probe.url", "probe = { url = 1 }".to_owned()),
        (
            "probe.status",
            "probe = { url = 'http://shop/', status = 99 }".to_owned(),
        ),
        (
            "probe.status",
            "probe = { url = 'http://shop/', status = '200' }".to_owned(),
        ),
        (
            "probe.method",
            "probe = { url = 'http://shop/', method = 'GET' }".to_owned(),
        ),
        ("webhooks", "webhooks = 'http://chat/'".to_owned()),
        ("webhooks", "webhooks = [1]".to_owned()),
        ("webhooks", "webhooks = ['chat']".to_owned()),
        (
            "webhooks",
            format!("webhooks = [{}]", "'http://chat/',".repeat(17)),
        ),
        ("seed", "seed = -1".to_owned()),
        ("seed", "seed = 'x'".to_owned()),
        ("seed", "seed = 1.0".to_owned()),
        ("seeds", "seeds = 1".to_owned()),
    ] {
        let text = with(&bad);
        let error = picks_from_toml(&text)
            .map(|picks| picks.len())
            .expect_err(&text);
        let (place, at) = error.field().split_once("].").unwrap_or_default();
        assert_eq!(at, field, "{bad}: {error}");
        assert!(
            !error.allowed().is_empty() && !error.problem().is_empty(),
            "{bad}: {error}"
        );
        let name = place.trim_start_matches("pick[");
        assert!(
            name == "0" || text.contains(&format!("name = '{name}'")),
            "{bad}: {error}"
        );
        assert_eq!(error.to_string().lines().count(), 1);
    }
}

/// Each field of a pick is in the table above, with another type than its own.
#[test]
fn every_field_is_refused_with_another_type() {
    for (name, allowed) in PICK {
        let wrong = match *name {
            "leashed" => "'yes'",
            _ => "true",
        };
        let error = picks_from_toml(&with(&format!("{name} = {wrong}")))
            .map(|_| ())
            .expect_err(name);
        assert_eq!(
            (error.field(), error.allowed()),
            (&*format!("pick[0].{name}"), *allowed),
            "{error}"
        );
    }
}

#[test]
fn a_file_that_is_no_list_of_picks_is_refused() {
    let two = format!("{}\n{}", with(""), with(""));
    for (text, field, problem) in [
        ("", "pick", "no list of picks"),
        ("pick = 1", "pick", "no list of picks"),
        ("pick = []", "pick", "0 picks"),
        ("pick = [1]", "pick[0]", "not a table"),
        ("picks = []", "picks", "unknown field"),
        ("[[pick]]", "pick[0].group_by", "the field is missing"),
        (
            "[[pick]]\nname = 'x'\ngroup_by = ['a']",
            "pick[x].fault",
            "the field is missing",
        ),
        (
            "[[pick]]\ngroup_by = ['a']\nfault = 'status(503)'",
            "pick[0].window",
            "the field is missing",
        ),
        ("[[pick]]\nname = 'a'\nname = 'b'", "", "line 3: "),
        ("{}", "", "line 1: "),
        (&two, "pick[1].name", "two picks are named \"service-zone\""),
    ] {
        let error = picks_from_toml(text).map(|_| ()).expect_err(text);
        assert_eq!(error.field(), field, "{text}: {error}");
        assert!(error.problem().starts_with(problem), "{text}: {error}");
        assert!(!error.allowed().is_empty(), "{text}: {error}");
    }
    let many = format!("pick = [{}]", ["{}"].repeat(1001).join(", "));
    let error = picks_from_toml(&many).map(|_| ()).unwrap_err();
    assert_eq!((error.field(), error.problem()), ("pick", "1001 picks"));
}

#[test]
fn an_error_is_a_line_with_all_that_is_needed() {
    let error = picks_from_toml(&with(
        "name = 'night'\nwindow = { days = 'mon', zone = 'Mars/Olympus' }",
    ));
    let expected = "pick[night].window.zone: \"Mars/Olympus\" is not a time zone; allowed: a time zone such as \
                    \"Europe/Berlin\" (a name of the IANA database), or \"UTC\"";
    assert_eq!(error.map(|_| ()).unwrap_err().to_string(), expected);
}
