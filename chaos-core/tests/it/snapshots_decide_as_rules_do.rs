//! What a thread keeps of a site's rules decides as the rules do, while others edit and halt them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread,
};

use chaos_core::{Call, Fault, Injector, Latency, Matcher, Plan, Rate, Rule, Text, Trigger};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

const SITE: &str = "snapshots";

fn rule(id: &str, fault: Fault) -> Rule {
    Rule::new(id.parse().unwrap(), SITE.parse().unwrap(), fault)
}

/// A rule that fires without ending the call.
fn noted(id: &str) -> Rule {
    rule(
        id,
        Fault::latency(Latency::fixed(std::time::Duration::ZERO).unwrap()),
    )
}

fn never() -> Trigger {
    Trigger::new().rate(Rate::new(0.0).unwrap())
}

fn tenant() -> HeaderName {
    HeaderName::from_static("x-tenant")
}

/// The facts of one call, and what a naive reading of the rules of [`kept`] says of them.
struct Facts {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

impl Facts {
    fn number(n: u64) -> Self {
        let method = [Method::GET, Method::PUT, Method::POST][(n % 3) as usize].clone();
        let paths = [
            "/",
            "/products/7",
            "/products/7/x",
            "/products/8?beta=1",
            "/x?beta=1&a=2",
        ];
        let mut headers = HeaderMap::new();
        for value in &["acme", "zed"][..(n / 15 % 3) as usize] {
            headers.append(tenant(), HeaderValue::from_static(value));
        }
        Self {
            method,
            uri: Uri::from_static(paths[(n / 3 % 5) as usize]),
            headers,
        }
    }

    fn matches(&self, id: &str) -> bool {
        match id {
            "plain" => true,
            "seeded" => {
                self.method == "GET" && self.headers.get_all(tenant()).iter().any(|v| v == "acme")
            }
            "every" => {
                let segments: Vec<_> = self.uri.path().split('/').collect();
                matches!(segments[..], ["", "products", _])
            }
            "limited" => self.uri.query().is_some_and(|q| q.starts_with("beta=1")),
            other => panic!("{other}"),
        }
    }
}

/// Rules that no edit of the test changes.
fn kept() -> [Rule; 4] {
    let acme = Matcher::new().method("GET").header(tenant(), "acme");
    let product = Matcher::new().path("/products/{id}");
    let beta = Matcher::new().query("beta", "1");
    [
        noted("plain").trigger(never()),
        noted("seeded")
            .matching(acme)
            .trigger(Trigger::new().seed(7).rate(Rate::new(0.3).unwrap())),
        noted("every")
            .matching(product)
            .trigger(Trigger::new().skip(10).every(3.try_into().unwrap())),
        noted("limited")
            .matching(beta)
            .trigger(Trigger::new().limit(1000.try_into().unwrap())),
    ]
}

/// Rules that come and go: none of them ever hits.
fn others(count: u64) -> impl Iterator<Item = Rule> {
    (0..count).map(|n| {
        let matcher = match n % 4 {
            0 => Matcher::new(),
            1 => Matcher::new().path(Text::is(&format!("/products/{n}"))),
            2 => Matcher::new().method("GET").header(tenant(), "zed"),
            _ => Matcher::new().query("beta", "1"),
        };
        let trigger = if n % 5 == 4 { never().seed(n) } else { never() };
        noted(&format!("other-{n}"))
            .matching(matcher)
            .trigger(trigger)
    })
}

#[test]
fn a_hundred_thousand_calls_decide_as_a_naive_twin_does_while_others_edit() {
    const CALLS: u64 = 100_000;
    const IDS: [&str; 4] = ["plain", "seeded", "every", "limited"];
    let injector = Injector::new();
    let site = injector.site(SITE);
    injector.replace(kept().into()).unwrap();
    let fired = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&fired);
    injector.observe(move |injection| {
        let at = IDS.iter().position(|id| *id == injection.rule.as_str());
        let before = seen.fetch_or(1 << at.unwrap(), SeqCst);
        assert_eq!(before & 1 << at.unwrap(), 0);
    });
    let seeded = &kept()[1];
    let preview = seeded.preview().unwrap();
    let mut matched = [0_u64; IDS.len()];
    let done = AtomicBool::new(false);
    let edits = thread::scope(|scope| {
        let editor = scope.spawn(|| {
            let mut edits = 0;
            while !done.load(SeqCst) {
                // Now few rules, which are asked one by one, and now many, which are looked up.
                let others: Vec<_> = others([0, 1, 3, 40][edits % 4]).collect();
                let (before, after) = others.split_at(others.len() / 2);
                let rules = [before, &kept()[..], after].concat();
                injector.replace(rules).unwrap();
                edits += 1;
                thread::yield_now();
            }
            edits
        });
        for n in 0..CALLS {
            let facts = Facts::number(n);
            let mut expected = 0;
            for (at, id) in IDS.into_iter().enumerate() {
                if !facts.matches(id) {
                    continue;
                }
                let ordinal = matched[at];
                matched[at] += 1;
                let hits = match id {
                    "seeded" => preview.hits_ordinal(ordinal),
                    "every" => ordinal >= 10 && (ordinal - 9).is_multiple_of(3),
                    "limited" => ordinal < 1000,
                    _ => false,
                };
                expected |= u64::from(hits) << at;
            }
            let call = Call::http(&facts.method, &facts.uri, &facts.headers);
            if let Some(mut decision) = site.decide(&call) {
                while decision.next_plan().is_some() {}
            }
            assert_eq!(fired.swap(0, SeqCst), expected, "call {n}");
        }
        done.store(true, SeqCst);
        editor.join().unwrap()
    });
    assert!(edits > 10, "{edits} edits");
    for (id, matched) in IDS.into_iter().zip(matched) {
        assert_eq!(injector.counts(id).unwrap().matched, matched, "{id}");
    }
}

