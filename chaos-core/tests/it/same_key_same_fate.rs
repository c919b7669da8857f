//! Calls with the same key are decided the same way: in any order, on any thread, in any process.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    net::{IpAddr, Ipv6Addr},
    process::Command,
    thread,
};

use chaos_core::{
    Call, Fault, Injector, Label, Mode, Rate, Rule, Site, Trigger, wire::rule_from_value,
};
use http::{HeaderMap, Method, Uri};
use rand::{SeedableRng, seq::SliceRandom};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::{Value, json};

/// What a call is made of.
#[derive(Default)]
struct Request {
    uri: Uri,
    headers: HeaderMap,
    labels: Vec<Label<'static>>,
    peer: Option<IpAddr>,
}

impl Request {
    fn to(uri: &str) -> Self {
        let uri = uri.parse().unwrap();
        Self {
            uri,
            ..Self::default()
        }
    }

    fn with(name: &'static str, value: &str) -> Self {
        let headers = [(name.parse().unwrap(), value.parse().unwrap())];
        let headers = headers.into_iter().collect();
        Self {
            headers,
            ..Self::default()
        }
    }

    fn is_hit_at(&self, site: &Site) -> bool {
        let peer = || self.peer;
        let call = Call::http(&Method::GET, &self.uri, &self.headers);
        let call = call.labels(&self.labels).lazy_facts(&peer);
        site.decide(&call).is_some()
    }
}

fn rule(id: &str, mut trigger: Value) -> Rule {
    trigger["site"] = "fate".into();
    trigger["faults"] = json!([{"error": "x"}]);
    rule_from_value(trigger, Some(id)).unwrap()
}

fn by_user(id: &str, rate: f64, seed: u64) -> Rule {
    rule(
        id,
        json!({"key": "header:x-user", "rate": rate, "seed": seed}),
    )
}

fn with(rule: Rule) -> (Injector, &'static Site) {
    let injector = Injector::new();
    injector.put(rule);
    let site = injector.site("fate");
    (injector, site)
}

fn users() -> Vec<String> {
    (0..10_000).map(|n| format!("user-{n}")).collect()
}

type Hits = BTreeSet<String>;

fn hits<'u>(rule: Rule, users: impl IntoIterator<Item = &'u String>) -> Hits {
    let (_injector, site) = with(rule);
    let is_hit = |user: &&String| Request::with("x-user", user).is_hit_at(site);
    users.into_iter().filter(is_hit).cloned().collect()
}

fn in_order() -> Hits {
    hits(by_user("r", 0.1, 42), &users())
}

/// How many users a rule in shadow would hit, and not only how many calls.
#[test]
fn distinct_keys_are_counted_in_shadow_too() {
    for mode in [Mode::Inject, Mode::Shadow] {
        let injector = Injector::new();
        let half = Trigger::new().key("label:user".parse().unwrap());
        let half = half.rate(Rate::new(0.5).unwrap());
        let (id, site) = ("r".parse().unwrap(), "keys.counted".parse().unwrap());
        let rule = Rule::new(id, site, Fault::error("x")).trigger(half);
        injector.put(rule.mode(mode));
        let keys = || injector.counts("r").unwrap().keys;
        assert_eq!(keys(), Some(0));
        let users: Vec<_> = (0..40).map(|user| format!("user-{user}")).collect();
        for user in users.iter().cycle().take(200) {
            let labels = [("user", user.as_str().into())];
            let site = injector.site("keys.counted");
            let decision = site.decide(&Call::new().labels(&labels));
            let is_hit = decision.is_some_and(|mut decision| decision.next_plan().is_some());
            assert!(!is_hit || mode == Mode::Inject);
        }
        let rules = injector.rules();
        let preview = rules.rules()[0].preview().unwrap();
        let hit = users.iter().filter(|user| preview.hits_key(user)).count();
        assert_eq!(keys(), Some(hit as u64), "{mode:?}");
        assert!((1..40).contains(&hit));
    }
    let injector = Injector::new();
    let rule = Rule::new(
        "r".parse().unwrap(),
        "s".parse().unwrap(),
        Fault::error("x"),
    );
    injector.put(rule);
    assert_eq!(injector.counts("r").unwrap().keys, None);
}

