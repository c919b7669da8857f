//! A plain rule fires in a shorter way than others, and nobody can tell the two apart.

use std::{
    mem,
    num::{NonZeroU32, NonZeroU64},
    sync::{Arc, Mutex},
    time::Duration,
};

use chaos_core::{
    Call, Decision, Fault, Injector, Latency, Mode, Policy, Rule, Trigger,
    fault::{GrpcCode, GrpcStatus},
    inject,
};

const MS: Duration = Duration::from_millis(1);

fn faults() -> [Fault; 7] {
    [
        Fault::error("lost"),
        Fault::status(503).unwrap(),
        Fault::grpc(GrpcStatus::new(
            GrpcCode::from_name("NOT_FOUND").unwrap(),
            "no such order",
        )),
        Fault::value(&7).unwrap(),
        Fault::latency(Latency::fixed(MS).unwrap()),
        Fault::hang(MS).unwrap(),
        Fault::block(MS).unwrap(),
    ]
}

/// What calls show of a rule, and of another behind it.
struct Shown {
    injector: Injector,
    told: Arc<Mutex<Vec<String>>>,
    lines: Vec<String>,
}

impl Shown {
    fn new(policy: Policy, rule: Rule, behind: bool) -> Self {
        let injector = Injector::new();
        injector.set_policy(policy);
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = Arc::clone(&told);
        injector.observe(move |told| {
            let line = format!(
                "{} {} {} {:?}",
                told.site, told.rule, told.fault, told.delay
            );
            tell.lock().unwrap().push(line);
        });
        injector.put(rule);
        if behind {
            let fault = Fault::error("behind");
            injector.put(Rule::new(
                "b".parse().unwrap(),
                "alike.*".parse().unwrap(),
                fault,
            ));
        }
        let lines = Vec::new();
        Self {
            injector,
            told,
            lines,
        }
    }

    fn decide(&mut self) -> Option<Decision> {
        let decision = self.injector.site("alike.layer").decide(&Call::new());
        let ends = decision.as_ref().map(Decision::ends_at_once);
        self.note(format!("{ends:?}"));
        decision
    }

    /// Notes a line, what was told since the last one, and the counts.
    fn note(&mut self, line: impl Into<String>) {
        let counts = self.injector.counts("r").unwrap();
        let counts = format!(
            "{} matched, {} injected, {} shadowed, {} active, {} spared",
            counts.matched,
            counts.injected,
            counts.shadowed,
            counts.active,
            counts.overflow.total()
        );
        let told = mem::take(&mut *self.told.lock().unwrap());
        self.lines
            .push(format!("{} | {told:?} | {counts}", line.into()));
    }

    fn all(mut self) -> Vec<String> {
        // Executed, abandoned, taken over by an action, and over before it begins.
        if let Some(mut decision) = self.decide() {
            while let Some(plan) = decision.next_plan() {
                self.note(format!("{plan:?} {:?}", decision.mark()));
            }
            self.note("executed");
        }
        if let Some(decision) = self.decide() {
            drop(decision);
            self.note("abandoned");
        }
        if let Some(mut decision) = self.decide() {
            let plan = decision.next_plan_if(|_| false);
            self.note(format!("{plan:?}"));
            let action = decision.active_call().unwrap();
            drop(decision);
            assert!(action.begin());
            self.note("taken over");
        }
        for _ in 0..3 {
            let passed = inject!(injector: &self.injector, "alike.code");
            self.note(format!("{passed:?}"));
        }
        if let Some(mut decision) = self.decide() {
            self.injector.halt("enough");
            assert!(decision.next_plan().is_none());
            self.note("halted");
        }
        self.lines
    }
}

#[test]
fn with_nothing_else_and_with_what_few_rules_have() {
    let limits = [None, NonZeroU64::new(2), NonZeroU64::new(5)];
    for fault in faults() {
        for (mode, behind) in [
            (Mode::Inject, false),
            (Mode::Inject, true),
            (Mode::Shadow, true),
        ] {
            for limit in limits {
                let rule = || {
                    let trigger = Trigger::new();
                    let rule = Rule::new(
                        "r".parse().unwrap(),
                        "alike.*".parse().unwrap(),
                        fault.clone(),
                    );
                    rule.mode(mode).trigger(match limit {
                        Some(limit) => trigger.limit(limit),
                        None => trigger,
                    })
                };
                // A policy that bounds anything has each rule take the way that knows all.
                let bounding = Policy::new().active(NonZeroU32::MAX);
                let plain = Shown::new(Policy::new(), rule(), behind).all();
                let closely = Shown::new(bounding, rule(), behind).all();
                assert_eq!(plain, closely, "{mode:?} {limit:?} {behind}");
            }
        }
    }
}
