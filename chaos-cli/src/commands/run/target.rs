//! Where an experiment injects: what the rest of a run knows of it.
#![cfg_attr(
    not(feature = "fleet"),
    expect(unused_variables, reason = "endpoints do not need all that fleets do")
)]

mod arming;
mod endpoints;
#[cfg(feature = "fleet")]
mod fleet;
mod lock;
mod ports;
mod ready;

use chaos_gameday::{Experiment, Target};
use serde_json::Value;

use self::endpoints::EndpointRun;
#[cfg(feature = "fleet")]
use self::fleet::FleetRun;
pub(super) use self::{
    lock::LOCK,
    ports::{Looks, PortLook},
};
use crate::{
    args::{Globals, experiment::TargetAccessArgs},
    commands::{
        run::{cut::Cut, stage::Part},
        signals::Signals,
    },
    failure::Failure,
    output::Output,
};

/// Where an experiment injects. What it says of several is in the order of [`names`](Self::names).
pub(super) enum RunTarget {
    /// Admin ports, each of which gets the rules.
    Endpoints(Box<EndpointRun>),
    /// Replicas that are reached through etcd.
    #[cfg(feature = "fleet")]
    Fleet(Box<FleetRun>),
}

impl RunTarget {
    /// Returns the target of an experiment. Nobody is asked yet.
    pub(super) fn open(
        globals: &Globals,
        access: &TargetAccessArgs,
        experiment: &Experiment,
    ) -> Result<Self, Failure> {
        match &experiment.target {
            Target::Endpoints(endpoints) => {
                let endpoints = EndpointRun::open(globals, endpoints, experiment);
                endpoints.map(|endpoints| Self::Endpoints(Box::new(endpoints)))
            }
            #[cfg(feature = "fleet")]
            Target::Fleet(fleet) => {
                let fleet = FleetRun::open(globals, &access.fleet, fleet, experiment);
                fleet.map(|fleet| Self::Fleet(Box::new(fleet)))
            }
            #[cfg(not(feature = "fleet"))]
            Target::Fleet(_) => {
                let detail = "this chaosctl was built without the feature `fleet`";
                Err(Failure::usage(detail).at("target", "endpoint or endpoints"))
            }
        }
    }

    /// Returns the target as an experiment writes it, where the command line may name another one.
    pub(super) fn written(&self, written: &Target) -> Target {
        match (self, written) {
            (Self::Endpoints(_), _) => Target::Endpoints(self.names()),
            #[cfg(feature = "fleet")]
            (Self::Fleet(fleet), Target::Fleet(written)) => {
                Target::Fleet(fleet.written(written.clone()))
            }
            #[cfg(feature = "fleet")]
            (Self::Fleet(_), Target::Endpoints(_)) => written.clone(),
        }
    }

    pub(super) fn names(&self) -> Vec<String> {
        match self {
            Self::Endpoints(endpoints) => endpoints.ports.names(),
            #[cfg(feature = "fleet")]
            Self::Fleet(fleet) => fleet.replicas.names(),
        }
    }

    /// Returns whether the rules of a phase were meant for the nth.
    pub(super) fn was_meant(&self, nth: usize) -> bool {
        match self {
            Self::Endpoints(endpoints) => nth < endpoints.ports.fleet.clients.len(),
            #[cfg(feature = "fleet")]
            Self::Fleet(fleet) => fleet.replicas.was_meant(nth),
        }
    }

    /// Returns why it is not known how many calls are hit at the nth, if it is not known.
    pub(super) fn unknown_hits(&self, nth: usize) -> Option<String> {
        match self {
            Self::Endpoints(_) => None,
            #[cfg(feature = "fleet")]
            Self::Fleet(fleet) => fleet.replicas.unknown_hits(nth),
        }
    }

    /// Returns whether the target says by itself what has ended its rules, in [`over`](Self::over).
    pub(super) fn tells_ends(&self) -> bool {
        match self {
            Self::Endpoints(_) => false,
            #[cfg(feature = "fleet")]
            Self::Fleet(_) => true,
        }
    }

    /// Asks whether the target would take the experiment. Nothing is changed.
    pub(super) async fn check(
        &self,
        globals: &Globals,
        out: &Output,
        experiment: &Experiment,
        sites: &[String],
    ) -> Result<(), Failure> {
        match self {
            Self::Endpoints(endpoints) => endpoints.check(out, experiment).await,
            #[cfg(feature = "fleet")]
            Self::Fleet(fleet) => fleet.check(globals, experiment, sites).await,
        }
    }

