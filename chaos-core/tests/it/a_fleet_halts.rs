//! A fleet is a holder of halts: only the fleet ends its hold, and frees nobody whom others have stopped.

use std::{
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use chaos_core::{
    AttributedInjector, Clock, Fault, HaltHook, HolderKind, Injector, Latency, Rule, State,
    audit::{Action, Actor},
    inject, inject_async,
    rule::ChangeError,
    testing::ManualClock,
};

fn failing(site: &str) -> Injector {
    let injector = Injector::with_clock(ManualClock::new());
    let (id, site) = ("r".parse().unwrap(), site.parse().unwrap());
    injector.put(Rule::new(id, site, Fault::error("x")));
    injector
}

fn by<'i>(injector: &'i Injector, name: &str, reason: &str) -> AttributedInjector<'i> {
    injector.as_actor(Actor::new(name).because(reason))
}

fn is_halted(injector: &Injector) -> bool {
    matches!(injector.status().state, State::Halted { .. })
}

/// Returns the kind, the fleet and the reason of each holder, and whether it is locked.
fn holders(injector: &Injector) -> Vec<(HolderKind, String, String, bool)> {
    let holders = injector.status().holders.into_iter();
    let told = holders.map(|it| {
        let fleet = it.fleet.as_deref().unwrap_or_default().to_owned();
        let reason = it.by.reason().unwrap_or_default().to_owned();
        (it.kind, fleet, reason, it.locked)
    });
    told.collect()
}

fn of_fleet(fleet: &str, reason: &str) -> (HolderKind, String, String, bool) {
    (HolderKind::Fleet, fleet.to_owned(), reason.to_owned(), true)
}

