//! Health checks, and what a site or an application declares exempt, are never hit, whatever rules say.

use chaos_core::{
    Call, Injector, Overlay, Rule, Site, SiteKind, Text, inject, inject_async, matcher::Exemptions,
    trigger::Replay, wire::rule_from_value,
};
use http::{HeaderMap, Method, Uri};
use serde_json::{Value, json};

const HEALTH_CHECKS: [&str; 10] = [
    "/health",
    "/health/live",
    "/health/ready",
    "/healthz",
    "/live",
    "/livez",
    "/ready",
    "/readyz",
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
];

const OTHERS: [&str; 9] = [
    "/",
    "/healthy",
    "/health/checks",
    "/api/health",
    "/Health",
    "/lively",
    "/ready/now",
    "/grpc.health.v1.Health",
    "/grpc.health.v1.Healthy/Check",
];

fn rule(id: &str, mut rule: Value) -> Rule {
    rule["site"] = json!("**");
    rule["ttl"] = json!("never");
    if rule.get("faults").is_none() {
        rule["faults"] = json!([{"error": "x"}]);
    }
    rule_from_value(rule, Some(id)).unwrap()
}

fn with(trigger: Value) -> Injector {
    let injector = Injector::new();
    injector.put(rule("r", trigger));
    injector
}

fn is_hit(site: &Site, target: &str) -> bool {
    let (uri, headers): (Uri, _) = (target.parse().unwrap(), HeaderMap::new());
    let call = Call::http(&Method::GET, &uri, &headers);
    let decision = site.decide(&call);
    decision.is_some_and(|mut decision| decision.next_plan().is_some())
}

#[test]
fn health_checks_of_a_layer_are_never_hit_and_count_as_matched() {
    let injector = with(json!({}));
    let site = injector.site("layer");
    assert!(site.exemptions().health_checks() && site.exemptions().paths().is_empty());
    for path in HEALTH_CHECKS {
        assert!(!is_hit(site, path), "{path}");
        assert!(!is_hit(site, &format!("{path}?full=true")), "{path}");
        assert!(
            !is_hit(site, &format!("http://shop.test:8080{path}")),
            "{path}"
        );
    }
    let counts = injector.counts("r").unwrap();
    assert_eq!((counts.matched, counts.injected, counts.active), (30, 0, 0));
    for path in OTHERS {
        assert!(is_hit(site, path), "{path}");
        assert!(is_hit(site, &format!("{path}?of=/health")), "{path}");
    }
    let counts = injector.counts("r").unwrap();
    assert_eq!((counts.matched, counts.injected), (48, 18));
}

/// Whatever the rule asks for: at a glance, by number, by key, by path.
#[test]
fn no_kind_of_rule_hits_them() {
    for trigger in [
        json!({"seed": 1}),
        json!({"every": 1, "skip": 0, "limit": 100}),
        json!({"match": {"path": "/health"}}),
        json!({"match": {"method": "GET"}, "key": "query:user"}),
        json!({"first_attempts": {"n": 5, "key": "query:user"}}),
        json!({"replay": {"ordinals": [0, 1, 2]}}),
        json!({"max_active": 1}),
        json!({"mode": "shadow"}),
    ] {
        let injector = with(trigger.clone());
        let site = injector.site("layer");
        for _ in 0..3 {
            assert!(!is_hit(site, "/health?user=alice"), "{trigger}");
        }
        let counts = injector.counts("r").unwrap();
        let counts = (counts.matched, counts.injected, counts.shadowed);
        assert_eq!(counts, (3, 0, 0), "{trigger}");
    }
}

/// A health check has its number, and takes nothing of what is limited.
#[test]
fn they_take_nothing_from_others() {
    let injector = with(json!({"seed": 1, "limit": 2}));
    let site = injector.site("layer");
    let paths = ["/a", "/health", "/health", "/b", "/c"];
    let hits = paths.map(|path| is_hit(site, path));
    assert_eq!(hits, [true, false, false, true, false]);
    let decisions = injector.decisions("r").unwrap();
    assert_eq!(decisions.hits, Replay::ordinals([0, 3]).unwrap());

    let injector = with(json!({"first_attempts": {"n": 1, "key": "query:user"}}));
    let site = injector.site("layer");
    assert!(!is_hit(site, "/ready?user=alice"));
    assert!(is_hit(site, "/?user=alice") && !is_hit(site, "/?user=alice"));
}

