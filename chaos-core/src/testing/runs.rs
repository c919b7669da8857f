//! The runs of [`Systematic`](crate::testing::Systematic), one after another: first those that show
//! which sites are passed, then those with faults.

use std::collections::{BTreeMap, HashSet, VecDeque};

use crate::{
    fault::Fault,
    overlay::Overlay,
    rule::{Mode, Rule, lifetime::Lifetime},
    testing::{
        halt_since::halt_since,
        report::{Outcome, Passes, SystematicReport, Tried, TriedFault, Untried},
        systematic::Systematic,
    },
    trigger::{Trigger, replay::Replay},
};

/// The passes through each site, by its name.
type SitePasses = BTreeMap<&'static str, u64>;

/// The runs that are left, and what those before have shown.
pub(super) struct Runs<'s> {
    systematic: &'s Systematic,
    /// The sites that are counted.
    sites: Vec<&'static str>,
    /// The run under way, and its overlay.
    current: Option<(Vec<TriedFault>, Overlay)>,
    /// How often the current run was repeated, because it registered sites.
    repeated: u32,
    /// The id of the audit's newest entry before the current run.
    audited: u64,
    left: VecDeque<Vec<TriedFault>>,
    /// The pairs that were or will be tried, smaller one first.
    pairs: HashSet<[(String, Passes, usize); 2]>,
    /// The passes of the run without a fault.
    baseline: SitePasses,
    /// The passes through each site of which each had a fault in one run.
    all_hit: SitePasses,
    report: SystematicReport,
}

impl<'s> Runs<'s> {
    pub(super) fn new(systematic: &'s Systematic) -> Self {
        Self {
            systematic,
            sites: Vec::new(),
            current: None,
            repeated: 0,
            audited: 0,
            left: [Vec::new()].into(),
            pairs: HashSet::new(),
            baseline: SitePasses::new(),
            all_hit: SitePasses::new(),
            report: SystematicReport {
                without: Outcome::Passed,
                tried: Vec::new(),
                untried: Vec::new(),
            },
        }
    }

    /// Returns the overlay of the next run; `None` after the last.
    pub(super) fn next(&mut self) -> Option<Overlay> {
        let faults = self.left.pop_front()?;
        if self.report.tried.len() >= self.systematic.most_runs {
            let more = self.left.len() + 1;
            self.left.clear();
            self.untried(Untried::MoreRuns(more));
            return None;
        }
        self.sites = self.registered();
        // An entry of a halt under way was written before.
        self.audited = self.systematic.injector.audit().last();
        let overlay = Overlay::new(&self.systematic.injector);
        let count = |(at, site): (usize, &&str)| counting(&at.to_string(), site);
        let mut rules: Vec<_> = self.sites.iter().enumerate().map(count).collect();
        // The site of a macro with an `injector:` is registered once a rule aims at it.
        rules.push(counting("any", "**"));
        rules.extend(injecting(&faults));
        overlay.replace(rules).expect("the ids differ");
        self.current = Some((faults, overlay.clone()));
        Some(overlay)
    }

    /// Records the outcome of the run whose overlay `next` returned last.
    pub(super) fn record(&mut self, outcome: Outcome) {
        let Some((faults, overlay)) = self.current.take() else {
            return;
        };
        if self.registered() != self.sites && self.repeated < 3 {
            // The passes of a site that the run has registered were not counted.
            self.repeated += 1;
            self.left.push_front(faults);
            return;
        }
        self.repeated = 0;
        let halt = halt_since(&self.systematic.injector, self.audited);
        let was_halted = halt.is_some();
        if let Some(halt) = halt {
            self.untried(Untried::Halted(halt.reason));
        }
        let counts = self.counts(&overlay);
        if faults.is_empty() {
            self.report.without = outcome;
            self.plan(counts, was_halted);
            return;
        }
        for fault in faults.iter().filter(|fault| fault.passes == Passes::All) {
            let passes = counts.iter().find(|(site, _)| **site == fault.site);
            if let Some((site, passes)) = passes {
                let most = self.all_hit.entry(site).or_default();
                *most = (*most).max(*passes);
            }
        }
        let is_hit = |at: usize| {
            let counts = overlay.counts(&fault_id(at));
            counts.is_some_and(|counts| counts.injected > 0)
        };
        let outcome = match outcome {
            Outcome::Passed if !(0..faults.len()).all(is_hit) => Outcome::NotReached,
            outcome => outcome,
        };
        if outcome == Outcome::Passed {
            self.follow(&faults, &counts);
        }
        self.report.tried.push(Tried { faults, outcome });
    }

    /// Returns the report of all runs.
    pub(super) fn report(self) -> SystematicReport {
        self.report
    }

