//! `WhyQuestion`: what becomes of the calls at the watched sites of a rule.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use crate::{
    armed::Armed,
    decision::site_meter::{SiteMeter, first_mismatches::MismatchCounts},
    injector::{Injector, explain::Obstacle},
    policy::limit::Overflow,
    site::Site,
};

/// A question why a rule hits as many calls as it does, by those that pass while it is held.
///
/// [`Injector::ask_why`] makes it. Dropping it ends the comparison of calls with the rule.
#[derive(Debug)]
#[must_use = "it is about the calls that pass while it is held"]
pub struct WhyQuestion {
    injector: Injector,
    /// A number that no other question has.
    number: u64,
    rule: Arc<Armed>,
    began: Duration,
    counts: WhyCounts,
    sites: Vec<AskedSite>,
}

/// A site at which a rule aims.
#[derive(Debug)]
struct AskedSite {
    site: &'static Site,
    /// What counts its calls, if it is watched, and how many it had counted.
    meter: Option<(Arc<SiteMeter>, u64)>,
}

/// What has become of the calls at the sites of a rule.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Why {
    /// The time between the question and the answer.
    pub elapsed: Duration,
    /// The known sites at which the rule aims, in order of their names.
    pub sites: Vec<WhySite>,
    /// What the rule has counted in that time, at all of its sites.
    pub counted: WhyCounts,
    /// All that the rule has [counted](crate::Counts).
    pub total: WhyCounts,
    /// Whether a call that would have been hit was exempt, since the rule counts. How many there were is not
    /// known: they are matched.
    pub has_spared_exempt: bool,
}

/// What has become of the calls at one site of a rule.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WhySite {
    /// The site.
    pub site: &'static Site,
    /// How many calls were counted, as a [watch](Injector::watch) counts them; `None` if the site is not watched.
    pub calls: Option<u64>,
    /// Which conditions the calls have failed; `None` if the site is not watched, is in code, or compares its calls with 16
    /// other questions.
    pub mismatches: Option<MismatchCounts>,
    /// What keeps the rule from injecting at this site now, whatever the call is.
    pub obstacles: Vec<Obstacle>,
}

/// What has become of the calls that a rule matched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WhyCounts {
    /// The calls that the rule matched.
    pub matched: u64,
    /// The calls that it hit.
    pub injected: u64,
    /// The calls that it would have hit, in mode `shadow`.
    pub shadowed: u64,
    /// The calls that it would have hit and that a limit spared.
    pub overflow: Overflow,
}

impl WhyCounts {
    fn of(rule: &Armed) -> Self {
        let counters = &rule.counters;
        // A call is matched first: what is read last has each call that was read before.
        let (overflow, shadowed) = (counters.overflow(), counters.shadowed());
        let injected = counters.injected();
        Self {
            matched: counters.matched(),
            injected,
            shadowed,
            overflow,
        }
    }

    fn since(&self, earlier: &Self) -> Self {
        Self {
            matched: self.matched.saturating_sub(earlier.matched),
            injected: self.injected.saturating_sub(earlier.injected),
            shadowed: self.shadowed.saturating_sub(earlier.shadowed),
            overflow: self.overflow.since(&earlier.overflow),
        }
    }

    /// Returns how many matched calls were neither hit nor spared by a limit: those that the rate, the key or the number of
    /// the call has left alone, that are exempt, or whose fault has not begun.
    #[must_use]
    pub fn not_drawn(&self) -> u64 {
        let others = self.injected + self.shadowed + self.overflow.total();
        self.matched.saturating_sub(others)
    }
}

impl Why {
    /// Returns how many of the calls that passed the sites the rule has not matched: some of its conditions did not hold,
    /// or it was not asked, because a rule before it ended the call, or something [keeps](WhySite::obstacles) it from that.
    /// `None` unless each of its sites is watched.
    ///
    /// A layer counts a call when it ends, and a rule when it begins, so the number is off by the calls that are under way.
    /// Exempt calls, and those whose callers left, are matched and may not be counted, so that it is too low by them; it is 0
    /// at least.
    #[must_use]
    pub fn not_matched(&self) -> Option<u64> {
        let calls = self.sites.iter().map(|site| site.calls);
        let calls = calls.sum::<Option<u64>>()?;
        (!self.sites.is_empty()).then(|| calls.saturating_sub(self.counted.matched))
    }
}

