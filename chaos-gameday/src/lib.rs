//! Experiments of fault injection in a file: what is believed, what is injected, what was seen, and a verdict.
//!
//! ```
//! use chaos_gameday::{EProcess, Group, error_ratio_difference};
//!
//! // Of the calls that a rule matches, those that it spares are the control group of those that it hits.
//! let (hit, spared) = (Group::of(380, 95), Group::of(37_620, 190));
//! let worse = error_ratio_difference(&hit, &spared).unwrap();
//! assert!(worse.lower > 0.20 && worse.upper < 0.30);
//! let mut test = EProcess::new(0.02);
//! test.add(&hit, &spared);
//! assert!(test.stops());
//! ```
//!
//! # Parts
//!
//! - An [`Experiment`] is read by [`experiment_from`] from YAML, TOML or JSON. Its rules are those of [`chaos_core`].
//! - A [`verdict()`] is a function of what was [`Seen`]. It is never [`Held`](Verdict::Held) because little was seen.
//! - [`judge_site`] and [`judge_comparison`] say what counts mean for a probe, [`EProcess`] when a run should be stopped.
//! - A [`Journal`] says what happened, in the shape of Chaos Toolkit's; a [`JournalFile`] is a whole one at any moment.
//! - [`report_html`] and [`report_markdown`] make a page of a journal; [`chaos_toolkit`] an experiment of Chaos Toolkit.
//!
//! # Guarantees
//!
//! These hold, and a test covers each: a run without a difference is stopped in at most 5 % of the cases, whenever one looks; a
//! 95 % interval of error ratios covers the truth in 93 to 98 % of the cases, with and without keys, and in up to 98.5 % with few
//! keys; a page runs no script and asks no host, and is smaller than 500 kB; each plot has the numbers of its table.
//!
//! # Limitations
//!
//! It asks no probe and arms no rule: it has no network and reads no clock, and each time is an argument. Calls whose failures
//! depend on each other are told apart by the key of a rule alone.
#![forbid(unsafe_code)]
// On docs.rs, each item shows the feature that it requires.
#![cfg_attr(docsrs, feature(doc_cfg))]
// Invalid input never panics; an internal invariant that does not hold panics with `expect`.
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod error;
mod experiment;
mod export;
mod journal;
mod judgement;
mod objects;
mod report;
mod span;
mod statistics;
mod verdict;

pub use crate::{
    error::ExperimentError,
    experiment::{
        AtLeast, Compare, Conclusive, Estimate, Experiment, FleetTarget, FollowUp, Format,
        HttpAnswer, HttpExpect, HttpRequest, Hypothesis, JsonExpect, NumberBounds, Observe,
        Pattern, Phase, PhaseRule, Probe, PromqlQuery, QuantileBound, Question, SiteExpect, Stage,
        Stop, Target, WorseThanControl, experiment_from, experiment_schema,
    },
    export::chaos_toolkit,
    journal::{
        Activity, ActivityKind, ActivityStatus, AuditNote, Comparison, Details, Entry,
        EstimateOutcome, Journal, JournalFile, Moment, PhaseTimes, ProbeSample, ProbeSeries,
        SampleCounts, SiteSample, SiteSeries, Status, SteadyState, SteadyStates, TargetFate,
        TargetOutcome, journal_schema,
    },
    judgement::{judge_comparison, judge_site},
    report::{report_html, report_markdown},
    span::Span,
    statistics::{
        Difference, EProcess, Finding, Group, KeyGroup, Method, Quantile, design_effect,
        error_ratio_difference, error_ratio_difference_by_keys, quantile_difference,
    },
    verdict::{ProbeOutcome, ProbeSeen, Seen, Signal, Verdict, verdict},
};
