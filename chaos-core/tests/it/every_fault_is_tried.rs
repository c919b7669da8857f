//! The systematic mode finds what breaks, names it, and tries nothing twice.

use std::{cell::Cell, num::NonZeroU64, time::Duration};

use chaos_core::{
    Direction, Fault, Injected, Injector, Latency,
    fault::BytesFault,
    inject, inject_async,
    testing::{Outcome, Passes, Systematic, Untried},
};

/// Moves money in two steps; what is taken is lost if the second one fails.
fn transfer(injector: &Injector, lost: &Cell<u32>) -> Result<(), String> {
    let mut taken = 0;
    if inject!(injector: injector, "bank.take").is_ok() {
        taken = 10;
    }
    let given = (0..3).any(|_| inject!(injector: injector, "bank.give").is_ok());
    if taken > 0 && inject!(injector: injector, "bank.note").is_err() {
        lost.set(lost.get() + 1);
        return Err("the note is lost".to_owned());
    }
    match given {
        true => Ok(()),
        false => Err("not given".to_owned()),
    }
}

#[test]
fn the_step_without_a_net_is_found() {
    let (injector, lost) = (Injector::new(), Cell::new(0));
    let report = Systematic::new(&injector).run_sync(|| transfer(&injector, &lost));
    assert_eq!(report.without_fault(), &Outcome::Passed);
    assert!(!report.is_fine());
    assert_eq!(lost.get(), 1);
    assert_eq!(
        report.to_string(),
        "1 of 3 broke it\nbank.note, pass 1, error: failed: the note is lost\n\
         not tried: bank.give, pass 2: made only after a fault, see `pairs`"
    );
    let tried: Vec<_> = report
        .tried()
        .iter()
        .map(|tried| tried.faults[0].site.as_str())
        .collect();
    assert_eq!(tried, ["bank.give", "bank.note", "bank.take"]);
    // Nothing is left behind.
    assert!(injector.is_idle() && injector.status().overlays == 0);
}

#[test]
fn each_pass_is_tried_with_each_fault_up_to_a_number() {
    let injector = Injector::new();
    let zero = Latency::fixed(Duration::ZERO).unwrap();
    let systematic = Systematic::new(&injector)
        .fault(Fault::latency(zero))
        .fault(Fault::error("lost"))
        // It cannot happen in code, so it is not tried there.
        .fault(Fault::Body(
            BytesFault::throttle(NonZeroU64::MIN),
            Direction::Response,
        ))
        .most_passes(3);
    let report = systematic.run_sync(|| {
        for pass in 1..=5 {
            if inject!(injector: &injector, "loop.body").is_err() {
                return Err(format!("in pass {pass}"));
            }
        }
        Ok(())
    });
    let seen: Vec<_> = report
        .tried()
        .iter()
        .map(|tried| (&tried.faults[0], tried.outcome.to_string()))
        .collect();
    let failed = |pass| format!("failed: in pass {pass}");
    let passed = || "passed".to_owned();
    assert_eq!(seen.len(), 3 * 2, "{report}");
    for (at, (tried, outcome)) in seen.into_iter().enumerate() {
        let pass = at as u64 / 2 + 1;
        assert_eq!(tried.passes, Passes::Nth(pass));
        let expected = match tried.fault.name() {
            "latency" => passed(),
            "error" => failed(pass),
            other => panic!("{other}"),
        };
        assert_eq!(outcome, expected);
    }
    let more = Untried::MorePasses("loop.body".to_owned(), 2);
    assert_eq!(report.untried(), [more]);
}

#[test]
fn panics_are_caught_and_named() {
    let injector = Injector::new();
    let report = Systematic::new(&injector).run_sync(|| {
        inject!(injector: &injector, "panics.here").expect("this never fails");
        Ok::<(), Injected>(())
    });
    let [tried] = report.tried() else {
        panic!("{report}");
    };
    assert!(
        matches!(&tried.outcome, Outcome::Panicked(text) if text.starts_with("this never fails"))
    );
}

#[test]
fn code_that_fails_by_itself_is_not_tried() {
    let injector = Injector::new();
    let report = Systematic::new(&injector).run_sync(|| {
        inject!(injector: &injector, "never.mind")?;
        Err::<(), _>(std::io::Error::other("broken anyway"))
    });
    assert_eq!(report.tried(), []);
    assert!(!report.is_fine());
    assert_eq!(report.to_string(), "without a fault: failed: broken anyway");
}

