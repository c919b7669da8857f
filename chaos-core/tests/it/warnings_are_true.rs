//! A rule that cannot hit what it aims at is accepted with a warning, and only such a rule.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use chaos_core::{
    Call, Injector, Rule, Site, SiteKind, inject, inject_async, testing::ManualClock, wire,
};
use http::{HeaderMap, Method, Uri};

/// A site of each kind, each named for its kind.
async fn sites(injector: &Injector) -> Vec<&'static Site> {
    // A pass makes the site, with its labels, while any rule is armed.
    let other = injector.arm(rule(r#""match":{}"#, FAULTS[0], "elsewhere"));
    inject!(injector: injector, "at.sync", table = "orders").unwrap();
    inject_async!(injector: injector, "at.async", table = "orders")
        .await
        .unwrap();
    drop(other);
    let _ = injector.site("at.layer");
    let _ = injector.site_of("at.connection", SiteKind::Connection);
    injector.sites()
}

/// Returns whether a rule fires at the site, on a call with all that calls of its kind have.
fn fires(site: &Site) -> bool {
    let mut headers = HeaderMap::new();
    headers.insert("host", "shop".parse().unwrap());
    headers.insert("content-type", "application/grpc".parse().unwrap());
    headers.insert("x-user", "ann".parse().unwrap());
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    headers.insert("traceparent", trace.parse().unwrap());
    let uri: Uri = "/shop.Orders/Place?q=1".parse().unwrap();
    let peer = || Some(IpAddr::from(Ipv4Addr::LOCALHOST));
    let (table, address) = (("table", "orders".into()), ("peer", "127.0.0.1".into()));
    let call = match site.kind() {
        SiteKind::Layer => Call::http(&Method::POST, &uri, &headers).lazy_facts(&peer),
        SiteKind::Connection => {
            return site
                .decide(&Call::new().labels(&[address]).lazy_facts(&peer))
                .is_some();
        }
        _ => return site.decide(&Call::new().labels(&[table])).is_some(),
    };
    site.decide(&call).is_some()
}

/// Everything that a rule may say about a call, in JSON.
const AIMS: [&str; 25] = [
    r#""match":{"method":"POST"}"#,
    r#""match":{"path":"/shop.Orders/Place"}"#,
    r#""match":{"path":{"prefix":"/shop"}}"#,
    r#""match":{"host":"shop"}"#,
    r#""match":{"grpc":"shop.Orders/Place"}"#,
    r#""match":{"headers":{"x-user":"ann"}}"#,
    r#""match":{"headers":{"x-user":{"present":true}}}"#,
    r#""match":{"query":{"q":"1"}}"#,
    r#""match":{"labels":{"table":"orders"}}"#,
    r#""match":{"labels":{"table":{"regex":"^o"}}}"#,
    r#""match":{"labels":{"tabel":"orders"}}"#,
    r#""match":{"labels":{"peer":"127.0.0.1"}}"#,
    // These hold on a call that has nothing of the kind.
    r#""match":{"method":{"not":"GET"}}"#,
    r#""match":{"headers":{"x-none":{"present":false}}}"#,
    r#""match":{"query":{"none":{"not":"1"}}}"#,
    r#""match":{"labels":{"none":{"not":"1"}}}"#,
    r#""match":{}"#,
    r#""key":"header:x-user""#,
    r#""key":"query:q""#,
    r#""key":"path:method","match":{"path":"/shop.Orders/{method}"}"#,
    r#""key":"label:table""#,
    r#""key":"label:tabel""#,
    r#""key":"label:peer""#,
    r#""key":"peer""#,
    r#""key":"trace""#,
];

/// Every fault, and several of each that has several kinds.
const FAULTS: [&str; 24] = [
    r#"{"latency":"1ms"}"#,
    r#"{"latency":{"at_least":"1ms"}}"#,
    r#"{"latency":"1ms","when":"after"}"#,
    r#"{"status":503}"#,
    r#"{"grpc":"UNAVAILABLE"}"#,
    r#"{"error":"lost"}"#,
    r#"{"value":{"a":1}}"#,
    r#"{"abort":"close"}"#,
    r#"{"abort":"reset"}"#,
    r#"{"abort":"refuse"}"#,
    r#"{"abort":"panic"}"#,
    r#"{"abort":"close","after":10}"#,
    r#"{"hang":"1s"}"#,
    r#"{"pause":{"max":"1s"}}"#,
    r#"{"block":"1ms"}"#,
    r#"{"body":{"truncate_after":10}}"#,
    r#"{"body":{"throttle":"1MiB/s","on":"request"}}"#,
    r#"{"body":{"first_byte":"1ms"}}"#,
    r#"{"body":{"corrupt":0.5}}"#,
    r#"{"headers":{"set":{"x":"1"}}}"#,
    r#"{"burn":{"cpu":0.1,"for":"1ms"}}"#,
    r#"{"custom":{"name":"own"}}"#,
    r#"{"one_of":[{"weight":1,"fault":{"headers":{"set":{"x":"1"}}}},{"weight":1,"fault":{"body":{"throttle":"1MiB/s"}}}]}"#,
    r#"{"one_of":[{"weight":1,"fault":{"status":503}},{"weight":1,"fault":{"error":"lost"}}]}"#,
];

fn rule(aim: &str, fault: &str, site: &str) -> Rule {
    let json = format!(r#"{{"id":"r","site":"{site}",{aim},"faults":[{fault}]}}"#);
    wire::rule_from_json(json.as_bytes(), None).unwrap_or_else(|error| panic!("{json}: {error}"))
}

#[tokio::test]
async fn each_aim_and_each_fault_is_warned_of_where_it_cannot_happen() {
    let injector = Injector::new();
    injector.define("own", |_| None);
    let sites = sites(&injector).await;
    assert_eq!(sites.len(), 4);
    let (mut warned, mut fired) = (0, 0);
    for site in sites {
        let aims = AIMS.map(|aim| (aim, r#"{"latency":"1ms"}"#));
        let faults = FAULTS.map(|fault| (r#""match":{}"#, fault));
        for (aim, fault) in aims.into_iter().chain(faults) {
            let rule = rule(aim, fault, site.name());
            injector.check([&rule]).unwrap();
            let warnings = injector.warnings([&rule]);
            injector.put(rule);
            // A choice with an option that can happen does.
            let mut of_rule = warnings.iter().filter(|it| !it.field.contains("one_of"));
            assert_eq!(
                fires(site),
                of_rule.next().is_none(),
                "{aim} {fault} at {}: {warnings:?}",
                site.name()
            );
            fired += usize::from(warnings.is_empty());
            warned += warnings.len();
        }
    }
    assert!(warned > 40 && fired > 60, "{warned} {fired}");
}

#[tokio::test]
async fn a_pattern_is_not_warned_of_if_one_of_its_sites_will_do() {
    let injector = Injector::new();
    sites(&injector).await;
    injector.define("own", |_| None);
    for fault in FAULTS {
        let rule = rule(r#""match":{}"#, fault, "at.*");
        assert_eq!(injector.warnings([&rule]), [], "{fault}");
    }
    let rule = rule(r#""match":{"path":"/a"}"#, FAULTS[0], "at.sync");
    let [warning] = &injector.warnings([&rule])[..] else {
        panic!("one warning");
    };
    assert_eq!(warning.field, "match.path");
    assert_eq!(warning.detail, "no request passes at.sync");
    assert_eq!(warning.suggestion, "the site of a layer");
}

#[tokio::test]
async fn a_slip_in_a_name_is_told_with_the_name_that_was_meant() {
    let injector = Injector::new();
    sites(&injector).await;
    let nearest = |json: &str| -> (String, String) {
        let rule = wire::rule_from_json(json.as_bytes(), None).unwrap();
        let warning = injector.warnings([&rule]).remove(0);
        (warning.field, warning.suggestion)
    };
    let fault = r#""faults":[{"error":"lost"}]"#;
    let slip = nearest(&format!(r#"{{"id":"r","site":"at.snyc",{fault}}}"#));
    assert_eq!(slip, ("site".to_owned(), "at.sync".to_owned()));
    let strange = nearest(&format!(r#"{{"id":"r","site":"zzz",{fault}}}"#));
    assert!(strange.1.starts_with("a site that is known"), "{strange:?}");
    let label = r#""match":{"labels":{"tabel":"orders"}}"#;
    let label = nearest(&format!(r#"{{"id":"r","site":"at.sync",{label},{fault}}}"#));
    assert_eq!(label.0, "match.labels.tabel");
    assert_eq!(label.1, "a label that is declared there: table");
    let rail = r#""guards":[{"site":"at.layre","error_ratio":0.1,"window":"10s","at_least":5}]"#;
    let rail = nearest(&format!(r#"{{"id":"r","site":"at.sync",{rail},{fault}}}"#));
    assert_eq!(rail, ("guards[0].site".to_owned(), "at.layer".to_owned()));
}

#[tokio::test]
async fn a_site_that_is_exempt_is_told() {
    let injector = Injector::new();
    sites(&injector).await;
    injector.exempt("at.sync".parse().unwrap());
    let at = |site| injector.warnings([&rule(r#""match":{}"#, FAULTS[0], site)]);
    assert_eq!(at("at.sync")[0].detail, "at.sync is exempt from all rules");
    assert_eq!(at("at.*"), []);
}

#[test]
fn peers_that_nobody_tells_are_told() {
    let injector = Injector::new();
    let site = injector.site("http.server");
    let (headers, uri) = (HeaderMap::new(), Uri::from_static("/"));
    let request = Call::http(&Method::GET, &uri, &headers);
    let reset = rule(r#""match":{}"#, r#"{"abort":"reset"}"#, "http.server");
    let keyed = rule(r#""key":"peer""#, r#"{"error":"lost"}"#, "http.server");
    let fields = || {
        let warnings = injector.warnings([&reset, &keyed]);
        let fields = warnings.into_iter().map(|warning| warning.field);
        fields.collect::<Vec<_>>()
    };
    // No call has passed, so nothing is known.
    assert!(!site.is_armed());
    site.ask_for_peer();
    assert_eq!(fields(), [""; 0]);
    let nobody = || None;
    let unknown = request.lazy_facts(&nobody);
    assert!(site.is_armed() && site.decide(&unknown).is_none());
    assert!(!site.is_armed(), "only the first call takes the slow path");
    assert_eq!(fields(), ["faults[0]", "key"]);
    // So are an option of a choice, and the key of first attempts.
    let choice =
        r#"{"one_of":[{"weight":1,"fault":{"error":"x"}},{"weight":1,"fault":{"abort":"reset"}}]}"#;
    let first = r#""first_attempts":{"n":1,"key":"peer"}"#;
    let warnings = injector.warnings([&rule(first, choice, "http.server")]);
    let others: Vec<_> = warnings.iter().map(|it| &*it.field).collect();
    assert_eq!(others, ["faults[0].one_of[1].fault", "first_attempts.key"]);
    // A listener may hand the handle of a connection to its requests.
    let _ = injector.site_of("tcp.server", SiteKind::Connection);
    assert_eq!(fields(), ["key"]);
}

/// The call that noticed the end of the last rule once left the site idle, and no call was asked any more.
#[test]
fn peers_are_asked_for_after_the_end_of_a_rule() {
    let clock = ManualClock::new();
    let injector = Injector::with_clock(clock.clone());
    let site = injector.site("http.server");
    site.ask_for_peer();
    let (headers, uri) = (HeaderMap::new(), Uri::from_static("/"));
    let nobody = || None;
    let request = Call::http(&Method::GET, &uri, &headers).lazy_facts(&nobody);
    let program = r#""ttl":"1s","program":[{"for":"1s","rate":0}]"#;
    injector.put(rule(program, r#"{"error":"lost"}"#, "http.server"));
    clock.advance(Duration::from_secs(1));
    for _ in 0..2 {
        assert!(site.is_armed() && site.decide(&request).is_none());
    }
    assert!(!site.is_armed());
    let keyed = rule(r#""key":"peer""#, r#"{"error":"lost"}"#, "http.server");
    assert_eq!(injector.warnings([&keyed])[0].field, "key");
}

#[test]
fn peers_that_are_known_are_not_warned_of() {
    let injector = Injector::new();
    let site = injector.site("http.server");
    site.ask_for_peer();
    let (headers, uri) = (HeaderMap::new(), Uri::from_static("/"));
    let peer = || Some(IpAddr::from(Ipv4Addr::LOCALHOST));
    let request = Call::http(&Method::GET, &uri, &headers).lazy_facts(&peer);
    assert!(site.decide(&request).is_none());
    let keyed = rule(r#""key":"peer""#, r#"{"abort":"reset"}"#, "http.server");
    assert_eq!(injector.warnings([&keyed]), []);
}

/// Each part could have an effect at one of the sites, and no site could have them all.
#[tokio::test]
async fn parts_that_no_site_has_together_are_warned_of() {
    let injector = Injector::new();
    let sites = sites(&injector).await;
    let (path, label) = (r#""path":"/a""#, r#""labels":{"table":"orders"}"#);
    let both = format!(r#""match":{{{path},{label}}}"#);
    let labelled = format!(r#""match":{{{label}}}"#);
    let keyed = format!(r#""match":{{{path}}},"key":"label:table""#);
    let headers = r#"{"headers":{"set":{"x":"1"}}}"#;
    let error = FAULTS[5];
    for (aim, fault, expected) in [
        (&both, error, &["match.path", "match.labels.table"][..]),
        (&labelled, headers, &["faults[0]"]),
        (&keyed, error, &["match.path", "key"]),
        (&labelled, error, &[]),
    ] {
        let rule = rule(aim, fault, "at.*");
        injector.put(rule.clone());
        let hit = sites.iter().any(|site| fires(site));
        let warnings = injector.warnings([&rule]);
        let fields: Vec<_> = warnings.iter().map(|it| &*it.field).collect();
        assert_eq!((&fields[..], hit), (expected, expected.is_empty()), "{aim}");
    }
}

#[tokio::test]
async fn a_key_of_first_attempts_is_looked_at_as_a_key_is() {
    let injector = Injector::new();
    for site in sites(&injector).await {
        for key in AIMS.iter().filter_map(|aim| aim.strip_prefix(r#""key":"#)) {
            let (key, rest) = key.split_once(',').unwrap_or((key, r#""match":{}"#));
            let aim = format!(r#""first_attempts":{{"n":1,"key":{key}}},{rest}"#);
            let rule = rule(&aim, FAULTS[5], site.name());
            let warnings = injector.warnings([&rule]);
            injector.put(rule);
            assert_eq!(fires(site), warnings.is_empty(), "{aim} at {}", site.name());
            let mut warnings = warnings.iter();
            let is_named =
                warnings.len() == 0 || warnings.any(|it| it.field == "first_attempts.key");
            assert!(is_named, "{aim} at {}", site.name());
        }
    }
}

#[tokio::test]
async fn an_option_that_is_never_chosen_is_warned_of() {
    let injector = Injector::new();
    sites(&injector).await;
    let choice = r#"{"one_of":[{"weight":1,"fault":{"error":"x"}},{"weight":1,"fault":{"headers":{"set":{"x":"1"}}}}]}"#;
    let fields = |site| {
        let warnings = injector.warnings([&rule(r#""match":{}"#, choice, site)]);
        let fields = warnings.into_iter().map(|warning| warning.field);
        fields.collect::<Vec<_>>()
    };
    assert_eq!(fields("at.sync"), ["faults[0].one_of[1].fault"]);
    assert_eq!(fields("at.layer"), [""; 0]);
}

/// What is exempt or outside of the policy is no site at which a rule could have an effect.
#[tokio::test]
async fn sites_that_no_rule_reaches_do_not_count() {
    let by_exemption = Injector::new();
    sites(&by_exemption).await;
    by_exemption.exempt("at.layer".parse().unwrap());
    let by_policy = Injector::new();
    sites(&by_policy).await;
    let policy = chaos_core::Policy::new();
    let allowed = ["at.sync", "at.async", "at.connection"].map(|site| site.parse().unwrap());
    by_policy.set_policy(policy.sites(allowed));
    for injector in [by_exemption, by_policy] {
        let path = rule(AIMS[1], FAULTS[0], "at.*");
        injector.put(path.clone());
        assert!(!injector.sites().into_iter().any(fires));
        assert_eq!(injector.warnings([&path])[0].field, "match.path");
        let layer = rule(r#""match":{}"#, FAULTS[0], "at.layer");
        assert_eq!(injector.warnings([&layer])[0].field, "site");
    }
}

#[tokio::test]
async fn a_guard_rail_that_measures_nothing_is_warned_of() {
    let rail = |site: &str| {
        let bound = r#""error_ratio":0.1,"window":"10s","at_least":5"#;
        let site = match site {
            "" => String::new(),
            site => format!(r#""site":"{site}","#),
        };
        format!(r#""match":{{}},"guards":[{{{site}{bound}}}]"#)
    };
    let injector = Injector::new();
    sites(&injector).await;
    let fields = |injector: &Injector, aim: &str, site: &str| {
        let warnings = injector.warnings([&rule(aim, FAULTS[0], site)]);
        let fields = warnings.into_iter().map(|warning| warning.field);
        fields.collect::<Vec<_>>()
    };
    assert_eq!(fields(&injector, &rail("at.layer"), "at.sync"), [""; 0]);
    assert_eq!(fields(&injector, &rail("at.*"), "at.sync"), [""; 0]);
    assert_eq!(fields(&injector, &rail(""), "at.layer"), [""; 0]);
    assert_eq!(fields(&injector, &rail(""), "at.sync"), ["guards[0].site"]);
    // The site says it already.
    assert_eq!(fields(&injector, &rail(""), "at.layre"), ["site"]);
    injector.exempt("at.layer".parse().unwrap());
    for site in ["at.layer", "at.*"] {
        assert_eq!(
            fields(&injector, &rail(site), "at.sync"),
            ["guards[0].site"]
        );
    }
    // A pattern without layers is not refused, since a layer may come.
    let code = Injector::new();
    let _ = code.site_of("at.connection", SiteKind::Connection);
    let rule = rule(&rail("at.*"), FAULTS[0], "at.connection");
    code.check([&rule]).unwrap();
    assert_eq!(code.warnings([&rule])[0].field, "guards[0].site");
}