    /// Returns the sites that the injector knows and that are to be tried.
    fn registered(&self) -> Vec<&'static str> {
        let Systematic {
            injector, sites, ..
        } = self.systematic;
        let mut names: Vec<_> = injector.sites().iter().map(|site| site.name()).collect();
        names.retain(|name| sites.as_ref().is_none_or(|sites| sites.matches(name)));
        names.dedup();
        names
    }

    /// Returns how often a run passed each site.
    fn counts(&self, overlay: &Overlay) -> SitePasses {
        let matched = |at: usize| {
            let counts = overlay.counts(&at.to_string());
            counts.map_or(0, |counts| counts.matched)
        };
        let sites = self.sites.iter().enumerate();
        sites.map(|(at, name)| (*name, matched(at))).collect()
    }

    /// Plans the runs with one fault, and those with a fault at every pass of a site.
    fn plan(&mut self, counts: SitePasses, was_halted: bool) {
        if self.report.without != Outcome::Passed {
            return;
        }
        let most = self.systematic.most_passes;
        let mut always = Vec::new();
        for (site, passes) in counts.iter().filter(|(_, passes)| **passes > 0) {
            let faults = self.fitting(site);
            if faults.is_empty() {
                self.untried(Untried::NoFault((*site).to_owned()));
            }
            if *passes > most {
                self.untried(Untried::MorePasses((*site).to_owned(), passes - most));
            }
            for pass in 1..=most.min(*passes) {
                let one = |(_, fault)| vec![tried(site, Passes::Nth(pass), fault)];
                self.left.extend(faults.iter().cloned().map(one));
            }
            let all = |(_, fault)| vec![tried(site, Passes::All, fault)];
            always.extend(faults.into_iter().map(all));
        }
        if self.systematic.always {
            self.left.extend(always);
        }
        // While it is halted, no pass is counted.
        if !was_halted && counts.values().all(|passes| *passes == 0) {
            self.untried(Untried::NoSite);
        }
        self.baseline = counts;
    }

    /// Plans the pairs of a run with one fault, and notes the passes that this run has shown and that no run
    /// injects into.
    fn follow(&mut self, faults: &[TriedFault], counts: &SitePasses) {
        for (site, passes) in counts {
            for pass in 1..=self.systematic.most_passes.min(*passes) {
                let at = Passes::Nth(pass);
                let is_hit = |fault: &TriedFault| {
                    fault.site == **site && [at, Passes::All].contains(&fault.passes)
                };
                if faults.iter().any(is_hit) {
                    continue;
                }
                match faults {
                    [first] if self.systematic.pairs => self.pair(first, site, at),
                    _ if !self.is_tried(site, pass) => {
                        let is_of_pair = faults.len() > 1;
                        let new: fn(_, _) -> _ = match is_of_pair {
                            true => Untried::NewPassOfPair,
                            false => Untried::NewPass,
                        };
                        self.untried(new((*site).to_owned(), pass));
                    }
                    _ => {}
                }
            }
        }
    }

    /// Returns whether a run injects a fault at a pass, alone or together with another one.
    fn is_tried(&self, site: &str, pass: u64) -> bool {
        let made = [&self.baseline, &self.all_hit].map(|passes| passes.get(site));
        let is_among_all = made.into_iter().flatten().any(|passes| pass <= *passes);
        let at = |fault: &TriedFault| fault.site == site && fault.passes == Passes::Nth(pass);
        let tried = self.report.tried.iter().map(|tried| &tried.faults);
        is_among_all || tried.chain(&self.left).flatten().any(at)
    }

    /// Plans the runs with `first` and another fault at the pass `at`.
    fn pair(&mut self, first: &TriedFault, site: &str, at: Passes) {
        let index = self.systematic.index(&first.fault);
        for (other, fault) in self.fitting(site) {
            let mut pair = [
                (first.site.clone(), first.passes, index),
                (site.to_owned(), at, other),
            ];
            pair.sort();
            if self.pairs.insert(pair) {
                self.left
                    .push_back(vec![first.clone(), tried(site, at, fault)]);
            }
        }
    }

    /// Returns the faults that can happen at a site, with their places in the list.
    fn fitting(&self, name: &str) -> Vec<(usize, Fault)> {
        let sites = self.systematic.injector.sites();
        let here = sites.iter().filter(|site| site.name() == name);
        let kinds: Vec<_> = here.map(|site| site.kind()).collect();
        let faults = self.systematic.faults().into_iter().enumerate();
        faults
            .filter(|(_, fault)| kinds.iter().any(|kind| fault.site_kinds().have(*kind)))
            .collect()
    }

    /// Notes something that is not tried, once.
    fn untried(&mut self, untried: Untried) {
        if !self.report.untried.contains(&untried) {
            self.report.untried.push(untried);
        }
    }
}

fn tried(site: &str, passes: Passes, fault: Fault) -> TriedFault {
    let site = site.to_owned();
    TriedFault {
        site,
        passes,
        fault,
    }
}

/// Returns the id of the rule that injects a run's fault.
fn fault_id(at: usize) -> String {
    format!("systematic-{at}")
}

/// Creates a rule that counts the passes through a site. The fault does not matter: an `error` can
/// happen at every site.
fn counting(id: &str, site: &str) -> Rule {
    rule(id, site, Fault::error("systematic")).mode(Mode::Shadow)
}

/// Creates the rules that inject the faults of a run. A pass that the first one hits is not counted by the
/// second.
fn injecting(faults: &[TriedFault]) -> impl Iterator<Item = Rule> {
    faults.iter().enumerate().map(|(at, fault)| {
        let rule = rule(&fault_id(at), &fault.site, fault.fault.clone()).final_if_fired(true);
        let Passes::Nth(pass) = fault.passes else {
            return rule;
        };
        let is_before = |other: &&TriedFault| {
            other.site == fault.site && matches!(other.passes, Passes::Nth(other) if other < pass)
        };
        let hit_before = faults[..at].iter().filter(is_before).count() as u64;
        let one = Replay::ordinals([pass - 1 - hit_before]).expect("one is not too many");
        rule.trigger(Trigger::new().replay(one))
    })
}

/// Creates a rule that never ends, since a test may advance its clock by hours.
fn rule(id: &str, site: &str, fault: Fault) -> Rule {
    let id = id.parse().expect("an id of our own");
    let site = site.parse().expect("the name of a site");
    Rule::new(id, site, fault).lifetime(Lifetime::NEVER_ENDS)
}
