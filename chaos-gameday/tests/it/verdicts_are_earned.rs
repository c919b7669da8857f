//! A verdict says what was seen, and *held* only if enough was.

use std::{collections::BTreeMap, time::Duration};

use chaos_gameday::{
    Experiment, Group, KeyGroup, ProbeOutcome, ProbeSeen, Question, Seen, Signal, Verdict,
    judge_comparison, judge_site, verdict,
};

use crate::{experiments_are_read::lost_reads, support::counted};

/// Everything went as was believed.
fn good(experiment: &Experiment) -> Seen {
    let probes = &experiment.hypothesis.probes;
    let seen = probes
        .iter()
        .flat_map(|probe| probe.ask.iter().map(move |stage| (probe, *stage)));
    let seen = seen.map(|(probe, stage)| {
        let mut seen = ProbeSeen::new(&probe.name, stage);
        seen.add(ProbeOutcome::Held);
        seen
    });
    Seen {
        probes: seen.collect(),
        estimated_hits: Some(50),
        hits: in_both_phases(50, 50),
        ..Seen::default()
    }
}

/// The hits of the rule in the first phase, and in the second.
fn in_both_phases(first: u64, second: u64) -> BTreeMap<(String, String), u64> {
    let of = |phase: &str, hits| ((phase.to_owned(), "lost".to_owned()), hits);
    [of("one in a hundred", first), of("ramp", second)].into()
}

fn changed(change: impl FnOnce(&mut Seen)) -> (Verdict, Vec<String>) {
    let experiment = lost_reads();
    let mut seen = good(&experiment);
    change(&mut seen);
    let (verdict, reasons) = verdict(&experiment, &seen);
    assert!(!reasons.is_empty());
    (verdict, reasons)
}

fn add(seen: &mut Seen, at: usize, outcome: ProbeOutcome) {
    seen.probes[at].add(outcome);
}

