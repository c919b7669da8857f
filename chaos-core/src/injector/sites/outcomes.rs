//! How a rule is observed: what it does to calls is counted at named sites.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    observe_error::{MOST_RULES, MOST_SITES, ObserveError},
    rule_outcomes::{RuleOutcomes, SiteOutcomes},
};
use crate::{
    call::site_kind::SiteKind,
    hub::observations::{Observation, observed_site::ObservedSite},
    injector::{Injector, book::Book},
    name::RuleId,
    site::Site,
};

impl Injector {
    /// Observes a rule: counts the calls at the sites of these names in three groups, from zero and from now on. A rule that
    /// is observed already begins again. Returns the counts, as [`outcomes`](Self::outcomes) does.
    ///
    /// - A call is *hit* if the rule has injected into it, or into a call below it: at a site that the call passes while it
    ///   is served.
    /// - It is *spared* if the rule matched it, or a call below it, and its draw, its limits or the policy left all of these
    ///   alone. With a rate, the draw decides between hit and spared, so the two can be compared: they are calls of the same
    ///   process and time. A rule in mode shadow spares each call. A call without the rule's key is not spared: no draw could
    ///   hit it.
    /// - It is *unmatched* otherwise. So is a call whose fault never began, because a response had no body for it, for
    ///   example, and one of a rule that is halted or over.
    ///
    /// At the site of a layer, a call is counted once, when the head of its response is there, by what the rule has done to
    /// it until then. A caller that leaves before that gets no answer, so its call has failed, in each group alike. Calls
    /// that are exempt, such as health checks, are not counted. A call that is under way when the observation begins is not
    /// counted by it.
    ///
    /// A site in code (`inject!`) does not see how calls end. Hit and spared calls are counted there when they pass, without
    /// failures and latencies, and unmatched ones are not counted. An injection that begins after the observation is
    /// counted, even if its call passed the site before. If a layer and code have sites of one name, the calls of the layer
    /// alone are counted.
    ///
    /// Rules of overlays and tokens are others, even with the same id.
    ///
    /// Hit and spared calls can be compared only where a draw alone decides between them:
    ///
    /// - At a site above the rule's own, a call that passes the rule's site several times is hit more often. There, the
    ///   groups are alike if each call passes it once, or if the rule has a key that is the same for the whole call.
    /// - Work on another task or thread, as with `tokio::spawn` or `spawn_blocking`, is not counted for the call: what the
    ///   rule does there leaves the call above unmatched, or spared if the rule has spared it elsewhere.
    ///
    /// The observation belongs to the id. What becomes of the rule leaves the counts as they are, whether it is edited,
    /// disabled, deleted or expires; put again, it is counted on. To have each injection of a rule counted, put the rule
    /// disabled, observe it, and then enable it. When it is disabled and none of its injections is active, the hits at the
    /// site that it aims at are as many as its injections.
    ///
    /// It ends with [`end_outcomes`](Self::end_outcomes), or when nobody has asked for the [`outcomes`](Self::outcomes) for 60
    /// seconds. Until then, calls of the sites cost more: those of the rule's own sites ask all rules there one by one. While no rule is
    /// observed, calls cost what they did.
    ///
    /// ```
    /// use chaos_core::{Fault, Injector, Rule, inject};
    ///
    /// let injector = Injector::new();
    /// let read = || inject!(injector: &injector, "db.read");
    /// injector.put(Rule::new("lost".parse()?, "db.read".parse()?, Fault::error("lost")));
    /// assert!(read().is_err());
    ///
    /// injector.observe_outcomes("lost", ["db.read"])?;
    /// assert!(read().is_err());
    /// injector.remove(&"lost".parse()?);
    ///
    /// let outcomes = injector.outcomes("lost").expect("it is observed");
    /// assert!(outcomes.is_over);
    /// assert_eq!(outcomes.sites[0].hit.calls, 1);
    /// assert!(injector.end_outcomes("lost"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error, and changes nothing, if there is no such rule, if a name is not that of a site of a layer or in
    /// code, if there are no names or more than 16, or if 16 other rules are observed.
    pub fn observe_outcomes<S: AsRef<str>>(
        &self,
        rule: &str,
        sites: impl IntoIterator<Item = S>,
    ) -> Result<RuleOutcomes, ObserveError> {
        let mut book = self.swept_book();
        let Some(armed) = book.rules.find(rule).cloned() else {
            return Err(ObserveError::UnknownRule);
        };
        let sites = observed_sites(&book, sites)?;
        let observations = &self.0.hub.observations;
        if observations.count_others(rule) >= MOST_RULES {
            return Err(ObserveError::TooManyRules);
        }
        let has_key = armed.rule.trigger.deciding_key().is_some();
        let (now, id) = (self.now(), armed.rule.id.clone());
        observations.put(Observation::new(id, (self.wall(), now), |number| {
            let sites = sites.into_iter();
            let sites = sites.map(|(name, is_in_code)| {
                Arc::new(ObservedSite::new(number, &name, is_in_code, has_key))
            });
            sites.collect()
        }));
        self.0.install_own(&mut book, now);
        drop(book);
        // It was there a moment ago; if another has ended it since, it has counted nothing.
        self.outcomes(rule).ok_or(ObserveError::UnknownRule)
    }