/// Each rule that would have been asked counts, not only the first that would have hit.
#[test]
fn they_count_as_matched_by_every_rule() {
    let slow = json!({"faults": [{"latency": "1ms"}]});
    let injector = Injector::new();
    for id in ["a", "b", "c"] {
        injector.put(rule(id, slow.clone()));
    }
    let site = injector.site("layer");
    assert!(is_hit(site, "/") && !is_hit(site, "/health"));
    let matched = ["a", "b", "c"].map(|id| injector.counts(id).unwrap().matched);
    assert_eq!(matched, [2, 2, 2]);
}

#[test]
fn a_site_says_what_else_is_exempt() {
    let injector = with(json!({}));
    let site = injector.site("layer");
    let internal = Exemptions::new().path(Text::prefix("/internal/"));
    let exempt = internal.path(Text::route("/tenants/{id}/status").unwrap());
    site.exempt(exempt.clone());
    assert_eq!(*site.exemptions(), exempt);
    assert_eq!((exempt.paths().len(), exempt.health_checks()), (2, true));
    for path in [
        "/internal/",
        "/internal/a/b",
        "/tenants/7/status",
        "/healthz",
    ] {
        assert!(!is_hit(site, path), "{path}");
    }
    for path in ["/internal", "/tenants/7", "/tenants/7/status/now"] {
        assert!(is_hit(site, path), "{path}");
    }
    // Another site is another matter.
    assert!(is_hit(injector.site("other"), "/internal/a"));
    // What is said last holds.
    site.exempt(Exemptions::none().path(Text::is("/only")));
    assert!(!is_hit(site, "/only") && is_hit(site, "/healthz") && is_hit(site, "/internal/a"));
    site.exempt(Exemptions::none());
    assert!(is_hit(site, "/only"));
    assert!(HEALTH_CHECKS.iter().all(|path| is_hit(site, path)));
    assert_eq!(*site.exemptions(), Exemptions::none());
    site.exempt(Exemptions::default());
    assert!(!HEALTH_CHECKS.iter().any(|path| is_hit(site, path)));
}

#[test]
fn elsewhere_than_at_a_layer_nothing_is_exempt_unless_it_is_said() {
    let injector = with(json!({}));
    for kind in [SiteKind::Sync, SiteKind::Async, SiteKind::Connection] {
        let site = injector.site_of("elsewhere", kind);
        assert_eq!(*site.exemptions(), Exemptions::none());
        assert!(is_hit(site, "/health"), "{kind:?}");
        site.exempt(Exemptions::new());
        assert!(!is_hit(site, "/health") && is_hit(site, "/"), "{kind:?}");
    }
    // A call that has no path is no health check.
    assert!(injector.site("layer").decide(&Call::new()).is_some());
}

#[tokio::test]
async fn an_injector_leaves_sites_alone() {
    let injector = with(json!({}));
    let (pay, read) = (injector.site("pay.card"), injector.site("db.read"));
    let sync = || inject!(injector: injector, "pay.sync").is_err();
    let task = async || {
        inject_async!(injector: injector, "pay.async")
            .await
            .is_err()
    };
    assert!(is_hit(pay, "/") && sync() && task().await);
    injector.exempt("pay.*".parse().unwrap());
    assert!(!is_hit(pay, "/") && !sync() && !task().await && !pay.is_armed());
    assert!(is_hit(read, "/") && read.is_armed());
    // Nothing that is edited, made, put into an overlay or undone changes that.
    injector.put(rule("s", json!({"seed": 1})));
    injector.replace(vec![rule("r", json!({}))]).unwrap();
    let overlay = Overlay::new(&injector);
    overlay.put(rule("o", json!({})));
    injector.halt("a break");
    injector.resume();
    injector.exempt("db.write".parse().unwrap());
    let new = injector.site("pay.new");
    overlay.run_sync(|| assert!(!is_hit(pay, "/") && !is_hit(new, "/") && !sync()));
    assert!(!is_hit(pay, "/") && !is_hit(new, "/") && !sync() && !task().await);
    assert!(!pay.is_armed() && !new.is_armed());
    assert!(is_hit(read, "/") && is_hit(injector.site("pay.card.late"), "/"));
    assert!(!is_hit(injector.site("db.write"), "/"));
}

/// It may come after the overlay that aims there.
#[test]
fn an_overlay_that_is_there_already_does_not_reach_an_exempt_site() {
    let injector = Injector::new();
    let site = injector.site("pay.card");
    let overlay = Overlay::new(&injector);
    overlay.put(rule("o", json!({})));
    assert!(overlay.run_sync(|| is_hit(site, "/")) && site.is_armed());
    injector.exempt("pay.card".parse().unwrap());
    assert!(!overlay.run_sync(|| is_hit(site, "/")) && !site.is_armed());
    overlay.put(rule("p", json!({})));
    assert!(!overlay.run_sync(|| is_hit(site, "/")) && !site.is_armed());
}
