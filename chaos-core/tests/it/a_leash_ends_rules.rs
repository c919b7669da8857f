//! Rules on a leash act no longer than someone extends it, whoever has died: a call that is about to be hit reads the
//! leash, and a call that waits wakes up at its end.

use std::{
    num::NonZeroU64,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use chaos_core::{
    AttributedInjector, Clock, Fault, Injector, Latency, Leash, Lifetime, Mode, Rule, State,
    Trigger,
    audit::{Action, Actor, Entry},
    inject, inject_async,
    rule::Change,
    testing::ManualClock,
};
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);
const HOLD: Duration = Duration::from_secs(30);

fn fails(id: &str, site: &str) -> Rule {
    let (id, site) = (id.parse().unwrap(), site.parse().unwrap());
    Rule::new(id, site, Fault::error("x")).lifetime(Lifetime::NEVER_ENDS)
}

fn lasting(rule: Rule, seconds: u32) -> Rule {
    rule.lifetime(Lifetime::new(seconds * SECOND).unwrap())
}

fn with_clock() -> (Injector, ManualClock) {
    let clock = ManualClock::new();
    (Injector::with_clock(clock.clone()), clock)
}

fn on<'i>(injector: &'i Injector, leash: &Leash) -> AttributedInjector<'i> {
    injector.as_actor(Actor::new("fleet")).on_leash(leash)
}

fn put(injector: &Injector, leash: &Leash, rule: Rule) {
    on(injector, leash).apply(Change::Put(rule), None).unwrap();
}

#[test]
fn a_rule_ends_with_its_leash_and_goes_on_with_it() {
    let (injector, clock) = with_clock();
    let leash = injector.leash(HOLD);
    let pass = || inject!(injector: injector, "leash.plain").is_err();
    let limit = Trigger::new().limit(NonZeroU64::new(3).unwrap());
    put(&injector, &leash, fails("r", "leash.plain").trigger(limit));
    clock.advance(HOLD - Duration::from_nanos(1));
    assert!(pass());
    assert_eq!(injector.status().state, State::Armed);

    clock.advance(Duration::from_nanos(1));
    assert!(leash.is_over() && !pass());
    assert_eq!(injector.status().state, State::Idle);
    let counts = injector.counts("r").unwrap();
    assert_eq!(counts.leash, Some(Duration::ZERO));
    assert_eq!(counts.expires_in, Some(Duration::ZERO));
    assert_eq!((counts.matched, counts.injected, counts.active), (2, 1, 0));

    clock.advance(100 * SECOND);
    leash.extend();
    assert_eq!((leash.left(), leash.hold()), (HOLD, HOLD));
    assert!(pass() && pass(), "the rule goes on");
    assert!(!pass(), "and so does its limit");
    let counts = injector.counts("r").unwrap();
    assert_eq!((counts.matched, counts.injected), (5, 3));
    assert_eq!((counts.leash, counts.expires_in), (Some(HOLD), Some(HOLD)));
    assert_eq!(injector.status().state, State::Armed);

    leash.clone().end();
    assert!(leash.is_over());
    assert_eq!(injector.status().state, State::Idle);
}

/// A thread keeps what settles most calls of a rule. It must forget neither the rule nor its leash.
#[test]
fn each_way_to_fire_reads_the_leash() {
    let (injector, clock) = with_clock();
    let leash = injector.leash(HOLD);
    let rules = [
        fails("plain", "leash.ways"),
        fails("two-faults", "leash.ways").then(Fault::error("y")),
        fails("seeded", "leash.ways").trigger(Trigger::new().seed(1)),
        fails("in-shadow", "leash.ways").mode(Mode::Shadow),
        lasting(fails("with-a-ttl", "leash.ways"), 600),
    ];
    for rule in rules {
        let id = rule.id().clone();
        put(&injector, &leash, rule);
        let hits = || {
            let before = injector.counts(id.as_str()).unwrap();
            for _ in 0..20 {
                let _ = inject!(injector: injector, "leash.ways");
            }
            let after = injector.counts(id.as_str()).unwrap();
            assert_eq!(after.matched, before.matched + 20);
            after.injected + after.shadowed - before.injected - before.shadowed
        };
        for _ in 0..2 {
            leash.extend();
            assert_eq!(hits(), 20, "{id}");
            clock.advance(HOLD);
            assert_eq!(hits(), 0, "{id}");
        }
        injector.remove(&id);
    }
}