    /// Asks the operator before something is injected in production.
    pub(super) fn confirm(&self, out: &Output, what: &str) -> Result<(), Failure> {
        match self {
            Self::Endpoints(endpoints) => endpoints.ports.fleet.confirm(out, what),
            #[cfg(feature = "fleet")]
            Self::Fleet(fleet) => fleet.confirm(out, what),
        }
    }

    /// Takes the target for an experiment: another run is refused until it is released.
    pub(super) async fn take(
        &self,
        experiment: &Experiment,
        sites: &[String],
    ) -> Result<(), Failure> {
        match self {
            Self::Endpoints(endpoints) => endpoints.take(experiment).await,
            #[cfg(feature = "fleet")]
            Self::Fleet(fleet) => fleet.take(experiment, sites).await,
        }
    }

    /// Counts all calls of sites anew.
    ///
    /// # Errors
    /// Returns the first that cannot.
    pub(super) async fn observe(&self, sites: &[String]) -> Result<(), Cut> {
        let failures = match self {
            Self::Endpoints(endpoints) => lock::observe_all(&endpoints.ports, sites).await,
            #[cfg(feature = "fleet")]
            Self::Fleet(fleet) => fleet.observe(sites).await,
        };
        let lost = failures.into_iter().next();
        lost.map_or(Ok(()), |(name, failure)| Err(Cut::Lost(name, failure)))
    }

    /// Arms the rules of a part, which must not be there yet. With `sites`, the calls of these are counted for each rule,
    /// from before its first hit.
    ///
    /// # Errors
    /// Returns what ends the run: that some have not taken the rules, above all. Some of the rules may be armed then.
    pub(super) async fn arm(
        &self,
        part: &Part,
        rules: &[Value],
        sites: Option<&[String]>,
        signals: &mut Signals,
    ) -> Result<(), Cut> {
        match self {
            Self::Endpoints(endpoints) => endpoints.arm(rules, sites, signals).await,
            #[cfg(feature = "fleet")]
            Self::Fleet(fleet) => fleet.arm(part, rules, sites, signals).await,
        }
    }

    /// Waits until the target itself has ended what is armed. Cancel safe.
    pub(super) async fn over(&self) -> Cut {
        match self {
            Self::Endpoints(_) => std::future::pending().await,
            #[cfg(feature = "fleet")]
            Self::Fleet(fleet) => fleet.over().await,
        }
    }

    /// Asks for the rules, what they have counted, and for what became of the calls that the `observed` ones have seen.
    pub(super) async fn look(&self, ids: &[String], observed: &[String]) -> Looks {
        match self {
            Self::Endpoints(endpoints) => endpoints.ports.look(ids, observed).await,
            #[cfg(feature = "fleet")]
            Self::Fleet(fleet) => fleet.look(ids, observed).await,
        }
    }

    /// Ends the rules of a part, and looks for the last time. What cannot be ended ends at its deadline, and is a failure
    /// here.
    pub(super) async fn end(&self, part: &Part, rules: &[Value], observed: &[String]) -> Looks {
        match self {
            Self::Endpoints(endpoints) => endpoints.ports.end(observed).await,
            #[cfg(feature = "fleet")]
            Self::Fleet(fleet) => fleet.end(part, rules, observed).await,
        }
    }

    /// Returns the entries of the audits that came after those with these ids, the oldest of each first.
    pub(super) async fn audit(&self, after: &[u64]) -> Vec<Value> {
        match self {
            Self::Endpoints(endpoints) => endpoints.ports.audit(after).await,
            #[cfg(feature = "fleet")]
            Self::Fleet(fleet) => fleet.audit(after).await,
        }
    }

    /// Releases the target. Where it cannot be reached, it is free in a while.
    pub(super) async fn release(&self, sites: &[String]) {
        match self {
            Self::Endpoints(endpoints) => lock::release_all(&endpoints.ports, sites).await,
            #[cfg(feature = "fleet")]
            Self::Fleet(fleet) => fleet.release(sites).await,
        }
    }
}

/// Returns the sites whose calls are counted, each once: those of probes, and of the bound on what is worse.
pub(super) fn sites(experiment: &Experiment) -> Vec<String> {
    let probes = experiment.hypothesis.probes.iter();
    let asked = probes.filter_map(|probe| probe.question.site());
    let stop = experiment.stop.worse_than_control.as_ref();
    let mut sites: Vec<String> = asked
        .chain(stop.map(|bound| &*bound.site))
        .map(str::to_owned)
        .collect();
    sites.sort_unstable();
    sites.dedup();
    sites
}