#[test]
fn each_verdict_has_its_cause_and_its_exit_code() {
    // In order: products before, during, after; slo before, during; shoppers during; no worse during.
    let why = || "the status is 500".to_owned();
    type Change = Box<dyn Fn(&mut Seen)>;
    let rows: Vec<(Change, Verdict, u8, &str)> = vec![
        (
            Box::new(|_| {}),
            Verdict::Held,
            0,
            "100 calls were hit, and every probe held",
        ),
        (
            Box::new(move |it| add(it, 0, ProbeOutcome::NotHeld(why()))),
            Verdict::NotSteady,
            12,
            "the probe \"products\" did not hold before anything was injected, 1 of 2 times: the status is 500",
        ),
        (
            Box::new(move |it| add(it, 3, ProbeOutcome::Unanswered(why()))),
            Verdict::NotSteady,
            12,
            "the probe \"slo\" could not be asked before",
        ),
        (
            Box::new(move |it| add(it, 1, ProbeOutcome::NotHeld(why()))),
            Verdict::Deviated,
            11,
            "the probe \"products\" did not hold while faults were injected",
        ),
        (
            Box::new(move |it| add(it, 2, ProbeOutcome::NotHeld(why()))),
            Verdict::Deviated,
            11,
            "after the faults",
        ),
        (
            Box::new(move |it| add(it, 1, ProbeOutcome::Unanswered(why()))),
            Verdict::Inconclusive,
            14,
            "could not be asked while",
        ),
        (
            Box::new(move |it| add(it, 6, ProbeOutcome::Undecided(why()))),
            Verdict::Inconclusive,
            14,
            "could not be decided",
        ),
        (
            Box::new(|it| drop(it.probes.remove(2))),
            Verdict::Inconclusive,
            14,
            "the probe \"products\" was not asked after the faults",
        ),
        (
            Box::new(|it| it.hits = in_both_phases(50, 49)),
            Verdict::Inconclusive,
            14,
            "99 calls were hit, fewer than 100",
        ),
        (
            Box::new(|it| it.hits = in_both_phases(0, 0)),
            Verdict::Inconclusive,
            14,
            "0 calls were hit",
        ),
        (
            // One rule that was never tried is not made up for by another one.
            Box::new(|it| it.hits = [(("ramp".to_owned(), "other".to_owned()), 100)].into()),
            Verdict::Inconclusive,
            14,
            "the rule `lost` has hit no call in the phase \"ramp\"",
        ),
        (
            // Nor is one phase by another.
            Box::new(|it| it.hits = in_both_phases(100, 0)),
            Verdict::Inconclusive,
            14,
            "the rule `lost` has hit no call in the phase \"ramp\"",
        ),
        (
            Box::new(|it| it.estimated_hits = Some(49)),
            Verdict::Inconclusive,
            14,
            "would have hit 49 calls by the estimate, fewer than 50",
        ),
        (
            Box::new(|it| it.estimated_hits = None),
            Verdict::Inconclusive,
            14,
            "the estimate was not made",
        ),
        (
            Box::new(|it| it.not_applied.push("shop-1 refused".into())),
            Verdict::Inconclusive,
            14,
            "did not apply the rules: shop-1 refused",
        ),
        (
            Box::new(|it| it.stopped = Some("a guard rail broke".into())),
            Verdict::Stopped,
            13,
            "a guard rail broke",
        ),
        (
            Box::new(|it| it.interrupted = Some(Signal::Interrupt)),
            Verdict::Interrupted(Signal::Interrupt),
            130,
            "SIGINT",
        ),
        (
            Box::new(|it| it.interrupted = Some(Signal::Terminate)),
            Verdict::Interrupted(Signal::Terminate),
            143,
            "SIGTERM",
        ),
        (
            Box::new(|it| it.interrupted = Some(Signal::Hangup)),
            Verdict::Interrupted(Signal::Hangup),
            129,
            "SIGHUP",
        ),
        (
            Box::new(|it| it.not_reverted.push("shop-1 is gone".into())),
            Verdict::NotReverted,
            15,
            "shop-1 is gone",
        ),
    ];
    for (change, expected, code, reason) in rows {
        let (verdict, reasons) = changed(|seen| change(seen));
        assert_eq!(
            (verdict, verdict.exit_code()),
            (expected, code),
            "{reasons:?}"
        );
        assert!(
            reasons.iter().any(|it| it.contains(reason)),
            "{reasons:?}: {reason}"
        );
    }
}

/// Of each pair of causes, the graver one is the verdict.
#[test]
fn the_gravest_cause_decides() {
    let causes: [fn(&mut Seen); 6] = [
        |it| it.not_reverted.push("gone".into()),
        |it| it.interrupted = Some(Signal::Interrupt),
        |it| add(it, 0, ProbeOutcome::NotHeld("a".into())),
        |it| it.stopped = Some("b".into()),
        |it| add(it, 1, ProbeOutcome::NotHeld("c".into())),
        |it| it.hits = in_both_phases(0, 0),
    ];
    for (n, graver) in causes.iter().enumerate() {
        let alone = changed(graver).0;
        for lesser in &causes[n..] {
            let both = changed(|it| {
                graver(it);
                lesser(it);
            });
            assert_eq!(both.0, alone);
        }
    }
    // What else was seen is said.
    let both = changed(|it| {
        causes[4](it);
        causes[5](it);
    });
    assert_eq!(both.1.len(), 2, "{both:?}");
}

#[test]
fn nothing_seen_is_not_held() {
    let experiment = lost_reads();
    assert_eq!(
        verdict(&experiment, &Seen::default()).0,
        Verdict::Inconclusive
    );
}

/// A bound that is in one bucket with the latencies decides nothing: a p99 of 302 ms was told as 318.8 ms.
#[test]
fn latencies_are_judged_by_their_buckets() {
    let experiment = lost_reads();
    let Question::Site { expect, .. } = &experiment.hypothesis.probes[2].question else {
        panic!("{experiment:?}");
    };
    let within = |millis| {
        let mut expect = expect.clone();
        expect.latency[0].at_most = Duration::from_millis(millis);
        expect
    };
    let calls = counted([Duration::from_millis(302); 100]);
    assert!(matches!(
        judge_site(&within(310), &calls),
        ProbeOutcome::Undecided(_)
    ));
    assert_eq!(judge_site(&within(319), &calls), ProbeOutcome::Held);
    assert!(matches!(
        judge_site(&within(301), &calls),
        ProbeOutcome::NotHeld(_)
    ));
}

