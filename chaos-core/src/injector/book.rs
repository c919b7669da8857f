//! `Book`: all that changes in an injector, under one lock.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::{
    armed::rules::{ArmedRules, Retired},
    decision::overlay_rules::OverlayRules,
    gate::leash::Leash,
    guard_rail::{breach::OpenBreach, monitor::Monitor},
    injector::sites::{list::SiteList, watches::Watches},
    matcher::glob::SiteGlob,
    name::RuleId,
    rule::{
        Rule,
        rule_set::{Change, ChangeError},
    },
    site::Site,
};

/// The changing part of an injector.
///
/// A call takes the lock only to make its site known, on the first pass that is not idle, and to
/// report a breach.
#[derive(Debug, Default)]
pub(super) struct Book {
    pub(super) rules: ArmedRules,
    pub(super) overlays: Vec<Arc<OverlayRules>>,
    pub(super) sites: SiteList,
    /// Which of them are watched.
    pub(super) watches: Watches,
    /// Sites that no rule reaches.
    pub(super) exempt: Vec<SiteGlob>,
    /// The rules that a guard rail has disabled, with the breach. They cannot be armed until someone
    /// acknowledges it.
    pub(super) tripped: BTreeMap<RuleId, Arc<OpenBreach>>,
    /// When the first of the rules that sites hold expires.
    pub(super) first_deadline: Option<Duration>,
    /// The leashes on which rules hang, and whether each was over when someone last looked.
    leashes: Vec<(Leash, bool)>,
}

impl Book {
    /// Returns whether a site is exempt from all rules.
    pub(super) fn exempts(&self, site: &Site) -> bool {
        self.exempt.iter().any(|exempt| exempt.matches(site.name()))
    }

    /// Returns until when overlays aim at a site; `None` if none does.
    pub(super) fn overlaid_until(&self, site: &Site) -> Option<Duration> {
        let layers = self.overlays.iter();
        layers
            .filter_map(|overlay| overlay.aims_until(site.address()))
            .max()
    }

    /// Checks that a change arms no rule that a guard rail has stopped.
    pub(super) fn admits(&self, change: &Change) -> Result<(), ChangeError> {
        match change {
            Change::Put(rule) | Change::Edit(rule) => self.admits_rules([rule]),
            Change::Replace(rules) => self.admits_rules(rules),
            Change::Remove(_) => Ok(()),
        }
    }

    /// Checks that a guard rail has stopped none of the rules that are enabled.
    pub(super) fn admits_rules<'r>(
        &self,
        rules: impl IntoIterator<Item = &'r Rule>,
    ) -> Result<(), ChangeError> {
        if self.tripped.is_empty() {
            return Ok(());
        }
        let mut on = rules.into_iter().filter(|rule| rule.enabled);
        match on.find_map(|rule| self.tripped.get(&rule.id)) {
            Some(breach) => Err(ChangeError::Locked {
                reason: breach.to_string().into(),
            }),
            None => Ok(()),
        }
    }

    /// Takes in a leash on which rules hang from now on, and forgets those on which none does any more.
    pub(super) fn add_leash(&mut self, leash: &Leash) {
        self.leashes.retain(|(known, _)| !known.is_last());
        if !self.leashes.iter().any(|(known, _)| known == leash) {
            self.leashes.push((leash.clone(), leash.is_over()));
        }
    }

    /// Returns the rules that could act until their leash was over, which nobody had noticed yet.
    pub(super) fn newly_lapsed(&mut self, now: Duration) -> Vec<Arc<Rule>> {
        let mut lapsed = Vec::new();
        for (leash, was_over) in &mut self.leashes {
            let is_over = leash.is_over();
            if is_over && !*was_over {
                lapsed.extend(self.rules.live_on(leash, now));
            }
            *was_over = is_over;
        }
        lapsed
    }

    /// Returns the time until the first leash ends, unless it is extended.
    pub(super) fn soonest_lapse(&self) -> Option<Duration> {
        let left = self.leashes.iter().map(|(leash, _)| leash.left());
        left.filter(|left| !left.is_zero()).min()
    }

    /// Puts every rule behind a new gate, those of overlays included, and returns the rules as they were.
    pub(super) fn put_behind_new_gates(&mut self) -> Retired {
        let mut retired = self.rules.put_behind_new_gates();
        for overlay in &self.overlays {
            retired
                .0
                .append(&mut overlay.rules().put_behind_new_gates().0);
        }
        retired
    }

    /// Returns the guard rails of all rules that are armed, whether or not they can act.
    pub(super) fn monitors(&self) -> impl Iterator<Item = &Arc<Monitor>> {
        let armed = self.rules.armed.iter();
        armed.flat_map(|rule| rule.arming.watches())
    }

    /// Returns whether any rule can act now.
    pub(super) fn can_act(&self, now: Duration) -> bool {
        let mut overlays = self.overlays.iter();
        self.rules.can_act(now) || overlays.any(|overlay| overlay.rules().can_act(now))
    }

    /// Returns whether any rule can act, as soon as its leash is extended if that is over.
    pub(super) fn is_live(&self, now: Duration) -> bool {
        self.rules.is_live(now)
            || self
                .overlays
                .iter()
                .any(|overlay| overlay.rules().is_live(now))
    }

    /// Returns the number of injections under way.
    pub(super) fn active(&self) -> u64 {
        let of = |rules: &ArmedRules| {
            rules
                .armed
                .iter()
                .map(|rule| rule.counters.active())
                .sum::<u64>()
        };
        of(&self.rules)
            + self
                .overlays
                .iter()
                .map(|overlay| of(&overlay.rules()))
                .sum::<u64>()
    }

    /// Returns when the last of the rules that can act expires, those of overlays included;
    /// `Duration::MAX` if one never does, and `None` if there is no such rule.
    pub(super) fn last_deadline(&self, now: Duration) -> Option<Duration> {
        let overlays = self.overlays.iter();
        let in_overlays = overlays.filter_map(|overlay| overlay.rules().last_deadline(now));
        self.rules
            .last_deadline(now)
            .into_iter()
            .chain(in_overlays)
            .max()
    }

    /// Returns when the first rule expires, those of overlays included.
    pub(super) fn soonest_deadline(&self, now: Duration) -> Option<Duration> {
        let overlays = self.overlays.iter();
        let in_overlays = overlays.filter_map(|overlay| overlay.rules().first_deadline(now));
        self.rules
            .first_deadline(now)
            .into_iter()
            .chain(in_overlays)
            .min()
    }
}
