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
//! [`Injector::as_actor`].
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
//! - `tokio` (default): [`inject_async!`] and waits that give the thread back.
//! - `macros`: `#[site]`, which makes a whole function a site.
//! - `serde`: the `wire` format.
//! - `window` (default): rules that live in certain hours of the week.
//! - `token`: signed tokens, which carry rules with one request.
//! - `compile-out`: removes every site from the binary; the macros are empty and layers pass
//!   through. The rest of the API stays, so nothing else has to change.
#![forbid(unsafe_code)]
// Input never panics; a broken promise of our own says so with `expect`. Tests may.
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod armed;
mod audit;
mod call;
mod clock;
mod decision;
mod dice;
mod error;
mod fault;
mod gate;
mod guard_rail;
mod hub;
mod injector;
mod macros;
mod matcher;
mod name;
mod overlay;
mod plan;
mod policy;
mod rule;
mod site;
mod testing;
#[cfg(feature = "token")]
mod token;
mod trigger;
#[cfg(feature = "serde")]
pub mod wire;

#[doc(hidden)]
pub use crate::macros::private as __private;

pub use crate::{
    armed::{
        preview::Preview,
        status::{Counts, State, Status},
    },
    audit::{Audit, BeforeAndAfter, Entries, Entry, action::Action, actor::Actor},
    call::{Call, Label, direction::Direction, site_kind::SiteKind},
    clock::{Clock, ManualClock},
    decision::{
        Decision,
        active_call::ActiveCall,
        watched_call::{WatchedCall, WatchedFuture},
    },
    error::RuleError,
    fault::{
        ErrorFault, Fault, OneOf, WaitTime, When, burn::Burn, custom::CustomFault, latency::Latency,
    },
    guard_rail::{
        GuardRail, Then,
        breach::{Breach, Measure},
    },
    hub::{closures::CustomCall, observer::Injection},
    injector::{Injector, attributed::AttributedInjector, global},
    matcher::{
        Matcher,
        exempt::Exemptions,
        glob::SiteGlob,
        text::{Pattern, Route, Text},
    },
    name::{RuleId, is_site_name},
    overlay::{InOverlay, Overlay},
    plan::{
        Plan, Wait, WaitAfter,
        answer::{AfterMessages, Answer, HttpAnswer},
        bytes::{BytesDeed, BytesFault, Corruption},
        cut::{Abort, Cut, CutKind, StreamReason},
        grpc::{GrpcCode, GrpcStatus},
        headers::HeaderEdit,
        injected::Injected,
    },
    policy::{
        Policy,
        limit::{Limit, Overflow},
    },
    rule::{
        Mode, Rule,
        lifetime::Lifetime,
        rule_set::{Change, ChangeError, RuleSet},
    },
    site::Site,
    testing::{
        rule_guard::RuleGuard,
        systematic::{Outcome, Systematic, SystematicReport, Tried},
    },
    trigger::{
        Trigger,
        attempts::FirstAttempts,
        budget::Budget,
        key::Key,
        program::{Phase, Program, Ramp},
        rate::Rate,
        replay::{Decisions, Replay},
    },
};

#[cfg(feature = "token")]
pub use crate::token::{Token, TokenError, TokenKey, TokenKeyError};
#[cfg(feature = "window")]
pub use crate::trigger::window::Window;

#[cfg(feature = "macros")]
pub use chaos_macros::site;

pub mod docs;

/// Whether the feature `compile-out` has taken every site out of this binary.
pub const COMPILED_OUT: bool = cfg!(feature = "compile-out");