    /// Returns what was counted for a rule since it is [observed](Self::observe_outcomes), and keeps it observed for another
    /// 60 seconds. Returns `None` if it is not observed.
    #[must_use]
    pub fn outcomes(&self, rule: &str) -> Option<RuleOutcomes> {
        self.read_outcomes(rule, true)
    }

    /// Returns what was counted for a rule since it is [observed](Self::observe_outcomes), without keeping it observed: for
    /// those who may look and change nothing. Returns `None` if it is not observed.
    #[must_use]
    pub fn peek_outcomes(&self, rule: &str) -> Option<RuleOutcomes> {
        self.read_outcomes(rule, false)
    }

    fn read_outcomes(&self, rule: &str, renews: bool) -> Option<RuleOutcomes> {
        let book = self.swept_book();
        let now = self.now();
        let observations = &self.0.hub.observations;
        let observation = observations.of(rule)?;
        if renews {
            observations.renew(&observation, now);
        }
        let armed = book.rules.find(rule);
        let is_over = !armed.is_some_and(|armed| armed.can_act(now));
        drop(book);
        let sites = observation.sites.iter();
        Some(RuleOutcomes {
            rule: RuleId::clone(&observation.rule),
            since: observation.since,
            is_over,
            sites: sites.map(|site| SiteOutcomes::of(site)).collect(),
        })
    }

    /// Ends the observation of a rule, and forgets its counts. Returns `false` if the rule is not
    /// [observed](Self::observe_outcomes).
    pub fn end_outcomes(&self, rule: &str) -> bool {
        let mut book = self.swept_book();
        let ends = self.0.hub.observations.end(rule);
        if ends {
            let now = self.now();
            self.0.install_own(&mut book, now);
        }
        ends
    }

    /// Ends the observations whose lease is over, if somebody else does not hold the book.
    pub(in crate::injector) fn try_to_end_lapsed_observations(&self) {
        if let Some(mut book) = self.0.try_lock() {
            self.end_lapsed_observations(&mut book);
        }
    }

    /// Ends the observations whose lease is over.
    pub(in crate::injector) fn end_lapsed_observations(&self, book: &mut Book) {
        let (observations, now) = (&self.0.hub.observations, self.now());
        if observations.are_over(now) && observations.end_those_over(now) {
            self.0.install_own(book, now);
        }
    }
}

/// Returns the sites of these names, each once, with whether it is in code.
fn observed_sites<S: AsRef<str>>(
    book: &Book,
    names: impl IntoIterator<Item = S>,
) -> Result<Vec<(String, bool)>, ObserveError> {
    let mut sites = Vec::new();
    let mut seen = BTreeSet::new();
    for name in names {
        let name = name.as_ref();
        if !seen.insert(name.to_owned()) {
            continue;
        }
        if sites.len() == MOST_SITES {
            return Err(ObserveError::TooManySites);
        }
        let named = book.sites.iter().filter(|site| site.name() == name);
        let kinds: Vec<_> = named.map(Site::kind).collect();
        let are_calls = |kind: &SiteKind| *kind != SiteKind::Connection;
        if !kinds.iter().any(are_calls) {
            let name = name.to_owned();
            return Err(match kinds.is_empty() {
                true => ObserveError::UnknownSite { name },
                false => ObserveError::Connection { name },
            });
        }
        sites.push((name.to_owned(), !kinds.contains(&SiteKind::Layer)));
    }
    match sites.is_empty() {
        true => Err(ObserveError::NoSites),
        false => Ok(sites),
    }
}