impl Injector {
    /// Asks why a rule hits as many calls as it does: what becomes of the calls that pass its sites until the
    /// [answer](WhyQuestion::answer). Returns `None` if there is no such rule.
    ///
    /// All calls are counted only at sites that somebody [watches](Self::watch). At the watched sites of layers, at most
    /// one call in a millisecond is compared with the rule's conditions, so that it is known which of them do not hold. A
    /// question does not watch a site itself, and costs the calls of other sites nothing.
    ///
    /// ```
    /// use chaos_core::{Fault, Injector, Rate, Rule, Trigger, inject};
    ///
    /// let injector = Injector::new();
    /// let read = || inject!(injector: &injector, "db.read");
    /// let lost = Rule::new("lost".parse()?, "db.read".parse()?, Fault::error("lost"));
    /// injector.put(lost.trigger(Trigger::new().rate(Rate::new(0.0)?)));
    /// assert!(read().is_ok());
    ///
    /// let _watch = injector.watch(["db.read".parse()?]);
    /// let question = injector.ask_why("lost").expect("the rule is there");
    /// assert!(read().is_ok());
    /// let why = question.answer().expect("nobody has changed the rule");
    /// assert_eq!(why.sites[0].calls, Some(1));
    /// assert_eq!((why.not_matched(), why.counted.not_drawn()), (Some(0), 1));
    /// # Ok::<(), chaos_core::RuleError>(())
    /// ```
    #[must_use]
    pub fn ask_why(&self, rule: &str) -> Option<WhyQuestion> {
        /// The number of the next question. Nothing else depends on it: relaxed.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Relaxed);
        let book = self.swept_book();
        let rule = Arc::clone(book.rules.find(rule)?);
        let sites = book.sites.aimed_at(&rule.rule.site);
        let sites = sites.map(|site| (site, book.watches.meter_at(site)));
        let sites: Vec<_> = sites.collect();
        drop(book);
        // Without the lock: meters are large.
        let sites = sites.into_iter().map(|(site, meter)| AskedSite {
            site,
            meter: meter.map(|meter| {
                meter.compare(number, &rule.rule);
                let calls = meter.calls();
                (meter, calls)
            }),
        });
        let sites = sites.collect();
        Some(WhyQuestion {
            injector: self.clone(),
            number,
            began: self.now(),
            counts: WhyCounts::of(&rule),
            rule,
            sites,
        })
    }
}

impl WhyQuestion {
    /// Returns whether somebody watched a site of the rule when it was asked about.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.sites.iter().any(|site| site.meter.is_some())
    }

    /// Returns what has become of the calls since the question. Returns `None` if the rule is gone, or was changed so that
    /// its counts began again.
    #[must_use]
    pub fn answer(&self) -> Option<Why> {
        let injector = &self.injector;
        let book = injector.swept_book();
        let rule = Arc::clone(book.rules.find(self.rule.rule.id.as_str())?);
        if !Arc::ptr_eq(&rule.counters, &self.rule.counters) {
            return None;
        }
        let sites = self.sites.iter().map(|asked| {
            let meter = book.watches.meter_at(asked.site);
            let is_exempt = book.exempts(asked.site);
            (asked, meter, is_exempt)
        });
        let sites: Vec<_> = sites.collect();
        drop(book);
        let sites = sites.into_iter().map(|(asked, meter, is_exempt)| {
            let asked_meter = asked.meter.as_ref();
            // Of a site that was not watched for a while, not all calls are counted.
            let kept = asked_meter.filter(|(asked, _)| {
                let same = |meter| Arc::ptr_eq(asked, meter);
                meter.as_ref().is_some_and(same)
            });
            WhySite {
                site: asked.site,
                calls: kept.map(|(meter, before)| meter.calls().saturating_sub(*before)),
                mismatches: kept.and_then(|(meter, _)| meter.compared(self.number)),
                obstacles: injector.obstacles_at(asked.site, &rule, is_exempt),
            }
        });
        let sites = sites.collect();
        let total = WhyCounts::of(&rule);
        Some(Why {
            elapsed: injector.now().saturating_sub(self.began),
            sites,
            counted: total.since(&self.counts),
            total,
            has_spared_exempt: rule.counters.have_spared_exempt(),
        })
    }
}

impl Drop for WhyQuestion {
    fn drop(&mut self) {
        for (meter, _) in self.sites.iter().filter_map(|site| site.meter.as_ref()) {
            meter.end_compare(self.number);
        }
    }
}