#[test]
fn the_time_of_the_rule_goes_on_while_its_leash_is_over() {
    let (injector, clock) = with_clock();
    let leash = injector.leash(HOLD);
    let pass = || inject!(injector: injector, "leash.ttl").is_err();
    put(&injector, &leash, lasting(fails("r", "leash.ttl"), 60));
    clock.advance(40 * SECOND);
    assert!(!pass());
    leash.extend();
    assert!(pass());
    let left = injector.counts("r").unwrap();
    assert_eq!(
        (left.expires_in, left.leash),
        (Some(20 * SECOND), Some(HOLD))
    );
    // An extension moves the rule's own deadline, and not the leash.
    injector.extend("r", 20 * SECOND).unwrap();
    let left = injector.counts("r").unwrap();
    assert_eq!((left.expires_in, left.leash), (Some(HOLD), Some(HOLD)));
    clock.advance(35 * SECOND);
    assert!(!pass());
    leash.extend();
    assert!(pass());
    clock.advance(5 * SECOND);
    assert!(!pass(), "its own deadline");
    leash.extend();
    assert!(!pass());
    assert_eq!(injector.status().state, State::Idle);
    let site = injector.site("leash.ttl");
    assert!(!site.is_armed(), "the site is idle for good");
}

#[test]
fn a_rule_hangs_on_what_the_last_put_has() {
    let (injector, clock) = with_clock();
    let [first, second] = [HOLD, 2 * HOLD].map(|hold| injector.leash(hold));
    let leash_of = |id: &str| injector.counts(id).unwrap().leash;
    let mine = || fails("mine", "leash.put");
    put(&injector, &first, mine());
    assert!(inject!(injector: injector, "leash.put").is_err());
    put(&injector, &second, mine());
    assert_eq!(leash_of("mine"), Some(2 * HOLD));
    assert_eq!(injector.counts("mine").unwrap().injected, 1, "it goes on");

    // Who writes all rules neither takes those of others nor frees them.
    let theirs = fails("theirs", "leash.put.other");
    injector.put(theirs.clone());
    let all = || Change::Replace(vec![mine(), theirs.clone(), fails("new", "leash.put.new")]);
    on(&injector, &first).apply(all(), None).unwrap();
    assert_eq!(leash_of("mine"), Some(2 * HOLD));
    assert_eq!(leash_of("theirs"), None);
    assert_eq!(leash_of("new"), Some(HOLD));
    injector.apply(all(), None).unwrap();
    assert_eq!(leash_of("new"), Some(HOLD));

    // An edit leaves a rule where it is, also one that arms it anew.
    for rule in [mine().enabled(false), mine(), mine().because("why"), mine()] {
        injector.apply(Change::Edit(rule), None).unwrap();
        assert_eq!(leash_of("mine"), Some(2 * HOLD));
    }
    on(&injector, &first)
        .apply(Change::Edit(mine()), None)
        .unwrap();
    assert_eq!(leash_of("mine"), Some(HOLD));

    injector.put(mine());
    assert_eq!(leash_of("mine"), None);
    first.end();
    assert!(inject!(injector: injector, "leash.put").is_err());
    put(&injector, &first, mine());
    assert!(inject!(injector: injector, "leash.put").is_ok());
    clock.advance(HOLD);
}

/// A dead controller's rules once came back by way of a policy that was set, or of a halt.
#[test]
fn nothing_but_an_extension_revives_a_rule() {
    let (injector, clock) = with_clock();
    let leash = injector.leash(HOLD);
    let pass = || inject!(injector: injector, "leash.dead").is_err();
    put(&injector, &leash, lasting(fails("r", "leash.dead"), 3600));
    clock.advance(HOLD);
    injector.halt("why");
    injector.resume();
    injector.extend("r", SECOND).unwrap();
    injector.set_policy(injector.policy().max_ttl(1800 * SECOND));
    put(&injector, &leash, lasting(fails("r", "leash.dead"), 3600));
    put(&injector, &leash, fails("another", "leash.dead"));
    assert!(!pass());
    let site = injector.site("leash.dead");
    assert!(
        site.is_armed(),
        "an extension needs nobody who arms the site"
    );
    leash.extend();
    assert!(pass());
}