/// The calls of a thread that has kept a snapshot are counted once each, whenever an edit comes.
#[test]
fn an_edit_between_a_look_and_the_decision_counts_no_call_twice() {
    let injector = Injector::new();
    let site = injector.site(SITE);
    let matched = |id| injector.counts(id).unwrap().matched;
    let lost = || rule("lost", Fault::error("lost"));
    let rules = || vec![noted("kept").trigger(never()), lost()];
    injector.replace(rules()).unwrap();
    // The first call makes the snapshot.
    assert!(site.decide(&Call::new()).is_some());
    let look = site.first_look();
    assert!(!look.leaves_alone());
    assert_eq!((matched("kept"), matched("lost")), (2, 2));
    injector
        .replace(vec![noted("kept").trigger(never())])
        .unwrap();
    assert!(site.decide_after(look, &Call::new()).is_none());
    assert_eq!(matched("kept"), 2);

    injector.replace(rules()).unwrap();
    for _ in 0..20 {
        assert!(site.decide(&Call::new()).is_some());
    }
    let look = site.first_look();
    assert_eq!((matched("kept"), matched("lost")), (23, 21));
    injector.halt("enough");
    assert!(site.decide_after(look, &Call::new()).is_none());
    assert_eq!((matched("kept"), matched("lost")), (22, 20));
}

/// Rules that read calls take another look than those that do not: no call has both.
#[test]
fn an_edit_between_two_looks_counts_no_call_twice() {
    const CALLS: u64 = 300_000;
    let injector = Injector::new();
    let site = injector.site(SITE);
    let reading = noted("reading").matching(Matcher::new().path("/never"));
    let edits = [vec![noted("kept")], vec![noted("kept"), reading]];
    injector.replace(edits[0].clone()).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for rules in edits.iter().cycle() {
                if done.load(SeqCst) {
                    break;
                }
                injector.replace(rules.clone()).unwrap();
                thread::yield_now();
            }
        });
        for _ in 0..CALLS {
            assert!(site.decide(&Call::new()).is_some());
        }
        done.store(true, SeqCst);
    });
    assert_eq!(injector.counts("kept").unwrap().matched, CALLS);
}

/// If an integration passes other sites between a look and the decision, one of them takes the slot.
#[test]
fn sites_that_are_passed_between_a_look_and_the_decision_keep_their_counts() {
    let injector = Injector::new();
    let site = injector.site(SITE);
    let others: Vec<_> = (0..100)
        .map(|n| injector.site(&format!("between.n{n}")))
        .collect();
    let other = Rule::new(
        "other".parse().unwrap(),
        "between.*".parse().unwrap(),
        Fault::error("x"),
    );
    let lost = rule("lost", Fault::error("lost"));
    injector
        .replace(vec![
            noted("kept").trigger(never()),
            lost,
            other.trigger(never()),
        ])
        .unwrap();
    let matched = |id| injector.counts(id).unwrap().matched;
    assert!(site.decide(&Call::new()).is_some());
    let look = site.first_look();
    assert!(!look.leaves_alone());
    for _ in 0..50 {
        for other in &others {
            assert!(other.decide(&Call::new()).is_none());
        }
    }
    assert!(site.decide_after(look, &Call::new()).is_some());
    assert_eq!(["kept", "lost", "other"].map(matched), [2, 2, 5_000],);
}

