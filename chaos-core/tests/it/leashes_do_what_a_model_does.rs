//! Any sequence of edits, halts, extensions and ends of leashes does what a naive model does.

use chaos_core::{State, audit::Actor, inject, rule::Change};
use proptest::prelude::*;

use crate::support::leashes::{SECOND, fails, lasting, with_clock};

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
