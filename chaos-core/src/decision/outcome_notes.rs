//! What calls note for observed rules: that a rule has hit them, or spared them.
//!
//! A call that is measured, at the rule's own site or above it, has fates, and is counted by them when it ends. A call
//! of a site in code has no end, and is counted at once.

use std::cell::{Cell, RefCell};

use super::{site_rules::Here, watched_call::WatchedCall};
use crate::{
    armed::Armed,
    call::{
        Call,
        fates::{Fate, KeyedFate},
        site_kind::SiteKind,
    },
    guard_rail::injected_by,
    hub::{Hub, observations::Observation},
    trigger::replay::By,
};

thread_local! {
    /// The fates of a call that was spared at its own site, where it is to be measured next.
    static OF_NEXT: RefCell<Vec<OfNext>> = const { RefCell::new(Vec::new()) };
    /// Whether there are any. Beside them, so that most calls ask no more than this.
    static IS_NEXT_NOTED: Cell<bool> = const { Cell::new(false) };
}

struct OfNext {
    site: &'static str,
    observation: u64,
    fate: KeyedFate,
}

/// Notes that a rule injects into the calls that this thread is serving. `by` is what the rule has decided by.
#[inline(always)]
pub(super) fn note_hit(hub: &Hub, rule: &Armed, site: &str, by: Option<&By>) {
    if hub.observations.are_there() {
        note_observed_hit(hub, rule, site, by);
    }
}

#[cold]
#[inline(never)]
fn note_observed_hit(hub: &Hub, rule: &Armed, site: &str, by: Option<&By>) {
    let key = match by {
        Some(By::Key(key)) => Some(&**key),
        _ => None,
    };
    if !rule.is_of_overlay()
        && let Some(observation) = hub.observations.of(rule.rule.id.as_str())
    {
        note(&observation, site, KeyedFate::of(Fate::Hit, key));
    }
}

/// Notes that a rule spares a call at a site, and so the calls that this thread is serving.
#[cold]
#[inline(never)]
pub(super) fn note_spared(hub: &Hub, rule: &Armed, call: &Call<'_>, (site, kind): Here) {
    if rule.is_of_overlay() {
        return;
    }
    let Some(observation) = hub.observations.of(rule.rule.id.as_str()) else {
        return;
    };
    let key = rule.rule.trigger.deciding_key();
    let key = key.and_then(|key| key.of(call, &rule.rule.matcher));
    let fate = KeyedFate::of(Fate::Spared, key.as_deref());
    note(&observation, site, fate);
    if kind == SiteKind::Layer && observation.at(site).is_some() {
        IS_NEXT_NOTED.set(true);
        OF_NEXT.with_borrow_mut(|fates| {
            fates.push(OfNext {
                site,
                observation: observation.number,
                fate,
            });
        });
    }
}

fn note(observation: &Observation, site: &str, fate: KeyedFate) {
    injected_by::note_fate_of_served(observation.number, fate);
    if let Some(site) = observation.at(site).filter(|site| site.is_in_code) {
        site.pass(fate);
    }
}

/// Forgets what was noted for a call that was not measured.
pub(crate) fn forget() {
    hand_on("", None);
}

/// Hands what was noted for a call on to it, when it begins to be measured right after it was decided, and forgets it. `call`
/// is `None` if the call is not measured.
#[inline(always)]
pub(crate) fn hand_on(site: &str, call: Option<&WatchedCall>) {
    if IS_NEXT_NOTED.get() {
        hand_on_noted(site, call);
    }
}

#[cold]
#[inline(never)]
fn hand_on_noted(site: &str, call: Option<&WatchedCall>) {
    IS_NEXT_NOTED.set(false);
    OF_NEXT.with_borrow_mut(|noted| {
        for noted in noted.drain(..) {
            // The last call of another site may not have been measured.
            if noted.site == site {
                call.inspect(|call| call.note_fate(noted.observation, noted.fate));
            }
        }
    });
}
