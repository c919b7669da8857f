//! Whether a fleet is ready for an experiment. Nothing is changed.

use std::collections::BTreeMap;

use chaos_fleet::{DocumentStatus, LeashKind};
use chaos_gameday::Experiment;

use crate::{
    args::Globals,
    commands::run::{
        phases::GRACE,
        target::{fleet::FleetRun, ports::Ports, ready},
    },
    config,
    failure::{Exit, Failure},
};

impl FleetRun {
    /// Asks who is there, and whether the fleet and the ports of those whom the phases are meant for are ready.
    pub(in crate::commands::run::target) async fn check(
        &self,
        globals: &Globals,
        experiment: &Experiment,
        sites: &[String],
    ) -> Result<(), Failure> {
        let operator = self.etcd.operator();
        let failed = |error| Failure::of_fleet(&error);
        let status = operator.status().await.map_err(failed)?;
        if let Some(halt) = status.halt {
            let failure =
                Failure::new(Exit::Changed, format!("the fleet is halted by {}", halt.by));
            let allowed = "one that is not halted: chaosctl fleet resume";
            return Err(failure.at("target.fleet", allowed));
        }
        let name = &self.documents.name;
        // One of an earlier run hangs on a controller, which is gone before the fleet can be taken.
        let is_of_others = |document: &DocumentStatus| {
            let content = document.content.as_ref();
            document.name == *name && content.is_some_and(|it| it.leash == LeashKind::Never)
        };
        if status.documents.iter().any(is_of_others) {
            let failure =
                Failure::new(Exit::Changed, format!("there is a document {name} already"));
            return Err(failure.at("title", "one whose name no document of the fleet has"));
        }
        let mut meant = BTreeMap::new();
        for phase in experiment.phases.iter().filter(|it| !it.rules.is_empty()) {
            let rules: Vec<_> = phase.rules.iter().map(|rule| rule.json().clone()).collect();
            // As they are written, so that what a document cannot have is told.
            let document = self
                .documents
                .written(&rules, phase.length + GRACE, phase.share)?;
            let preview = operator.preview(document.aim(), document.name()).await;
            let preview = preview.map_err(failed)?;
            if preview.meant.is_empty() {
                let detail = format!("no replica is there for the phase {:?}", phase.name);
                let allowed = "an aim that `chaosctl fleet replicas` shows replicas for";
                return Err(Failure::usage(detail).at("target.fleet", allowed));
            }
            let known = preview.meant.into_iter();
            meant.extend(known.map(|replica| (replica.id.clone(), replica)));
        }
        let addresses = self.replicas.set(meant.into_values());
        let ports = config::fleet_of(globals, &addresses)?;
        ports.check(false)?;
        self.replicas.find_ports(&ports.clients);
        let ports = self.ports.get_or_init(|| Ports::new(ports, experiment));
        if !sites.is_empty() && ports.names().is_empty() {
            let failure = Failure::usage("no replica names the admin port that counts calls");
            let allowed = "replicas with the label `admin`, or probes of other kinds";
            return Err(failure.at("target.fleet", allowed));
        }
        let rules: Vec<_> = experiment.rules().map(|rule| rule.json().clone()).collect();
        ready::ask(ports, experiment, &rules).await
    }
}