#[test]
fn whatever_the_order() {
    let mut users = users();
    let expected = in_order();
    assert!(expected.len().abs_diff(1000) < 120, "{}", expected.len());
    for seed in 0..3 {
        users.shuffle(&mut Xoshiro256PlusPlus::seed_from_u64(seed));
        assert_eq!(hits(by_user("r", 0.1, 42), &users), expected);
    }
    // Calls of others in between, and the same calls again, change nothing.
    let few = users.iter().step_by(7).chain(users.iter().step_by(11));
    let expected: Hits = few
        .clone()
        .filter(|u| expected.contains(*u))
        .cloned()
        .collect();
    assert_eq!(hits(by_user("r", 0.1, 42), few), expected);
}

#[test]
fn over_eight_threads() {
    let (users, (injector, site)) = (&users(), with(by_user("r", 0.1, 42)));
    let is_hit = |user: &&String| Request::with("x-user", user).is_hit_at(site);
    let found: Hits = thread::scope(|scope| {
        let one_in_eight = |n| users.iter().skip(n).step_by(8).filter(is_hit).cloned();
        let threads: Vec<_> = (0..8)
            .map(|n| scope.spawn(move || one_in_eight(n).collect::<Hits>()))
            .collect();
        let found = threads.into_iter().map(|thread| thread.join().unwrap());
        found.flatten().collect()
    });
    assert_eq!(found, in_order());
    assert_eq!(injector.counts("r").unwrap().matched, 10_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_eight_tasks() {
    let (_injector, site) = with(by_user("r", 0.1, 42));
    let tasks = (0..8).map(|n| {
        tokio::spawn(async move {
            let mut found = Hits::new();
            for user in users().into_iter().skip(n).step_by(8) {
                if Request::with("x-user", &user).is_hit_at(site) {
                    found.insert(user);
                }
                tokio::task::yield_now().await;
            }
            found
        })
    });
    let mut found = Hits::new();
    for task in tasks.collect::<Vec<_>>() {
        found.append(&mut task.await.unwrap());
    }
    assert_eq!(found, in_order());
}

/// This very test runs as the other process, too: there it says what it sees.
#[test]
fn in_another_process() {
    const OTHER: &str = "SAME_KEY_SAME_FATE_IN_ANOTHER_PROCESS";
    const MARK: &str = "hits of the other process: ";
    let here = in_order();
    if std::env::var_os(OTHER).is_some() {
        println!("\n{MARK}{}", Vec::from_iter(here).join(" "));
        return;
    }
    let mut other = Command::new(std::env::current_exe().unwrap());
    other.args([
        "--exact",
        "same_key_same_fate::in_another_process",
        "--nocapture",
    ]);
    let output = other.env(OTHER, "1").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let output = String::from_utf8(output.stdout).unwrap();
    let there = output.lines().find_map(|line| line.strip_prefix(MARK));
    let there: Hits = there.unwrap().split(' ').map(str::to_owned).collect();
    assert_eq!(there, here);
}

/// Written down once: another version, platform or optimisation must not decide otherwise.
#[test]
fn everywhere_and_for_ever() {
    let hits = in_order();
    let first: Vec<usize> = (0..100)
        .filter(|n| hits.contains(&format!("user-{n}")))
        .collect();
    assert_eq!(first, [0, 6, 21, 33, 39, 59, 63, 72, 93, 98]);
}

#[test]
fn a_higher_rate_keeps_every_key_that_was_hit() {
    let users = users();
    let rates = [0.0, 0.001, 0.1, 0.2, 0.5, 1.0];
    let cohorts = rates.map(|rate| hits(by_user("r", rate, 42), &users));
    for (pair, rates) in cohorts.windows(2).zip(rates.windows(2)) {
        assert!(pair[0].is_subset(&pair[1]), "{rates:?}");
        assert!(pair[0].len() < pair[1].len(), "{rates:?}");
    }
    assert_eq!((cohorts[0].len(), cohorts[5].len()), (0, 10_000));
    // So it does where the rule in force is changed.
    let (injector, site) = with(by_user("r", 0.1, 42));
    injector.put(by_user("r", 0.2, 42));
    let is_hit = |user: &&String| Request::with("x-user", user).is_hit_at(site);
    assert!(cohorts[2].iter().all(|user| is_hit(&user)));
}

/// Each source of a key: the trigger, the value of the n-th one, and the call that has it.
#[expect(clippy::type_complexity, reason = "a table")]
fn sources() -> Vec<(Value, fn(u32) -> String, fn(&str) -> Request)> {
    let user = |n| format!("user {n}");
    let segment = |n| format!("user-{n}");
    vec![
        (json!({"key": "header:x-user"}), user, |value| {
            Request::with("x-user", value)
        }),
        (json!({"key": "query:user"}), user, |value| {
            let value = value.replace(' ', "%20");
            Request::to(&format!("/?other=1&user={value}&user=second"))
        }),
        (
            json!({"key": "path:id", "match": {"path": "/checkout/{id}"}}),
            segment,
            |value| Request::to(&format!("/checkout/{value}?a=b")),
        ),
        (
            json!({"key": "path:id", "match": {"path": "/shops/{shop}/carts/{id}/items"}}),
            segment,
            |value| Request::to(&format!("/shops/7/carts/{value}/items")),
        ),
        (
            json!({"key": "path:rest", "match": {"path": "/files/{*rest}"}}),
            |n| format!("{}/a/{n}", n % 10),
            |value| Request::to(&format!("/files/{value}")),
        ),
        (
            json!({"key": "path:id", "match": {"path": ["/a/{id}", "/b/{x}/{id}"]}}),
            segment,
            |value| Request::to(&format!("/b/other/{value}")),
        ),
        (json!({"key": "label:user"}), user, |value| {
            let labels = [("table", "users"), ("user", value)];
            let labels = labels.map(|(name, value)| (name, Cow::Owned(value.to_owned())));
            Request {
                labels: labels.into(),
                ..Request::default()
            }
        }),
        (
            json!({"key": "peer"}),
            |n| IpAddr::from((0x0a00_0000 + n).to_be_bytes()).to_string(),
            |value| Request {
                peer: Some(value.parse().unwrap()),
                ..Request::default()
            },
        ),
        (
            json!({"key": "peer"}),
            |n| Ipv6Addr::from((0x2001_0db8 << 96) + u128::from(n)).to_string(),
            |value| Request {
                peer: Some(value.parse().unwrap()),
                ..Request::default()
            },
        ),
        (
            json!({"key": "trace"}),
            |n| format!("{:032x}", (u128::from(n) + 1) << 40 | 7),
            |value| Request::with("traceparent", &format!("00-{value}-00f067aa0ba902b7-01")),
        ),
    ]
}

#[test]
fn a_key_is_found_wherever_it_may_be() {
    for (mut trigger, value, request) in sources() {
        trigger["rate"] = 0.3.into();
        let rule = rule("r", trigger);
        let (injector, site) = with(rule.clone());
        let preview = rule.preview().unwrap();
        let mut hits = 0;
        for n in 0..1000 {
            let value = value(n);
            let is_hit = request(&value).is_hit_at(site);
            assert_eq!(is_hit, preview.hits_key(&value), "{rule:?} {value}");
            assert_eq!(is_hit, request(&value).is_hit_at(site), "{rule:?} {value}");
            hits += u32::from(is_hit);
        }
        assert!(hits.abs_diff(300) < 60, "{rule:?}: {hits}");
        assert_eq!(injector.counts("r").unwrap().matched, 2000, "{rule:?}");
    }
}

#[test]
fn a_call_without_the_key_is_left_alone_and_counts_as_matched() {
    for trigger in [
        json!({"key": "header:x-user"}),
        json!({"key": "query:user"}),
        json!({"key": "label:user"}),
        json!({"key": "peer"}),
        json!({"key": "trace"}),
        json!({"key": "header:x-user", "seed": 1, "rate": 0.5}),
    ] {
        let (injector, site) = with(rule("r", trigger.clone()));
        for _ in 0..20 {
            assert!(!Request::to("/?users=1").is_hit_at(site), "{trigger}");
            assert!(site.decide(&Call::new()).is_none(), "{trigger}");
        }
        let counts = injector.counts("r").unwrap();
        assert_eq!((counts.matched, counts.injected), (40, 0), "{trigger}");
    }
}

#[test]
fn the_trace_of_a_malformed_traceparent_is_no_key() {
    let (_injector, site) = with(rule("r", json!({"key": "trace"})));
    let (trace, parent) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let is_hit = |header: &str| Request::with("traceparent", header).is_hit_at(site);
    assert!(is_hit(&format!("00-{trace}-{parent}-01")));
    assert!(is_hit(&format!("00-{trace}-{parent}-00")));
    // A later version may say more.
    assert!(is_hit(&format!("cc-{trace}-{parent}-01-what.comes")));
    for header in [
        "",
        "00",
        trace,
        &format!("00-{}-{parent}-01", "0".repeat(32)),
        &format!("00-{}-{parent}-01", trace.to_uppercase()),
        &format!("00-{}-{parent}-01", &trace[1..]),
        &format!("00-{trace}0-{parent}-01"),
        &format!("00-{}-{parent}-01", trace.replace('4', "g")),
        &format!("00-{trace}-{}-01", &parent[1..]),
        &format!("00-{trace}"),
        &format!("0-{trace}-{parent}-01"),
        &format!("00_{trace}_{parent}_01"),
    ] {
        assert!(!is_hit(header), "{header:?}");
    }
}

/// <https://www.w3.org/TR/trace-context/#traceparent-header-field-values>
#[test]
fn what_the_w3c_calls_an_invalid_traceparent_is_no_key() {
    let (_injector, site) = with(rule("r", json!({"key": "trace"})));
    let (trace, parent) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let headers = [
        format!("ff-{trace}-{parent}-01"),
        format!("00-{trace}-0000000000000000-01"),
        format!("00-{trace}-{parent}"),
        format!("00-{trace}-{parent}-1"),
        format!("00-{trace}-{parent}-zz"),
        format!("00-{trace}-{parent}-01-more"),
    ];
    let is_hit = |header: &&String| Request::with("traceparent", header).is_hit_at(site);
    let taken: Vec<_> = headers.iter().filter(is_hit).collect();
    assert!(taken.is_empty(), "{taken:?}");
}

#[test]
fn a_parameter_that_the_path_does_not_have_is_refused() {
    for path in [
        json!("/checkout/{id}/{*other}"),
        json!("/checkout"),
        json!("/rest/{restful}"),
        json!(["/a/{rest}", "/b/{id}"]),
        json!({"prefix": "/{rest}"}),
        // Braces that are meant as such.
        json!("/checkout/{{rest}}"),
    ] {
        let error = rule_from_value(
            json!({"site": "fate", "key": "path:rest", "match": {"path": path}, "faults": [{"error": "x"}]}),
            Some("r"),
        );
        let error = error.map(|_| ()).expect_err(&path.to_string());
        assert_eq!(error.field(), "key", "{path}");
    }
}

#[test]
fn only_the_first_256_bytes_count() {
    let rule = rule("r", json!({"key": "label:user", "rate": 0.5}));
    let (_injector, site) = with(rule.clone());
    let is_hit = |value: &str| {
        let labels = [("user", Cow::Borrowed(value))];
        site.decide(&Call::new().labels(&labels)).is_some()
    };
    let mut differ = 0;
    for n in 0..200 {
        let (same, other) = (format!("{n:0256}"), format!("{n:0255}"));
        let fate = is_hit(&same);
        for end in ["a", "b", "ä", &"long".repeat(1000)] {
            assert_eq!(is_hit(&format!("{same}{end}")), fate);
            assert_eq!(
                rule.preview().unwrap().hits_key(&format!("{same}{end}")),
                fate
            );
            // Of a character that does not fit, nothing counts.
            assert_eq!(is_hit(&format!("{other}ä{end}")), is_hit(&other));
        }
        differ += u32::from(is_hit(&format!("{other}a")) != is_hit(&format!("{other}b")));
    }
    assert!(differ.abs_diff(100) < 30, "{differ} of 200");
}

/// Two rules with the same key and seed choose for themselves, and so do two seeds.
#[test]
fn other_rules_hit_others() {
    let users = users();
    for rate in [0.1, 0.5] {
        for other in [by_user("s", rate, 42), by_user("r", rate, 43)] {
            let sets = [by_user("r", rate, 42), other].map(|rule| hits(rule, &users));
            let count = |first, second| {
                let is_in =
                    |user| sets[0].contains(user) == first && sets[1].contains(user) == second;
                users.iter().filter(|user| is_in(*user)).count() as f64
            };
            let [a, b, c, d] = [(true, true), (true, false), (false, true), (false, false)]
                .map(|(first, second)| count(first, second));
            let chi_square =
                10_000.0 * (a * d - b * c).powi(2) / ((a + b) * (c + d) * (a + c) * (b + d));
            // One degree of freedom, p = 0.01; the seeds are fixed, so it cannot flake.
            assert!(chi_square < 6.635, "{chi_square} at {rate}");
        }
    }
}
