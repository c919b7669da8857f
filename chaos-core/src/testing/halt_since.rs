//! Whether injection was halted while a test ran, also if it has been resumed since.

use crate::{
    armed::status::State,
    audit::{Entry, action::Action},
    injector::Injector,
};

/// A halt of an injector.
#[derive(Clone, Debug)]
pub(super) struct Halt {
    /// The name of who halted.
    pub(super) by: String,
    pub(super) reason: String,
    /// Whether the injector has been resumed.
    pub(super) is_over: bool,
}

/// Returns the halt in force, or else the last one that was in force at any time since the entry `id` of the
/// audit.
pub(super) fn halt_since(injector: &Injector, id: u64) -> Option<Halt> {
    if let State::Halted { reason, by, .. } = injector.status().state {
        let by = by.name().to_owned();
        let is_over = false;
        return Some(Halt {
            by,
            reason,
            is_over,
        });
    }
    if injector.audit().last() == id {
        return None;
    }
    let (mut since, mut last) = (None, None);
    for entry in injector.audit().after(0).entries {
        match entry.action {
            Action::Halt | Action::Breach if halts(&entry) => {
                since.get_or_insert(entry);
            }
            Action::Resume if entry.id > id => last = since.take().or(last),
            Action::Resume => since = None,
            _ => {}
        }
    }
    let entry = last?;
    let of_breach = entry.what.as_deref();
    let reason = entry.actor.reason().or(of_breach).unwrap_or_default();
    Some(Halt {
        by: entry.actor.name().to_owned(),
        reason: reason.to_owned(),
        is_over: true,
    })
}

/// Returns whether an entry of a halt or of a breach is of a halt: a breach that stops one rule changes it.
fn halts(entry: &Entry) -> bool {
    entry.action == Action::Halt || entry.changes().is_empty()
}