/// A site that only a fault elsewhere leads away from is not reached, which is neither good nor bad.
#[test]
fn what_is_no_longer_reached_is_said() {
    let (injector, runs) = (Injector::new(), Cell::new(0));
    let report = Systematic::new(&injector).run_sync(|| {
        runs.set(runs.get() + 1);
        // The third run is the first with a fault.
        if runs.get() < 3 {
            inject!(injector: &injector, "seldom.passed")?;
        }
        Ok::<(), Injected>(())
    });
    assert_eq!(report.tried()[0].outcome, Outcome::NotReached);
    // Nothing broke, and nothing was shown.
    assert!(!report.is_fine());
    assert_eq!(report.to_string(), "0 of 1 broke it, 1 not reached");
}

#[tokio::test(start_paused = true)]
async fn async_code_that_waits_too_long_is_broken() {
    let injector = Injector::new();
    let hang = Fault::hang(Duration::from_secs(60)).unwrap();
    let systematic = Systematic::new(&injector)
        .fault(hang)
        .within(Duration::from_secs(5));
    let report = systematic
        .sites("net.*".parse().unwrap())
        .run(|| async {
            let call = async { inject_async!(injector: &injector, "net.call").await };
            let patient = tokio::time::timeout(Duration::from_secs(1), call).await;
            let _ = patient.unwrap_or(Ok(()));
            inject_async!(injector: &injector, "other.site").await?;
            inject_async!(injector: &injector, "net.reply").await
        })
        .await;
    let seen: Vec<_> = report
        .tried()
        .iter()
        .map(|tried| (&*tried.faults[0].site, &tried.outcome))
        .collect();
    assert_eq!(
        seen,
        [
            ("net.call", &Outcome::Passed),
            ("net.reply", &Outcome::TimedOut)
        ]
    );
}

/// Eight at once on one injector: each finds its own, and the others are left alone.
#[test]
fn they_do_not_see_each_other() {
    let injector = Injector::new();
    std::thread::scope(|scope| {
        for n in 0..8 {
            let injector = &injector;
            scope.spawn(move || {
                for _ in 0..20 {
                    let report = Systematic::new(injector).run_sync(|| {
                        let first = inject!(injector: injector, "shared.site");
                        let second = inject!(injector: injector, "shared.site");
                        if n % 2 == 0 {
                            first.or(second)
                        } else {
                            first.and(second)
                        }
                    });
                    let broken: Vec<_> = report
                        .broken()
                        .map(|tried| tried.faults[0].passes)
                        .collect();
                    let both = [Passes::Nth(1), Passes::Nth(2)];
                    let expected: &[Passes] = if n % 2 == 0 { &[] } else { &both };
                    assert_eq!(broken, expected, "{report}");
                }
            });
        }
    });
}

/// Three tries at a replica, whose exhaustion panics, and a fallback that nobody has thought through.
fn read(injector: &Injector) -> Result<(), Injected> {
    let replica = (0..3).find_map(|_| inject!(injector: injector, "replica.read").ok());
    replica.expect("one of three tries succeeds");
    if inject!(injector: injector, "cache.write").is_err() {
        inject!(injector: injector, "cache.invalidate")?;
    }
    Ok(())
}

#[test]
fn retries_are_exhausted_and_fallbacks_fail_too() {
    let injector = Injector::new();
    let once = Systematic::new(&injector);
    let run = |systematic: &Systematic| systematic.run_sync(|| read(&injector)).to_string();
    // One fault alone breaks nothing, and the report says what that does not show.
    assert_eq!(
        run(&once),
        "0 of 2 broke it\n\
         not tried: cache.invalidate, pass 1: made only after a fault, see `pairs`\n\
         not tried: replica.read, pass 2: made only after a fault, see `pairs`"
    );
    let always = run(&once.clone().always());
    assert!(
        always.starts_with(
            "1 of 4 broke it\n\
             replica.read, every pass, error: panicked: one of three tries succeeds\n\
             not tried: cache.invalidate, pass 1"
        ),
        "{always}"
    );
    assert_eq!(
        run(&once.clone().pairs()),
        "1 of 5 broke it\n\
         cache.write, pass 1, error and cache.invalidate, pass 1, error: failed: systematic \
         (injected at cache.invalidate by rule systematic-1)\n\
         not tried: replica.read, pass 3: made only after two faults"
    );
    let both = once.clone().always().pairs().run_sync(|| read(&injector));
    assert_eq!(
        (both.broken().count(), both.untried()),
        (3, &[][..]),
        "{both}"
    );
    let few = once.always().most_runs(3);
    assert_eq!(
        few.run_sync(|| read(&injector)).untried().last(),
        Some(&Untried::MoreRuns(1))
    );
}

