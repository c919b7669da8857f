//! The systematic mode finds what breaks, names it, and tries nothing twice.

use std::{cell::Cell, num::NonZeroU64, time::Duration};

use chaos_core::{
    Direction, Fault, Injected, Injector, Latency,
    fault::BytesFault,
    inject, inject_async,
    testing::{Outcome, Systematic},
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
        "1 of 3 broke it\nbank.note, pass 1, error: failed: the note is lost"
    );
    let tried: Vec<_> = report
        .tried()
        .iter()
        .map(|tried| tried.site.as_str())
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
        .map(|tried| (tried.pass, tried.fault.name(), tried.outcome.to_string()))
        .collect();
    let failed = |pass| format!("failed: in pass {pass}");
    let passed = || "passed".to_owned();
    assert_eq!(seen.len(), 3 * 2, "{report}");
    for (at, (pass, name, outcome)) in seen.into_iter().enumerate() {
        assert_eq!(pass, at as u64 / 2 + 1);
        let expected = match name {
            "latency" => passed(),
            "error" => failed(pass),
            other => panic!("{other}"),
        };
        assert_eq!(outcome, expected);
    }
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
        .map(|tried| (&*tried.site, &tried.outcome))
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
                    let broken: Vec<u64> = report.broken().map(|tried| tried.pass).collect();
                    let expected: &[u64] = if n % 2 == 0 { &[] } else { &[1, 2] };
                    assert_eq!(broken, expected, "{report}");
                }
            });
        }
    });
}
