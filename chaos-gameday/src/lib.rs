//! Experiments of fault injection in a file.
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
