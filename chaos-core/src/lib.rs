//! Fault injection that costs nothing until someone aims a fault: what can go wrong, where, when.
//!
//! ```
//! use std::time::Duration;
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
//! # The nouns
//!
//! A [`Call`] passes a [`Site`]. The rules that aim at the site decide: each [`Rule`] is a
//! [`SiteGlob`], a [`Matcher`] (which calls), a [`Trigger`] (which of those), one or more
//! [`Fault`]s and a [`Lifetime`]. What is decided is a [`Decision`]: a list of [`Plan`]s, deeds
//! that an adapter carries out. What was carried out is an [`Injection`], told to observers ([`Injector::observe`]).
//! The rules in force are a [`RuleSet`] with a generation, held by an [`Injector`]: a value, or the
//! one of the process ([`global`]).
//!
//! Rules that fire compose: each makes its own draw, and their faults are carried out in rule
//! order, until one ends the call. So "everything 200 ms slower" and "5 % fail" are two rules.
//!
//! An [`Overlay`] holds rules that only one task tree can see; a `TokenKey` (feature `token`) signs
//! rules that travel with one request.
//!
//! A [`Policy`] bounds what rules may do at all, a [`Budget`] what they may spend, a [`GuardRail`] what the
//! service may show meanwhile. The [`Audit`] says who did what; edits get a name by
//! [`Injector::signed`].
//!
//! # What it costs
//!
//! Idle, a site is one relaxed load and one branch: 0 allocations, no lock, no shared write, and
//! nothing changes at a site when others are armed (a macro with an explicit `injector:` is the
//! exception: it looks its site up once anything is armed there). `cargo bench` prices it in instructions.
//! Armed, a call that no rule hits takes no lock, allocates nothing, reads no clock and writes
//! nothing that other threads write, unless a rule asks for an exact count.
//!
//! # What cannot happen
//!
//! - A rule that outlives its deadline: the deadline is checked on the call itself, so no task or
//!   timer has to be alive for it. It is ten minutes unless something else was said.
//! - A call that begins after [`halt`](Injector::halt) has returned is hit. It also lets go whoever
//!   is being delayed, and calls under way get no further deed.
//! - More injections than `limit`, more at once than `max_active`, more delay or a greater share of calls
//!   than a budget has; not by one.
//! - A rule that does what the policy does not allow, whichever way it came in.
//! - Anything at all, in a process with `CHAOS_DISABLED=1`.
//! - An injection that is not counted, or counted twice.
//! - A fault in what an observer or a tracing subscriber does when it is told of one.
//! - A panic on input, or a half-applied edit: rules are checked before they are put in force.
//!
//! # What it does not do
//!
//! It injects where a site is, and nowhere else: it does not touch sockets or other processes. HTTP
//! requests are `chaos-tower`'s, and changing rules over a port is `chaos-http-admin`'s.
//!
//! # Features
//!
//! The [README](https://docs.rs/crate/chaos-core/latest) lists the features, what each adds, and how many
//! crates it costs.
#![forbid(unsafe_code)]
// On docs.rs, each item says which feature it needs.
#![cfg_attr(docsrs, feature(doc_cfg))]
// Input never panics; a broken promise of our own says so with `expect`. Tests may.
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod action;
mod answer;
mod armed;
mod arming;
mod attempts;
mod audit;
mod breach;
mod budget;
mod burn;
mod burning;
mod bytes_deed;
mod call;
mod catalogue;
mod clock;
mod closures;
mod custom;
mod cut;
mod decision;
mod dice;
mod environment;
mod error;
mod exempt;
mod fault;
mod firing;
mod gate;
mod glob;
mod grpc;
mod guard;
mod guard_rail;
mod headers;
mod hold;
mod in_force;
mod index;
mod injected;
mod injector;
#[cfg(feature = "serde")]
mod io_kind;
mod key;
mod latency;
mod layer;
mod lifetime;
mod lots;
mod macros;
mod matcher;
mod name;
mod news;
mod observer;
mod outcomes;
mod overlay;
mod pass;
mod plan;
mod policy;
mod preview;
mod program;
mod purse;
mod rate;
mod replay;
mod rule;
mod rule_set;
mod side;
mod signed;
mod site;
mod site_rules;
mod status;
mod step;
mod surface;
mod systematic;
mod tally;
mod telling;
mod text;
#[cfg(feature = "token")]
mod token;
mod trigger;
mod watch;
mod watching;
mod who;
#[cfg(feature = "window")]
mod window;
#[cfg(feature = "serde")]
pub mod wire;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

pub use crate::{
    action::Action,
    answer::{AfterMessages, Answer, HttpAnswer},
    attempts::FirstAttempts,
    audit::{Audit, BeforeAndAfter, Entries, Entry},
    breach::{Breach, Measure},
    budget::Budget,
    burn::Burn,
    bytes_deed::{BytesDeed, BytesFault, Corruption},
    call::{Call, Label},
    clock::{Clock, ManualClock},
    closures::CustomCall,
    custom::CustomFault,
    cut::{Abort, Cut, CutKind, StreamReason},
    decision::Decision,
    error::RuleError,
    exempt::Exemptions,
    fault::{ErrorFault, Fault, OneOf, WaitTime, When},
    glob::SiteGlob,
    grpc::{GrpcCode, GrpcStatus},
    guard::RuleGuard,
    guard_rail::{GuardRail, Then},
    headers::HeaderEdit,
    hold::Hold,
    injected::Injected,
    injector::{Injector, global},
    key::Key,
    latency::Latency,
    lifetime::Lifetime,
    matcher::Matcher,
    name::{RuleId, is_site_name},
    observer::Injection,
    overlay::{InOverlay, Overlay},
    plan::{Plan, Wait, WaitAfter},
    policy::Policy,
    preview::Preview,
    program::{Phase, Program, Ramp},
    rate::Rate,
    replay::{Decisions, Replay},
    rule::{Mode, Rule},
    rule_set::{Change, ChangeError, RuleSet},
    side::Side,
    signed::Signed,
    site::Site,
    status::{Counts, State, Status},
    surface::SiteKind,
    systematic::{Outcome, Systematic, SystematicReport, Tried},
    tally::{Limit, Overflow},
    text::{Pattern, Route, Text},
    trigger::Trigger,
    watching::{Watched, Watching},
    who::Who,
};

#[cfg(feature = "token")]
pub use crate::token::{Token, TokenError, TokenKey, TokenKeyError};
#[cfg(feature = "window")]
pub use crate::window::Window;

#[cfg(feature = "macros")]
pub use chaos_macros::site;

pub mod docs;

/// Whether the feature `compile-out` has taken every site out of this binary.
pub const COMPILED_OUT: bool = cfg!(feature = "compile-out");