/// More sites than a thread keeps snapshots of decide alike.
#[test]
fn sites_beyond_those_that_are_kept_decide_alike() {
    let injector = Injector::new();
    let sites: Vec<_> = (0..100)
        .map(|n| injector.site(&format!("many.n{n}")))
        .collect();
    let rule = Rule::new(
        "never".parse().unwrap(),
        "many.*".parse().unwrap(),
        Fault::error("x"),
    );
    injector.put(rule.trigger(never()));
    for _ in 0..50 {
        for site in &sites {
            assert!(site.decide(&Call::new()).is_none());
        }
    }
    assert_eq!(injector.counts("never").unwrap().matched, 5_000);
}

#[test]
fn a_call_that_begins_after_halt_has_returned_is_never_hit() {
    // `CHAOS_TEST_RACES=1000000` races it as often as the documentation says.
    let races = std::env::var("CHAOS_TEST_RACES").map_or(2_000, |races| races.parse().unwrap());
    let injector = Injector::new();
    let site = injector.site(SITE);
    injector.put(rule("lost", Fault::error("lost")));
    // Odd from after each halt until before the resume.
    let epoch = AtomicU64::new(0);
    let done = AtomicBool::new(false);
    let [during, hits] = thread::scope(|scope| {
        let caller = scope.spawn(|| {
            let mut counts = [0_u64; 2];
            while !done.load(SeqCst) {
                let before = epoch.load(SeqCst);
                let decision = site.decide(&Call::new());
                let plan = decision.and_then(|mut decision| decision.next_plan());
                if before % 2 == 1 && epoch.load(SeqCst) == before {
                    assert!(plan.is_none(), "hit after a halt");
                    counts[0] += 1;
                }
                counts[1] += u64::from(matches!(plan, Some(Plan::Fail(_))));
            }
            counts
        });
        for _ in 0..races {
            injector.halt("enough");
            epoch.fetch_add(1, SeqCst);
            thread::yield_now();
            epoch.fetch_add(1, SeqCst);
            injector.resume();
            thread::yield_now();
        }
        done.store(true, SeqCst);
        caller.join().unwrap()
    });
    assert!(
        during > 0 && hits > 0,
        "{during} calls during halts, {hits} hits"
    );
}

/// A rule alone is asked by what the thread has kept of it; beside others, which are looked up, it is asked itself.
#[test]
fn a_key_alone_decides_as_it_does_beside_other_rules() {
    let keyed = |key: &str, matcher: Matcher| {
        let trigger = Trigger::new().key(key.parse().unwrap());
        noted("keyed")
            .matching(matcher)
            .trigger(trigger.seed(7).rate(Rate::new(0.3).unwrap()))
    };
    let get = || Matcher::new().method("GET");
    for rule in [
        keyed("header:x-tenant", Matcher::new()),
        keyed("header:x-tenant", get()),
        keyed(
            "query:user",
            Matcher::new().header(tenant(), Text::prefix("t")),
        ),
        keyed("path:id", Matcher::new().path("/products/{id}")),
    ] {
        let (alone, among) = (Injector::new(), Injector::new());
        alone.put(rule.clone());
        let elsewhere =
            |n| noted(&format!("o{n}")).matching(Matcher::new().path(&*format!("/o/{n}")));
        among
            .replace((0..20).map(elsewhere).chain([rule.clone()]).collect())
            .unwrap();
        let (mut hits, mut matched) = (0, 0);
        for n in 0..3000_u32 {
            let uri: Uri = format!("/products/{n}?page=2&user=u%{n:02x}", n = n % 100)
                .parse()
                .unwrap();
            let method = [Method::GET, Method::PUT][(n % 2) as usize].clone();
            let mut headers = HeaderMap::new();
            let value = match n % 7 {
                0 => None,
                1 => Some(HeaderValue::from_bytes(b"t\xff").unwrap()),
                2 => Some(format!("t{}", "x".repeat(300)).parse().unwrap()),
                _ => Some(format!("t{n}").parse().unwrap()),
            };
            headers.extend(value.map(|value| (tenant(), value)));
            let call = Call::http(&method, &uri, &headers);
            let [hit, expected] = [&alone, &among].map(|injector| {
                let decision = injector.site(SITE).decide(&call);
                decision.map(|mut decision| decision.next_plan().is_some())
            });
            assert_eq!(hit, expected, "{} on {call:?}", rule.id());
            hits += u64::from(hit.is_some());
            matched += 1;
        }
        let counts = [&alone, &among].map(|injector| {
            let (set, counts) = injector.report();
            let at = set
                .rules()
                .iter()
                .position(|of| of.id() == rule.id())
                .unwrap();
            (counts[at].matched, counts[at].injected)
        });
        assert_eq!(counts[0], counts[1]);
        assert_eq!(counts[0].1, hits);
        assert!((1..=matched).contains(&counts[0].0) && (1..matched).contains(&hits));
    }
}
