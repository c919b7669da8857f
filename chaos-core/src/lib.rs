//! Fault injection for Rust services. A site, where faults may happen, costs a few instructions until
//! someone arms a rule that aims at it.
//!
//! ```
//! use chaos_core::{Fault, Injected, Injector, Rule, inject};
//!
//! fn read(injector: &Injector) -> Result<&'static str, Injected> {
//!     inject!(injector: injector, "db.read", table = "orders")?;
//!     Ok("42 orders")
//! }
//!
//! let injector = Injector::new();
//! assert!(read(&injector).is_ok()); // off
//!
//! let rule = Rule::new("lost".parse()?, "db.*".parse()?, Fault::error("the replica is gone"));
//! injector.put(rule);
//! assert_eq!(read(&injector).unwrap_err().message(), "the replica is gone"); // on
//!
//! injector.halt("that is enough");
//! assert!(read(&injector).is_ok()); // off
//! # Ok::<(), chaos_core::RuleError>(())
//! ```
//!
//! # Terms
//!
//! - A [`Site`] is a named place where faults may happen; a [`Call`] is one pass through it, with its
//!   labels.
//! - A [`Rule`] aims at sites (a [`SiteGlob`]). It says which calls it hits (a [`Matcher`] and a
//!   [`Trigger`]), with which [`Fault`]s, and for how long (a [`Lifetime`]).
//! - An [`Injector`] holds the rules, a [`RuleSet`](rule::RuleSet) with a generation, and decides on each call of an
//!   armed site. It is a value; [`global`] is the one of the process.
//! - A [`Decision`] is the result: a list of actions ([`Plan`]) that the integration (a macro or a tower
//!   layer) executes. When the first action of a rule begins, that is an [`Injection`]: it is counted once
//!   and reported once to each observer ([`Injector::observe`]).
//! - A site is *idle* when no rule aims at it, *armed* when one does, and *halted* after
//!   [`Injector::halt`].
//! - An [`Overlay`] holds rules that only one task tree can see. A token (feature `token`) carries signed
//!   rules with one request.
//! - A [`Policy`] bounds what rules may do at all, a [`Budget`](trigger::Budget) what they may spend, and a [`GuardRail`]
//!   what the service may show meanwhile. The [`Audit`](audit::Audit) records who changed what; edits get an
//!   [`Actor`](audit::Actor) by [`Injector::as_actor`].
//!
//! Rules compose. Every rule that matches a call draws for itself, and the faults of all rules that hit
//! are executed in rule order, until one ends the call. Faults that act on the response of a call act on
//! whatever response the call gets, in any order: so "every call takes at least 200 ms" and "5 % fail"
//! are two rules, and both apply to a call that fails.
//!
//! # What it costs
//!
#![doc = include_str!("../docs/cost.md")]
//!
//! # Guarantees
//!
#![doc = include_str!("../docs/guarantees.md")]
//!
//! # What it does not do
//!
//! It injects faults at sites and nowhere else: it does not touch sockets or other processes. `chaos-tower`
//! injects them into HTTP requests and connections, and `chaos-http-admin` changes rules over HTTP.
//!
//! # Modules
//!
//! The root has what most programs use. The modules have the rest of it:
//!
//! | module | for |
//! |---|---|
//! | [`fault`], [`matcher`], [`trigger`], [`rule`] | the parts of a rule, and edits of a rule set |
//! | [`policy`], [`guard_rail`] | what bounds rules, and what broke a bound |
//! | [`audit`] | who changed what |
//! | [`testing`] | guards that delete rules, a clock that a test moves, every fault at every site |
//! | [`overlay`], `token` | rules of one task tree, or of one request |
//! | [`plan`], [`decision`] | integrations: what can be done to a call, and how it is executed |
//! | `wire` | rules as JSON, and in one line |
//! | `follow` | files that are read again when they change |
//! | [`docs`] | guides |
//!
//! # Features
//!
//! The [README](https://docs.rs/crate/chaos-core/latest) lists the features, what each adds, and how many
//! crates it costs.
#![forbid(unsafe_code)]
// On docs.rs, each item says which feature it needs.
#![cfg_attr(docsrs, feature(doc_cfg))]
// No input causes a panic. A broken invariant of our own panics with `expect`. Tests may unwrap.
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod armed;
pub mod audit;
mod call;
mod clock;
pub mod decision;
mod dice;
mod error;
pub mod fault;
#[cfg(feature = "follow")]
pub mod follow;
mod gate;
pub mod guard_rail;
mod hub;
mod injector;
mod macros;
pub mod matcher;
mod name;
pub mod overlay;
pub mod plan;
pub mod policy;
pub mod rule;
mod site;
pub mod testing;
#[cfg(feature = "token")]
pub mod token;
pub mod trigger;
#[cfg(feature = "serde")]
pub mod wire;

#[doc(hidden)]
pub mod log;

#[doc(hidden)]
pub use crate::macros::private as __private;
#[doc(hidden)]
pub use crate::site::{snapshot::FirstLook, state::SiteState};

#[doc(inline)]
pub use crate::{
    armed::{
        preview::Preview,
        status::{Counts, HaltHolder, HolderKind, State, Status},
    },
    call::{
        Call, Cuts, Label, LazyFacts, direction::Direction, hit_call::HitCall, seen::SeenFacts,
        site_kind::SiteKind,
    },
    clock::Clock,
    decision::{Decision, site_meter::first_mismatches::MismatchCounts},
    error::{OneLine, RuleError, WithCauses},
    fault::{Fault, latency::Latency},
    gate::leash::Leash,
    guard_rail::GuardRail,
    hub::{
        closures::CustomCall,
        observations::key_counts::{CallCounts, KeyOutcomes},
        observer::Injection,
    },
    injector::{
        Injector,
        attributed::AttributedInjector,
        explain::{Explanation, Obstacle},
        global,
        halt_hooks::HaltHook,
        sites::{
            observe_error::ObserveError,
            rule_outcomes::{OutcomeGroup, RuleOutcomes, SiteOutcomes},
            site_watch::{CallFigures, CallLatency, SiteWatch, WatchedSite},
            why::{Why, WhyCounts, WhyQuestion, WhySite},
        },
        warnings::Warning,
    },
    matcher::{Matcher, glob::SiteGlob, text::Text},
    name::{RuleId, is_site_name},
    overlay::Overlay,
    plan::{Plan, injected::Injected},
    policy::{Policy, allowance::Allowance},
    rule::{Mode, Rule, lifetime::Lifetime},
    site::Site,
    trigger::{Trigger, key::Key, rate::Rate},
};

#[cfg(feature = "macros")]
pub use chaos_macros::site;

pub mod docs;

/// Whether the feature `compile-out` has removed every site from this binary.
pub const COMPILED_OUT: bool = cfg!(feature = "compile-out");
