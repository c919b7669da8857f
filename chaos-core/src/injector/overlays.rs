//! The overlays of an injector: opened, edited, closed.

use std::sync::Arc;

use crate::{
    armed::rules::Retired,
    audit::actor::Actor,
    decision::overlay_rules::OverlayRules,
    injector::Injector,
    rule::rule_set::{Change, ChangeError},
};

impl Injector {
    /// Takes an overlay in.
    pub(crate) fn open(&self, overlay: &Arc<OverlayRules>) {
        self.book().overlays.push(Arc::clone(overlay));
    }

    /// Applies one edit to the rules of an overlay, all or nothing, and returns its new generation.
    pub(crate) fn apply_in(
        &self,
        overlay: &OverlayRules,
        change: Change,
        expected: Option<u64>,
    ) -> Result<u64, ChangeError> {
        change.has_no_guard_rail()?;
        let mut book = self.book();
        let by = self.armed_by(&Actor::code(), None, true);
        let bounds = self.0.hub.bounds.load();
        let edited = (overlay.rules()).apply(change, expected, &bounds.policy, &by)?;
        self.0.install_overlay(&mut book, overlay, by.since);
        drop(book);
        edited.retired.open();
        self.0.hub.changed.notify();
        Ok(edited.generation)
    }

    /// Halts an overlay, and releases the calls that it delays. Returns `false` if it was halted already.
    pub(crate) fn halt_in(&self, overlay: &OverlayRules) -> bool {
        let mut book = self.book();
        if !overlay.set_halted(true) {
            return false;
        }
        let retired = overlay.rules().put_behind_new_gates();
        self.0.install_overlay(&mut book, overlay, self.now());
        drop(book);
        retired.open();
        self.0.hub.changed.notify();
        true
    }

    /// Undoes the halt of an overlay. Returns `false` if it was not halted.
    pub(crate) fn resume_in(&self, overlay: &OverlayRules) -> bool {
        let mut book = self.book();
        let was_halted = overlay.set_halted(false);
        if was_halted {
            self.0.install_overlay(&mut book, overlay, self.now());
        }
        was_halted
    }

    /// Takes an overlay out, and releases the calls that it delays.
    pub(crate) fn close(&self, overlay: &Arc<OverlayRules>) {
        let mut book = self.book();
        book.overlays.retain(|open| !Arc::ptr_eq(open, overlay));
        let left = std::mem::take(&mut *overlay.rules());
        self.0.install_overlay(&mut book, overlay, self.now());
        drop(book);
        Retired(left.armed).open();
        self.0.hub.changed.notify();
    }
}
