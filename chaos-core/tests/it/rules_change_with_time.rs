//! A rule's rate, its size and its hours follow the clock of the injector.

use std::time::{Duration, SystemTime};

use chaos_core::{Call, Injector, Plan, Site, testing::ManualClock, wire::rule_from_value};
use serde_json::{Value, json};

fn armed(clock: &ManualClock, mut rule: Value) -> (Injector, &'static Site) {
    rule["site"] = json!("timed.read");
    let injector = Injector::with_clock(clock.clone());
    injector.put(rule_from_value(rule, Some("r")).unwrap());
    let site = injector.site("timed.read");
    (injector, site)
}

/// How many of so many calls are hit.
fn hits(site: &Site, calls: usize) -> usize {
    let hit = (0..calls).filter(|_| {
        let decision = site.decide(&Call::new());
        decision.is_some_and(|mut decision| decision.next_plan().is_some())
    });
    hit.count()
}

fn delay(site: &Site) -> Duration {
    let mut decision = site.decide(&Call::new()).unwrap();
    match decision.next_plan() {
        Some(Plan::Wait(wait)) => wait.time(),
        plan => panic!("{plan:?}"),
    }
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_rate_ramps_up_and_begins_again() {
    let clock = ManualClock::new();
    let (_injector, site) = armed(
        &clock,
        json!({ "program": [{ "for": "2m", "rate": "0..1" }, { "for": "1m", "rate": 0 }],
            "seed": 3, "faults": [{ "error": "x" }] }),
    );
    for _ in 0..3 {
        assert!(hits(site, 1000) < 5);
        clock.advance(MINUTE / 2);
        assert!((200..300).contains(&hits(site, 1000)));
        clock.advance(MINUTE);
        assert!((700..800).contains(&hits(site, 1000)));
        clock.advance(MINUTE / 2);
        assert_eq!(hits(site, 1000), 0);
        clock.advance(MINUTE);
    }
    // The ttl of ten minutes.
    clock.advance(MINUTE);
    assert!(site.decide(&Call::new()).is_none());
}

#[test]
fn flapping_goes_on_until_the_deadline() {
    let clock = ManualClock::new();
    let (injector, site) = armed(
        &clock,
        json!({ "program": [{ "for": "10s", "rate": 1 }, { "for": "50s", "rate": 0 }],
            "ttl": "3m", "faults": [{ "error": "x" }] }),
    );
    let seen: Vec<usize> = (0..24)
        .map(|_| {
            let hit = hits(site, 1);
            clock.advance(Duration::from_secs(10));
            hit
        })
        .collect();
    let mut expected = [1, 0, 0, 0, 0, 0].repeat(3);
    expected.extend([0; 6]);
    assert_eq!(seen, expected);
    // Every call up to the deadline was matched.
    assert_eq!(injector.counts("r").unwrap().matched, 18);
}

#[test]
fn a_scale_makes_delays_grow() {
    let clock = ManualClock::new();
    let (_injector, site) = armed(
        &clock,
        json!({ "program": [{ "for": "2m", "scale": "0..2" }], "faults": [{ "latency": "1s" }] }),
    );
    for (minutes, expected) in [(0, 0), (1, 1000), (2, 0), (3, 1000)] {
        assert_eq!(delay(site), Duration::from_millis(expected), "{minutes}");
        clock.advance(MINUTE);
    }
}

/// A keyed rule under a growing rate hits every key again that it has hit.
#[test]
fn a_ramp_keeps_the_keys_that_were_hit() {
    let clock = ManualClock::new();
    let (injector, _) = armed(
        &clock,
        json!({ "program": [{ "for": "10m", "rate": "0..1" }], "key": "label:user",
            "faults": [{ "error": "x" }] }),
    );
    let hit = || {
        let mut hit = Vec::new();
        for user in 0..500 {
            let passed = chaos_core::inject!(injector: &injector, "timed.read", user = %user);
            hit.extend(passed.is_err().then_some(user));
        }
        hit
    };
    let mut before = hit();
    for _ in 0..9 {
        clock.advance(MINUTE);
        let now = hit();
        assert!(before.iter().all(|user| now.contains(user)));
        assert!(now.len() > before.len());
        before = now;
    }
}

#[test]
fn a_window_opens_and_closes() {
    // Sunday, 2026-11-22, 23:00 in UTC: Monday, midnight, in Berlin.
    let sunday = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_388_400);
    let clock = ManualClock::starting_at(sunday);
    let window = json!({ "days": "mon-fri", "hours": "09:00-17:00", "zone": "Europe/Berlin" });
    let (injector, site) = armed(
        &clock,
        json!({ "window": window, "ttl": "never", "every": 2, "faults": [{ "error": "x" }] }),
    );
    let hours: Vec<usize> = (0..7 * 24)
        .map(|_| {
            let hit = hits(site, 2);
            clock.advance(60 * MINUTE);
            hit
        })
        .collect();
    let day = |open: usize| (0..24).map(move |hour| usize::from((9..17).contains(&hour)) * open);
    let week: Vec<usize> = [1, 1, 1, 1, 1, 0, 0].into_iter().flat_map(day).collect();
    assert_eq!(hours, week);
    // Outside of its hours, it matches nothing.
    assert_eq!(injector.counts("r").unwrap().matched, 2 * 5 * 8);
}
