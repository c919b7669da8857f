//! Admin ports as the target of an experiment: each gets the rules.

use chaos_gameday::Experiment;
use serde_json::Value;

use crate::{
    args::Globals,
    commands::{
        run::{
            cut::Cut,
            phases::GRACE,
            target::{lock, ports::Ports, ready},
        },
        signals::Signals,
    },
    config,
    failure::{Exit, Failure},
    output::Output,
};

/// Admin ports, each of which gets the rules.
pub(in crate::commands::run) struct EndpointRun {
    pub(super) ports: Ports,
}

impl EndpointRun {
    /// Returns the ports of an experiment; those of the command line take their place.
    pub(super) fn open(
        globals: &Globals,
        endpoints: &[String],
        experiment: &Experiment,
    ) -> Result<Self, Failure> {
        let fleet = config::fleet_at(globals, endpoints)?;
        fleet.check(false)?;
        Ok(Self {
            ports: Ports::new(fleet, experiment),
        })
    }

    /// Asks each port whether it is not halted, has the sites, and would take the rules of each phase.
    pub(super) async fn check(&self, out: &Output, experiment: &Experiment) -> Result<(), Failure> {
        let phases = experiment.phases.iter();
        let rules = phases.flat_map(|phase| {
            let ttl = phase.length + GRACE;
            phase.rules.iter().map(move |rule| rule.json_for(ttl))
        });
        let rules: Vec<Value> = rules.collect();
        ready::ask(&self.ports, experiment, &rules).await?;
        for answers in self.ports.check(&rules).await {
            for answer in answers.map_err(of_the_file)? {
                out.warnings(&answer);
            }
        }
        let lock = self.ports.check(&[lock::rule(experiment)]).await;
        lock.into_iter()
            .try_for_each(|answer| answer.map(drop).map_err(of_the_file))
    }

    /// Takes the lock of each port.
    pub(super) async fn take(&self, experiment: &Experiment) -> Result<(), Failure> {
        lock::take_all(&self.ports, experiment).await
    }

    pub(super) async fn arm(
        &self,
        rules: &[Value],
        sites: Option<&[String]>,
        signals: &mut Signals,
    ) -> Result<(), Cut> {
        tokio::select! {
            biased;
            code = signals.next() => Err(Cut::Signal(code)),
            armed = self.ports.arm(rules, sites) => armed,
        }
    }
}

/// Returns the failure for a rule that a port refuses: it is the file that is wrong.
fn of_the_file(failure: Failure) -> Failure {
    match failure.exit {
        Exit::Refused => Failure {
            exit: Exit::Usage,
            ..failure
        },
        _ => failure,
    }
}
