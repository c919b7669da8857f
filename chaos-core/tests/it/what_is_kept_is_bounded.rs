//! What the rules of everyone together may take is bounded by the policy, and an edit beyond it is refused by the
//! bound's name, whoever makes it.

use std::time::Duration;

use chaos_core::{
    Call, Clock, Fault, GuardRail, Injector, Latency, Overlay, Plan, Policy, Rule, RuleError, Text,
    inject_async,
    rule::{Change, ChangeError},
    wire,
};
use http::{HeaderMap, Method, Uri};
use serde_json::json;

fn rule(id: &str) -> Rule {
    Rule::new(
        id.parse().unwrap(),
        "kept".parse().unwrap(),
        Fault::error("x"),
    )
}

fn read(id: &str, rule: &serde_json::Value) -> Rule {
    wire::rule_from_json(rule.to_string().as_bytes(), Some(id)).unwrap()
}

#[track_caller]
fn assert_refused(edit: Result<u64, ChangeError>, field: &str, allowed: &str) {
    match edit {
        Err(ChangeError::Rule(error)) => {
            assert_eq!(
                (error.field(), error.allowed()),
                (field, allowed),
                "{error}"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn rules_are_bounded_in_number() {
    let injector = Injector::new();
    injector.set_policy(Policy::new().max_rules(2));
    injector.replace(vec![rule("a"), rule("b")]).unwrap();
    let put = |id| injector.apply(Change::Put(rule(id)), None);
    assert_refused(put("c"), "rules", "at most 2 rules in all");
    let three = vec![rule("a"), rule("b"), rule("c")];
    assert_refused(injector.replace(three), "rules", "at most 2 rules in all");
    // One in the place of another is none more, and what takes less is always taken.
    assert!(put("b").is_ok());
    injector.set_policy(Policy::new().max_rules(0));
    assert!(put("b").is_ok() && injector.remove(&"a".parse().unwrap()));
    assert_eq!(injector.rules().rules().len(), 1);
    // An overlay has as many of its own.
    injector.set_policy(Policy::new().max_rules(2));
    let overlay = Overlay::new(&injector);
    let put = |id| overlay.apply(Change::Put(rule(id)), None);
    assert!(put("a").is_ok() && put("b").is_ok());
    assert_refused(put("c"), "rules", "at most 2 rules in all");
}

/// 400 rules of a megabyte each made 427 MiB of the service.
#[test]
fn rules_and_their_history_are_bounded_in_bytes() {
    let injector = Injector::new();
    let long = |n: usize| {
        let text = format!("{n}{}", "x".repeat(1_000_000));
        read(
            &format!("r{n}"),
            &json!({"site": "kept", "faults": [{"error": text}]}),
        )
    };
    let mut accepted = 0;
    let refused = loop {
        match injector.apply(Change::Put(long(accepted)), None) {
            Ok(_) => accepted += 1,
            refused => break refused,
        }
    };
    assert_eq!(accepted, 16);
    assert_refused(refused, "rules", "at most 16777216 bytes of rules in all");
    // In one place, over and over: the audit keeps the last ones.
    let injector = Injector::new();
    for n in 0..100 {
        let text = format!("{n}{}", "x".repeat(1_000_000));
        let again = json!({"site": "kept", "faults": [{"error": text}]});
        injector
            .apply(Change::Put(read("r", &again)), None)
            .unwrap();
    }
    let kept = injector.audit().after(0);
    assert!(kept.entries.len() <= 34, "{}", kept.entries.len());
    assert_eq!(kept.entries.len() as u64 + kept.missed, 100);
}

/// A halt after an edit of ten thousand rules displaced the edit before the audit file had it.
#[test]
fn what_a_follower_has_not_seen_is_kept() {
    let injector = Injector::new();
    let follower = injector.audit().follow();
    let many = |number| (0..number).map(|n| rule(&format!("r{n}"))).collect();
    for number in [10_000, 9_999, 10_000, 9_999] {
        injector.replace(many(number)).unwrap();
        injector.halt("enough");
        injector.resume();
    }
    let kept = injector.audit().after(0);
    assert_eq!((kept.entries.len(), kept.missed), (12, 0));
    // It makes room once it is seen.
    follower.seen(11);
    injector.halt("enough");
    let kept = injector.audit().after(0);
    assert!(kept.missed >= 4, "{}", kept.missed);
    // And there is a bound on what is kept for one who never sees anything.
    for _ in 0..10 {
        injector.replace(many(10_000)).unwrap();
    }
    assert!(injector.audit().after(13).missed > 0);
}

/// 8,000 guard rails at one site made each call 16 ms slower.
#[test]
fn guard_rails_are_bounded_in_number() {
    let injector = Injector::new();
    let guarded = |id: &str, rails: usize| {
        let rails =
            (0..rails).map(|_| GuardRail::new().error_ratio(chaos_core::Rate::new(0.5).unwrap()));
        rails.fold(rule(id), Rule::guard)
    };
    let put = |rule| injector.apply(Change::Put(rule), None);
    assert_refused(
        put(guarded("a", 65)),
        "guards",
        "at most 64 guard rails of all rules",
    );
    assert!(put(guarded("a", 60)).is_ok());
    assert_refused(
        put(guarded("b", 5)),
        "guards",
        "at most 64 guard rails of all rules",
    );
    assert!(put(guarded("a", 1)).is_ok() && put(guarded("b", 5)).is_ok());
}

/// One shadow rule of 256 expressions held a worker for eight seconds on a path of 4 KB.
#[test]
fn matching_is_bounded_in_time() {
    let injector = Injector::new();
    injector.set_policy(Policy::new().shadow_only(true));
    let slow = |n: usize| {
        let expressions: Vec<_> = (0..n)
            .map(|n| json!({"regex": format!("(.{{0,40}}a){{4}}z{n}")}))
            .collect();
        read(
            "slow",
            &json!({"site": "kept", "mode": "shadow", "match": {"path": expressions}, "faults": [{"error": "x"}]}),
        )
    };
    let put = |rule| injector.apply(Change::Put(rule), None);
    let allowed = "at most 65536 bytes of compiled regular expressions in all";
    assert_refused(put(slow(256)), "match", allowed);
    let most = (1..256)
        .rev()
        .find(|n| put(slow(*n)).is_ok())
        .expect("one is allowed");
    // Those of other rules count, too.
    let more = Rule::new(
        "more".parse().unwrap(),
        "kept".parse().unwrap(),
        Fault::error("x"),
    );
    let many = (0..100).map(|n| Text::regex(&format!("^/v{n}/products/[0-9]+$")).unwrap());
    let matcher = chaos_core::Matcher::new().path(Text::AnyOf(many.collect()));
    assert_refused(put(more.matching(matcher)), "match", allowed);

    let site = injector.site("kept");
    let time = |length: usize| {
        let uri: Uri = format!("/{}", "a".repeat(length)).parse().unwrap();
        let headers = HeaderMap::new();
        let clock = Clock::monotonic();
        assert!(
            site.decide(&Call::http(&Method::GET, &uri, &headers))
                .is_none()
        );
        clock.now()
    };
    time(10);
    // 2 KiB are looked at; what is longer is not.
    let (worst, longer) = ((0..3).map(|_| time(2047)).min().unwrap(), time(4096));
    // An unoptimized build is some thirty times slower than a release.
    assert!(
        worst < Duration::from_secs(15),
        "{most} expressions: {worst:?}"
    );
    assert!(longer < worst / 10, "{longer:?} of {worst:?}");
}

#[test]
fn usual_expressions_fit() {
    let injector = Injector::new();
    let usual = |n: usize| {
        let path = json!({"full_regex": format!("/v{n}/products/[0-9]+/pictures")});
        read(
            &format!("r{n}"),
            &json!({"site": "kept", "match": {"path": path}, "faults": [{"status": 503}]}),
        )
    };
    injector.replace((0..60).map(usual).collect()).unwrap();
}

/// Thirty rules of twenty delays each made calls of 4 to 12 seconds under a delay of 100 ms.
#[tokio::test(start_paused = true)]
async fn the_delay_of_a_call_is_bounded_whichever_rules_it_comes_from() -> Result<(), RuleError> {
    let injector = Injector::new();
    injector.set_policy(Policy::new().delay(Duration::from_millis(100)));
    let slow = |n: usize| {
        let latency = Fault::latency(Latency::fixed(Duration::from_millis(30)).unwrap());
        let one = Rule::new(
            format!("r{n}").parse().unwrap(),
            "kept".parse().unwrap(),
            latency.clone(),
        );
        (1..20).fold(one, |rule, _| rule.then(latency.clone()))
    };
    injector.replace((0..30).map(slow).collect()).unwrap();
    let clock = Clock::monotonic();
    inject_async!(injector: &injector, "kept").await.unwrap();
    let took = clock.now();
    let range = Duration::from_millis(100)..Duration::from_millis(120);
    assert!(range.contains(&took), "{took:?}");
    // What had no time left did not happen, and is not counted.
    let hit = |n: usize| injector.counts(&format!("r{n}")).unwrap().injected;
    assert_eq!((0..30).map(hit).sum::<u64>(), 1);
    // What is no delay happens all the same.
    injector.put(rule("fails"));
    let site = injector.site("kept");
    let mut decision = site.decide(&Call::new()).unwrap();
    let mut plans = std::iter::from_fn(|| decision.next_plan());
    assert!(plans.any(|plan| matches!(plan, Plan::Fail(_))));
    Ok(())
}

mod tokens {
    use chaos_core::token::{TokenError, TokenKey};

    use super::*;

    #[test]
    fn a_token_touches_nothing_but_its_request() {
        let injector = Injector::new();
        let key = TokenKey::new(b"not this one, but 32 bytes of your own").unwrap();
        let minute = Duration::from_secs(60);
        let open = |faults: serde_json::Value| {
            let rule = read("r", &json!({"site": "kept", "faults": faults}));
            let text = key
                .sign("eve", minute, std::slice::from_ref(&rule), injector.wall())
                .unwrap();
            let token = key.verify(&text, injector.wall()).unwrap();
            let signed = injector.as_actor(chaos_core::audit::Actor::new("ann"));
            let signed = signed.sign(&key, "eve", minute, &[rule]);
            (Overlay::of_token(&injector, token, &text), signed)
        };
        let refused = [
            (json!([{"block": "1s"}]), "faults[0].block"),
            (
                json!([{"latency": "1ms"}, {"burn": {"memory": "1MiB", "for": "1s"}}]),
                "faults[1].burn",
            ),
            (json!([{"abort": "reset"}]), "faults[0].abort"),
            (json!([{"abort": "goaway"}]), "faults[0].abort"),
            (
                json!([{"one_of": [{"fault": {"latency": "1ms"}}, {"fault": {"block": "1s"}}]}]),
                "faults[0].one_of",
            ),
        ];
        for (faults, field) in refused.clone() {
            let (opened, signed) = open(faults.clone());
            assert_eq!(opened.unwrap_err().field(), field, "{faults}");
            match signed {
                Err(TokenError::Refused(error)) => assert_eq!(error.field(), field),
                other => panic!("{faults}: {other:?}"),
            }
        }
        for faults in [
            json!([{"latency": "1ms"}]),
            json!([{"abort": "close"}]),
            json!([{"hang": "1s"}]),
        ] {
            let (opened, signed) = open(faults.clone());
            assert!(opened.is_ok() && signed.is_ok(), "{faults}");
        }
        injector.set_policy(Policy::new().allow_process_faults_of_tokens(true));
        for (faults, _) in refused {
            let (opened, signed) = open(faults.clone());
            assert!(opened.is_ok() && signed.is_ok(), "{faults}");
        }
    }
}