#[test]
fn the_end_of_a_leash_is_written_down_once_each_time() {
    let (injector, clock) = with_clock();
    let leash = injector.leash(HOLD);
    put(&injector, &leash, fails("a", "leash.audit"));
    put(&injector, &leash, lasting(fails("b", "leash.audit"), 50));
    put(
        &injector,
        &leash,
        fails("off", "leash.audit").enabled(false),
    );
    injector.put(lasting(fails("mine", "leash.audit"), 3600));
    let seen = injector.audit().last();
    assert_eq!(injector.sweep(), Some(HOLD));
    let ended = || -> Vec<_> {
        let _ = injector.status();
        let entries = injector.audit().after(seen).entries;
        assert!(entries.iter().all(|entry| entry.action == Action::Expire));
        let told = |entry: &Arc<Entry>| {
            let what = entry.what.as_deref().unwrap_or_default().to_owned();
            (what, entry.actor.reason().is_some())
        };
        entries.iter().map(told).collect()
    };
    let a = ("a".to_owned(), true);
    let b = |by_leash| ("b".to_owned(), by_leash);
    assert_eq!(ended(), []);
    clock.advance(HOLD);
    assert_eq!(ended(), [a.clone(), b(true)]);
    assert_eq!(injector.sweep(), Some(Duration::from_secs(20)));
    leash.extend();
    assert_eq!(ended().len(), 2);
    clock.advance(20 * SECOND);
    assert_eq!(ended()[2..], [b(false)], "its own deadline");
    leash.end();
    assert_eq!(ended()[3..], [a], "once more, and b no more");
    assert_eq!(injector.sweep(), Some(Duration::from_secs(3550)));
}

#[tokio::test(start_paused = true)]
async fn a_delay_ends_with_the_leash_and_goes_on_if_that_is_extended() {
    let injector = Injector::new();
    let leash = injector.leash(HOLD);
    let latency = Fault::latency(Latency::fixed(100 * SECOND).unwrap());
    let site = "leash.late".parse().unwrap();
    let rule = Rule::new("r".parse().unwrap(), site, latency).then(Fault::error("late"));
    put(&injector, &leash, rule);
    let clock = Clock::monotonic();
    let call = || async {
        let start = clock.now();
        let result = inject_async!(injector: injector, "leash.late").await;
        (clock.now() - start, result)
    };
    let is_about = |took: Duration, wanted: Duration| {
        (wanted..wanted + Duration::from_millis(20)).contains(&took)
    };
    let (took, result) = call().await;
    assert!(result.is_ok() && is_about(took, HOLD), "{took:?}");

    leash.extend();
    let extend = async {
        for _ in 0..8 {
            tokio::time::sleep(20 * SECOND).await;
            leash.extend();
        }
    };
    let ((took, result), ()) = tokio::join!(call(), extend);
    assert!(result.is_err() && is_about(took, 100 * SECOND), "{took:?}");

    leash.extend();
    let end = async {
        tokio::time::sleep(SECOND).await;
        assert_eq!(injector.status().active, 1);
        leash.end();
    };
    let ((took, result), ()) = tokio::join!(call(), end);
    assert!(result.is_ok() && is_about(took, SECOND), "{took:?}");
    assert_eq!(injector.status().active, 0);
}

#[tokio::test(start_paused = true)]
async fn a_pause_ends_with_the_leash() {
    let injector = Injector::new();
    let leash = injector.leash(HOLD);
    let pause = Fault::pause(600 * SECOND).unwrap();
    let site = "leash.pause".parse().unwrap();
    put(
        &injector,
        &leash,
        Rule::new("r".parse().unwrap(), site, pause),
    );
    let clock = Clock::monotonic();
    inject_async!(injector: injector, "leash.pause")
        .await
        .unwrap();
    assert!((HOLD..HOLD + SECOND).contains(&clock.now()));

    leash.extend();
    let release = async {
        tokio::time::sleep(HOLD - SECOND).await;
        leash.extend();
        tokio::time::sleep(HOLD - SECOND).await;
        injector.release("r");
    };
    let call = async { inject_async!(injector: injector, "leash.pause").await };
    let (result, ()) = tokio::join!(call, release);
    result.unwrap();
    let took = clock.now() - HOLD;
    assert!((2 * (HOLD - SECOND)..2 * HOLD).contains(&took), "{took:?}");
}