/// The calls of two slow users are no evidence of each other.
#[test]
fn latencies_of_keys_are_not_compared() {
    let experiment = lost_reads();
    let probes = &experiment.hypothesis.probes;
    let (Question::Site { expect, .. }, Question::Compare { compare, .. }) =
        (&probes[2].question, &probes[3].question)
    else {
        panic!("{probes:?}");
    };
    let mut compare = compare.clone();
    compare.error_ratio = None;
    compare.latency = expect.latency.clone();
    compare.latency[0].quantile = 0.5;
    let [slow, fast] = [800, 100].map(|millis| counted([Duration::from_millis(millis); 60]));
    let keys: Vec<_> = (0..6)
        .map(|_| KeyGroup {
            hit: Group::of(10, 0),
            spared: Group::of(10, 0),
        })
        .collect();
    for (hit, spared) in [(&slow, &fast), (&fast, &slow)] {
        let judged = judge_comparison(&compare, hit, spared, Some(&keys));
        assert!(matches!(judged, ProbeOutcome::Undecided(_)), "{judged:?}");
    }
    assert!(matches!(
        judge_comparison(&compare, &slow, &fast, None),
        ProbeOutcome::NotHeld(_)
    ));
}

#[test]
fn sites_are_judged_by_their_counts() {
    let experiment = lost_reads();
    let probes = &experiment.hypothesis.probes;
    let (Question::Site { expect, .. }, Question::Compare { compare, .. }) =
        (&probes[2].question, &probes[3].question)
    else {
        panic!("{probes:?}");
    };
    let group = |calls, failed, millis| Group {
        latencies: counted([Duration::from_millis(millis)]).latencies,
        ..Group::of(calls, failed)
    };
    let judged = |group: &Group| judge_site(expect, group);
    assert_eq!(judged(&group(1000, 10, 280)), ProbeOutcome::Held);
    let ProbeOutcome::NotHeld(problem) = judged(&group(1000, 11, 303)) else {
        panic!();
    };
    assert_eq!(
        problem,
        "11 of 1000 calls failed, more than 1.00 %; p99 is at least 301.990 ms, more than 300ms"
    );
    // 300 ms is in the bucket from 285.2 to 302.0 ms.
    let ProbeOutcome::Undecided(problem) = judged(&group(1000, 10, 290)) else {
        panic!();
    };
    assert_eq!(
        problem,
        "p99 is from 285.213 ms to 301.990 ms, which is not told apart from 300ms"
    );
    // What fails too often does not hold, whatever the latency is.
    assert!(matches!(
        judged(&group(1000, 11, 290)),
        ProbeOutcome::NotHeld(_)
    ));
    assert!(matches!(
        judged(&Group::default()),
        ProbeOutcome::Unanswered(_)
    ));
    assert!(matches!(
        judged(&Group::of(5, 0)),
        ProbeOutcome::Unanswered(_)
    ));
    let compared = |hit: Group, spared: Group| judge_comparison(compare, &hit, &spared, None);
    assert_eq!(
        compared(Group::of(1000, 2), Group::of(9000, 20)),
        ProbeOutcome::Held
    );
    assert!(matches!(
        compared(Group::of(10, 0), Group::of(9000, 20)),
        ProbeOutcome::Undecided(_)
    ));
    assert!(matches!(
        compared(Group::of(100, 20), Group::of(9000, 20)),
        ProbeOutcome::NotHeld(_)
    ));
    assert!(matches!(
        compared(Group::of(0, 0), Group::of(9000, 20)),
        ProbeOutcome::Unanswered(_)
    ));
}