#[test]
fn only_the_fleet_resumes() {
    let injector = failing("fleet.halt");
    let pass = || inject!(injector: injector, "fleet.halt").is_err();
    assert!(pass());
    assert!(by(&injector, "alice", "an incident").halt_for_fleet("shop"));
    assert!(!pass() && is_halted(&injector));
    assert!(!injector.resume());
    assert_eq!(injector.acknowledge(), 0);
    let refused = by(&injector, "bob", "go on").resume().unwrap_err();
    assert!(matches!(&refused, ChangeError::HeldByFleet { fleet, .. } if **fleet == *"shop"));
    let said = "injection stays halted until the fleet `shop` resumes it: an incident";
    assert_eq!(refused.to_string(), said);
    assert_eq!(
        by(&injector, "carol", "").resume_for_fleet("other"),
        Ok(false)
    );
    assert!(!pass());

    // Who halts twice is one holder, for the reason given last.
    assert!(!by(&injector, "carol", "it spreads").halt_for_fleet("shop"));
    assert_eq!(holders(&injector), [of_fleet("shop", "it spreads")]);
    assert_eq!(
        by(&injector, "carol", "").resume_for_fleet("shop"),
        Ok(true)
    );
    assert!(pass() && !is_halted(&injector));
    assert_eq!(
        by(&injector, "carol", "").resume_for_fleet("shop"),
        Ok(false)
    );

    let entries = injector.audit().after(0).entries;
    let told: Vec<_> = entries[1..]
        .iter()
        .map(|entry| (entry.action, entry.actor.name(), entry.what.as_deref()))
        .collect();
    let expected = [
        (Action::Halt, "alice", Some("for the fleet shop")),
        (
            Action::Halt,
            "carol",
            Some("for the fleet shop, already held by the fleet shop"),
        ),
        (
            Action::Resume,
            "carol",
            Some("ended the holds of the fleet shop"),
        ),
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_fleet_frees_nobody_else() {
    let injector = failing("fleet.others");
    let pass = || inject!(injector: injector, "fleet.others").is_err();
    let fleet = by(&injector, "carol", "an incident");
    injector.halt("by hand");
    assert!(!fleet.halt_for_fleet("shop"));
    assert!(!fleet.halt_for_fleet("all"));
    assert_eq!(fleet.resume_for_fleet("shop"), Ok(true));
    let person = (
        HolderKind::Person,
        String::new(),
        "by hand".to_owned(),
        false,
    );
    assert_eq!(
        holders(&injector),
        [person.clone(), of_fleet("all", "an incident")]
    );
    assert!(!injector.resume(), "a fleet is left");
    assert_eq!(fleet.resume_for_fleet("all"), Ok(true));
    assert_eq!(holders(&injector), [person]);
    assert!(!pass());
    let entry = injector.audit().after(0).entries.pop().unwrap();
    let told = "ended the hold of the fleet all, still held by code";
    assert_eq!(
        (entry.action, entry.what.as_deref()),
        (Action::Resume, Some(told))
    );
    assert!(injector.resume() && pass());
}

#[tokio::test(start_paused = true)]
async fn the_halt_of_a_fleet_frees_calls_that_wait() {
    let injector = Injector::new();
    let late = Fault::latency(Latency::fixed(Duration::from_secs(500)).unwrap());
    let site = "fleet.late".parse().unwrap();
    injector.put(Rule::new("r".parse().unwrap(), site, late));
    let call = async { inject_async!(injector: injector, "fleet.late").await };
    let halt = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        by(&injector, "carol", "an incident").halt_for_fleet("shop");
    };
    let clock = Clock::monotonic();
    let (result, ()) = tokio::join!(call, halt);
    result.unwrap();
    assert!(clock.now() < Duration::from_secs(2));
}

/// A hook that keeps halts, as a halt file does.
#[derive(Default)]
struct Kept {
    heard: Mutex<Vec<String>>,
    refuses: AtomicBool,
}

impl HaltHook for Kept {
    fn halted(&self, by: &Actor) {
        self.heard.lock().unwrap().push(by.to_string());
    }

    fn before_resume(&self) -> Result<(), String> {
        match self.refuses.load(Ordering::Relaxed) {
            true => Err("an incident".to_owned()),
            false => Ok(()),
        }
    }
}

#[test]
fn a_hook_does_not_keep_the_halt_of_a_fleet_and_may_refuse_its_end() {
    let (injector, kept) = (failing("fleet.hook"), Arc::new(Kept::default()));
    injector.add_halt_hook(kept.clone());
    let fleet = by(&injector, "carol", "why");
    fleet.halt_for_fleet("shop");
    kept.refuses.store(true, Ordering::Relaxed);
    let refused = fleet.resume_for_fleet("shop").unwrap_err();
    assert!(
        matches!(refused, ChangeError::ResumeRefused { .. }),
        "{refused}"
    );
    assert_eq!(holders(&injector), [of_fleet("shop", "why")]);
    // Where others go on to hold, nothing is resumed, so nobody is asked.
    injector.halt("by hand");
    assert_eq!(fleet.resume_for_fleet("shop"), Ok(true));
    assert_eq!(kept.heard.lock().unwrap().len(), 1, "that by hand");
}

/// A person's halt at the very moment of the fleet's resume must not be lost.
#[test]
fn a_halt_at_the_moment_of_the_fleets_resume_stays() {
    let injector = failing("fleet.race");
    for _ in 0..300 {
        by(&injector, "carol", "why").halt_for_fleet("shop");
        let start = Barrier::new(2);
        thread::scope(|scope| {
            scope.spawn(|| {
                start.wait();
                injector.halt("by hand");
            });
            start.wait();
            let fleet = by(&injector, "carol", "go on");
            if fleet.resume_for_fleet("shop").is_err() {
                // Someone has halted meanwhile.
                assert_eq!(fleet.resume_for_fleet("shop"), Ok(true));
            }
        });
        let kinds: Vec<_> = holders(&injector).into_iter().map(|it| it.0).collect();
        assert_eq!(kinds, [HolderKind::Person]);
        assert!(inject!(injector: injector, "fleet.race").is_ok());
        assert!(injector.resume());
    }
}