/// The task that would end the rules cannot run: `block` holds the only thread of its runtime.
#[test]
fn a_blocked_runtime_is_free_again_when_the_leash_ends() {
    const SHORT: Duration = Duration::from_millis(200);
    let injector = Injector::new();
    let leash = injector.leash(SHORT);
    let block = Fault::block(600 * SECOND).unwrap();
    let site = "leash.block".parse().unwrap();
    put(
        &injector,
        &leash,
        Rule::new("r".parse().unwrap(), site, block),
    );
    let extended = AtomicBool::new(false);
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().unwrap();
    let clock = Clock::monotonic();
    runtime.block_on(async {
        let keeper = async {
            loop {
                tokio::time::sleep(SHORT / 10).await;
                leash.extend();
                extended.store(true, Ordering::Relaxed);
            }
        };
        let call = async {
            leash.extend();
            inject_async!(injector: injector, "leash.block").await
        };
        tokio::select! {
            biased;
            result = call => result.unwrap(),
            () = keeper => unreachable!("it never ends"),
        }
    });
    let took = clock.now();
    assert!((SHORT..50 * SHORT).contains(&took), "{took:?}");
    assert!(!extended.load(Ordering::Relaxed), "the runtime was blocked");
}

#[test]
fn threads_that_wait_are_woken_at_the_end_and_sleep_on_after_an_extension() {
    const SHORT: Duration = Duration::from_millis(300);
    let injector = Injector::new();
    let leash = injector.leash(SHORT);
    let late = Fault::latency(Latency::fixed(600 * SECOND).unwrap());
    let site = "leash.thread".parse().unwrap();
    put(
        &injector,
        &leash,
        Rule::new("r".parse().unwrap(), site, late),
    );
    let clock = Clock::monotonic();
    thread::scope(|scope| {
        let calls: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| inject!(injector: injector, "leash.thread").unwrap()))
            .collect();
        injector.wait_for_blocking("r", 8, 60 * SECOND).unwrap();
        while clock.now() < 4 * SHORT {
            leash.extend();
            thread::yield_now();
        }
        assert_eq!(
            injector.status().active,
            8,
            "an extended leash keeps the calls"
        );
        leash.end();
        let ended = clock.now();
        calls.into_iter().for_each(|call| call.join().unwrap());
        let took = clock.now() - ended;
        assert!(took < 100 * SHORT, "{took:?}");
    });
    assert_eq!(injector.status().active, 0);
}

/// A call that waited for a rule without a leash is no business of one that the rule hangs on later.
#[tokio::test(start_paused = true)]
async fn a_call_keeps_the_leash_with_which_it_began_to_wait() {
    let injector = Injector::new();
    let leash = injector.leash(HOLD);
    let late = Fault::latency(Latency::fixed(20 * SECOND).unwrap());
    let site = "leash.moved".parse().unwrap();
    let rule = Rule::new("r".parse().unwrap(), site, late);
    injector.put(rule.clone());
    let clock = Clock::monotonic();
    let call = || async { inject_async!(injector: injector, "leash.moved").await };
    let others = async {
        tokio::time::sleep(SECOND).await;
        put(&injector, &leash, rule.clone());
        let ended = async {
            tokio::time::sleep(SECOND).await;
            leash.end();
        };
        let (result, ()) = tokio::join!(call(), ended);
        assert!(clock.now() < 3 * SECOND, "{:?}", clock.now());
        result.unwrap();
    };
    let (result, ()) = tokio::join!(call(), others);
    result.unwrap();
    assert!(clock.now() >= 20 * SECOND, "{:?}", clock.now());
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Advance(u32),
    Extend(usize),
    End(usize),
    /// Puts the rule through a handle with this leash, or without one, with a lifetime of some seconds.
    Put(Option<usize>, Option<u32>),
    Edit(Option<usize>, Option<u32>),
    Replace(Option<usize>, Option<u32>),
    Halt,
    Resume,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let leash = || prop_oneof![1 => Just(None), 3 => (0..2_usize).prop_map(Some)];
    let ttl = || prop_oneof![2 => Just(None), 1 => Just(Some(20)), 2 => Just(Some(50))];
    let step = prop_oneof![
        6 => (1..20_u32).prop_map(Step::Advance),
        4 => (0..2_usize).prop_map(Step::Extend),
        1 => (0..2_usize).prop_map(Step::End),
        2 => (leash(), ttl()).prop_map(|(leash, ttl)| Step::Put(leash, ttl)),
        1 => (leash(), ttl()).prop_map(|(leash, ttl)| Step::Edit(leash, ttl)),
        1 => (leash(), ttl()).prop_map(|(leash, ttl)| Step::Replace(leash, ttl)),
        1 => Just(Step::Halt),
        1 => Just(Step::Resume),
    ];
    prop::collection::vec(step, 1..50)
}