/// The second fault of a pair is at the pass that it is said to be at, also at one site.
#[test]
fn pairs_at_one_site_hit_both_passes() {
    let injector = Injector::new();
    let seen = std::cell::RefCell::new(Vec::new());
    let report = Systematic::new(&injector).pairs().run_sync(|| {
        let hit: Vec<_> = (1..=3)
            .filter(|_| inject!(injector: &injector, "pair.site").is_err())
            .collect();
        seen.borrow_mut().push(hit);
        Ok::<(), Injected>(())
    });
    assert!(report.is_fine(), "{report}");
    let seen: Vec<_> = seen.into_inner().into_iter().skip(2).collect();
    assert_eq!(seen[..3], [vec![1], vec![2], vec![3]]);
    assert_eq!(seen[3..], [vec![1, 2], vec![1, 3], vec![2, 3]]);
}

/// `one` falls back on `two`, and `two` on `three`, which fails only after two faults.
#[test]
fn a_pass_that_takes_two_faults_is_named() {
    let injector = Injector::new();
    let pass = |site| match site {
        1 => inject!(injector: &injector, "chain.one"),
        2 => inject!(injector: &injector, "chain.two"),
        _ => inject!(injector: &injector, "chain.three"),
    };
    let systematic = Systematic::new(&injector).always().pairs();
    let report = systematic.run_sync(|| pass(1).or_else(|_| pass(2)).or_else(|_| pass(3)));
    assert!(report.is_fine(), "{report}");
    let three = Untried::NewPassOfPair("chain.three".to_owned(), 1);
    assert_eq!(report.untried(), [three]);
    assert_eq!(
        report.to_string(),
        "0 of 4 broke it\nnot tried: chain.three, pass 1: made only after two faults"
    );
}

/// Another test halts and resumes: the report said that no site was passed.
#[test]
fn a_halt_that_is_over_is_told() {
    let (injector, runs) = (Injector::new(), Cell::new(0));
    let pass = || inject!(injector: &injector, "blip.site");
    // The site is registered before: a run that registers sites is repeated.
    let _ = Systematic::new(&injector).run_sync(pass);
    let blip = |in_run: u32| {
        runs.set(0);
        Systematic::new(&injector).run_sync(|| {
            runs.set(runs.get() + 1);
            if runs.get() == in_run {
                injector.halt("another test");
            }
            let passed = pass();
            injector.resume();
            passed.or(Ok::<(), Injected>(()))
        })
    };
    let halted = Untried::Halted("another test".to_owned());
    let in_baseline = blip(1);
    assert_eq!(
        in_baseline.untried(),
        std::slice::from_ref(&halted),
        "{in_baseline}"
    );
    assert!(!in_baseline.is_fine());
    let in_a_run = blip(2);
    assert_eq!(in_a_run.untried(), [halted], "{in_a_run}");
    assert_eq!(in_a_run.tried()[0].outcome, Outcome::NotReached);
    // What was over before is not told.
    let after = blip(3);
    assert!(after.is_fine() && after.untried().is_empty(), "{after}");
}

#[test]
fn it_is_said_why_nothing_was_tried() {
    let injector = Injector::new();
    let pass = || inject!(injector: &injector, "said.why");
    let nothing = Systematic::new(&injector).run_sync(|| Ok::<(), Injected>(()));
    let text = "0 of 0 broke it\nnot tried: no site was passed in the overlay of a run";
    assert_eq!(nothing.to_string(), text);
    let throttle = BytesFault::throttle(NonZeroU64::MIN);
    let throttle = Fault::Body(throttle, Direction::Response);
    let unfit = Systematic::new(&injector).fault(throttle).run_sync(pass);
    assert_eq!(unfit.untried(), [Untried::NoFault("said.why".to_owned())]);

    injector.halt("another test");
    let halted = Systematic::new(&injector).run_sync(pass);
    assert_eq!(
        halted.to_string(),
        "0 of 0 broke it\nnot tried: injection was halted during a run: another test"
    );
    assert!(!(nothing.is_fine() || unfit.is_fine() || halted.is_fine()));
}