/// The rule and its leashes, as a scan of plain values knows them. All times are in seconds.
#[derive(Debug, Default)]
struct Model {
    now: u32,
    ends: [u32; 2],
    is_halted: bool,
    rule: Option<ModelRule>,
}

#[derive(Clone, Copy, Debug)]
struct ModelRule {
    ttl: Option<u32>,
    armed_at: u32,
    leash: Option<usize>,
    hits: u64,
}

impl Model {
    const HOLDS: [u32; 2] = [15, 30];

    fn has_expired(&self, rule: &ModelRule) -> bool {
        rule.ttl.is_some_and(|ttl| self.now >= rule.armed_at + ttl)
    }

    fn acts(&self) -> bool {
        !self.is_halted
            && self.rule.is_some_and(|rule| {
                let leash = rule.leash.map(|leash| self.ends[leash]);
                !self.has_expired(&rule) && leash.is_none_or(|end| self.now < end)
            })
    }

    fn write(&mut self, step: Step, leash: Option<usize>, ttl: Option<u32>) {
        let new = |armed_at, hits| ModelRule {
            ttl,
            armed_at,
            leash,
            hits,
        };
        let now = self.now;
        let Some(was) = self.rule else {
            if !matches!(step, Step::Edit(..)) {
                self.rule = Some(new(now, 0));
            }
            return;
        };
        let is_same = was.ttl == ttl;
        let leash = match step {
            Step::Edit(..) => leash.or(was.leash),
            Step::Replace(..) if is_same => was.leash,
            _ => leash,
        };
        self.rule = Some(match is_same {
            false => ModelRule {
                leash,
                ..new(now, 0)
            },
            true if matches!(step, Step::Put(..)) && self.has_expired(&was) => new(now, was.hits),
            true => ModelRule { leash, ..was },
        });
    }
}

proptest! {
    #[test]
    fn any_sequence_of_edits_and_ends_does_what_a_naive_model_does(steps in steps()) {
        let (injector, clock) = with_clock();
        let leashes = Model::HOLDS.map(|hold| injector.leash(hold * SECOND));
        let mut model = Model { ends: Model::HOLDS, ..Model::default() };
        let rule = |ttl: Option<u32>| match ttl {
            Some(ttl) => lasting(fails("r", "leash.model"), ttl),
            None => fails("r", "leash.model"),
        };
        for step in steps {
            let (change, leash, ttl) = match step {
                Step::Advance(seconds) => {
                    clock.advance(seconds * SECOND);
                    model.now += seconds;
                    (None, None, None)
                }
                Step::Extend(at) => {
                    leashes[at].extend();
                    model.ends[at] = model.now + Model::HOLDS[at];
                    (None, None, None)
                }
                Step::End(at) => {
                    leashes[at].end();
                    model.ends[at] = model.now;
                    (None, None, None)
                }
                Step::Halt => {
                    injector.halt("why");
                    model.is_halted = true;
                    (None, None, None)
                }
                Step::Resume => {
                    injector.resume();
                    model.is_halted = false;
                    (None, None, None)
                }
                Step::Put(leash, ttl) => (Some(Change::Put(rule(ttl))), leash, ttl),
                Step::Edit(leash, ttl) => (Some(Change::Edit(rule(ttl))), leash, ttl),
                Step::Replace(leash, ttl) => (Some(Change::Replace(vec![rule(ttl)])), leash, ttl),
            };
            if let Some(change) = change {
                let actor = injector.as_actor(Actor::new("fleet"));
                let actor = match leash {
                    Some(at) => actor.on_leash(&leashes[at]),
                    None => actor,
                };
                // An edit of a rule that is not there changes nothing.
                let _ = actor.apply(change, None);
                model.write(step, leash, ttl);
            }
            let acts = model.acts();
            for _ in 0..2 {
                let is_hit = inject!(injector: injector, "leash.model").is_err();
                prop_assert_eq!(is_hit, acts, "after {:?}, {:?}", step, model);
            }
            if let Some(rule) = &mut model.rule {
                rule.hits += if acts { 2 } else { 0 };
                let counts = injector.counts("r").unwrap();
                prop_assert_eq!(counts.injected, rule.hits, "after {:?}", step);
                prop_assert_eq!(counts.leash.is_some(), rule.leash.is_some());
                prop_assert_eq!(injector.status().state == State::Armed, acts);
            }
        }
    }
}
