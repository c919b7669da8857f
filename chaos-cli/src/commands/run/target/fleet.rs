//! A fleet as the target of an experiment: it is held for the whole run, and each part has one document.

mod check;
mod document;
mod ending;
mod replicas;
mod take_out;

use std::{
    cell::{OnceCell, RefCell},
    rc::Rc,
    time::Duration,
};

use chaos_core::Clock;
use chaos_fleet::{Answers, Controller, FleetError, Placed, Trust};
use chaos_gameday::{Experiment, FleetTarget, TargetFate};
use serde_json::Value;

use self::{document::Documents, replicas::Replicas};
use crate::{
    args::{Globals, fleet::FleetAccessArgs},
    client::answer::text,
    commands::{
        run::{
            cut::Cut,
            stage::Part,
            target::{
                lock,
                ports::{Looks, PACE, Ports, observe},
            },
        },
        signals::Signals,
    },
    config::etcd,
    failure::Failure,
    output::Output,
};

/// How long replicas may take to apply a document, or to say that it is gone.
const LONGEST_ANSWER: Duration = Duration::from_secs(5);

/// A fleet that is held for a run.
pub(in crate::commands::run) struct FleetRun {
    etcd: etcd::Target,
    trust: Trust,
    documents: Documents,
    /// The admin ports that replicas name, once it was asked who is there.
    ports: OnceCell<Ports>,
    pub(super) replicas: Replicas,
    /// Present while the fleet is held.
    controller: RefCell<Option<Rc<Controller>>>,
    /// The document of the present part.
    placed: RefCell<Option<Placed>>,
}

impl FleetRun {
    /// Returns the fleet of an experiment; that of the command line takes its place. Nobody is asked yet.
    pub(super) fn open(
        globals: &Globals,
        args: &FleetAccessArgs,
        target: &FleetTarget,
        experiment: &Experiment,
    ) -> Result<Self, Failure> {
        if !globals.endpoints.is_empty() {
            let failure = Failure::usage("the experiment injects into a fleet");
            return Err(failure.at("--endpoint", "none: --fleet names another fleet"));
        }
        let etcd = etcd::target_at(globals, args, &target.etcd, &target.name)?;
        Ok(Self {
            trust: etcd.trust()?,
            etcd,
            documents: Documents::of(target, experiment)?,
            ports: OnceCell::new(),
            replicas: Replicas::default(),
            controller: RefCell::default(),
            placed: RefCell::default(),
        })
    }

    /// Returns the fleet as an experiment writes it.
    pub(super) fn written(&self, written: FleetTarget) -> FleetTarget {
        FleetTarget {
            etcd: self.etcd.endpoints.clone(),
            name: self.etcd.fleet.to_string(),
            ..written
        }
    }

    pub(super) fn confirm(&self, out: &Output, what: &str) -> Result<(), Failure> {
        self.etcd.confirm(out, what)
    }

    /// Takes the fleet, and the locks of its ports if something is counted there.
    pub(super) async fn take(
        &self,
        experiment: &Experiment,
        sites: &[String],
    ) -> Result<(), Failure> {
        let (etcd, fleet) = (self.etcd.etcd.clone(), self.etcd.fleet.clone());
        let (trust, hold) = (self.trust.clone(), Controller::USUAL_HOLD);
        let controller = Controller::take(etcd, fleet, trust, &self.etcd.by, hold).await;
        let controller = controller.map_err(|error| Failure::of_fleet(&error))?;
        let locked = match self.ports.get() {
            Some(ports) if !sites.is_empty() => lock::take_all(ports, experiment).await,
            _ => Ok(()),
        };
        match locked {
            Ok(()) => self.controller.replace(Some(Rc::new(controller))),
            Err(failure) => {
                // It ends by itself, too.
                let _ = controller.release().await;
                return Err(failure);
            }
        };
        Ok(())
    }

    pub(super) async fn observe(&self, sites: &[String]) -> Vec<(String, Failure)> {
        let Some(ports) = self.ports.get() else {
            return Vec::new();
        };
        let failures = lock::observe_all(ports, sites).await.into_iter();
        let of_port = |name: &str| self.replicas.of_port(&ports.names(), name);
        let failures = failures.map(|(name, failure)| (of_port(&name), failure));
        failures.collect()
    }

    /// Puts the document of a part, and waits until those it is meant for have applied it.
    pub(super) async fn arm(
        &self,
        part: &Part,
        rules: &[Value],
        sites: Option<&[String]>,
        signals: &mut Signals,
    ) -> Result<(), Cut> {
        if rules.is_empty() {
            return Ok(());
        }
        if let Some(sites) = sites {
            // What is counted has to be said to a port before the first call is hit.
            self.put(part, rules, false, signals).await?;
            self.observe_rules(&part.ids, sites).await?;
        }
        self.put(part, rules, true, signals).await
    }

    async fn put(
        &self,
        part: &Part,
        rules: &[Value],
        is_on: bool,
        signals: &mut Signals,
    ) -> Result<(), Cut> {
        let controller = self
            .controller()
            .ok_or_else(|| self.lost(ending::no_longer_held()))?;
        let document = self.documents.of_part(part, rules, is_on);
        let others = match is_on {
            true => TargetFate::Applied,
            false => TargetFate::Withdrawn,
        };
        let document =
            document.map_err(|failure| Cut::NotApplied(vec![(self.name(), failure)], others))?;
        let placed = controller
            .put(&document, Some(self.documents.reason()))
            .await;
        let placed = placed.map_err(|error| self.lost(Failure::of_fleet(&error)))?;
        self.replicas.are_meant(&placed.meant);
        self.placed.replace(Some(placed.clone()));
        let answers = tokio::select! {
            biased;
            code = signals.next() => return Err(Cut::Signal(code)),
            // What has ended it says more than who lacks.
            end = controller.over(&placed) => return Err(ending::cut(&self.name(), &end)),
            answers = answers(&controller, &placed) => answers,
        };
        let answers = answers.map_err(|error| self.lost(Failure::of_fleet(&error)))?;
        // Whoever has joined meanwhile has decided for itself.
        self.replicas.join(answers.applied.keys());
        match ending::not_applied(&answers) {
            refused if refused.is_empty() => Ok(()),
            refused => Err(Cut::NotApplied(refused, others)),
        }
    }

    async fn observe_rules(&self, ids: &[String], sites: &[String]) -> Result<(), Cut> {
        let Some(ports) = self.ports.get() else {
            return Ok(());
        };
        let meant = self.replicas.meant_ports(&ports.names());
        let observed = ports.ask(async |client| {
            // The others have no such rules.
            let is_meant = meant.contains(&client.name());
            for id in ids.iter().filter(|_| is_meant) {
                observe(client, id, sites).await?;
            }
            Ok(())
        });
        let refused = self.replicas.failures(observed.await);
        match refused.is_empty() {
            true => Ok(()),
            false => Err(Cut::NotApplied(refused, TargetFate::Withdrawn)),
        }
    }

    /// Waits until the fleet has ended the document, or is lost. Cancel safe.
    pub(super) async fn over(&self) -> Cut {
        let Some(controller) = self.controller() else {
            return std::future::pending().await;
        };
        let placed = self.placed.borrow().clone();
        match placed {
            Some(placed) => ending::cut(&self.name(), &controller.over(&placed).await),
            None => ending::lost(&self.name(), &controller.ended().await),
        }
    }

    pub(super) async fn look(&self, ids: &[String], observed: &[String]) -> Looks {
        match self.ports.get() {
            Some(ports) => self.replicas.looks(ports.look(ids, observed).await),
            None => self.replicas.looks(Vec::new()),
        }
    }

    pub(super) async fn audit(&self, after: &[u64]) -> Vec<Value> {
        let Some(ports) = self.ports.get() else {
            return Vec::new();
        };
        let mut entries = ports.audit(&self.replicas.by_port(after)).await;
        for entry in &mut entries {
            let name = self
                .replicas
                .of_port(&ports.names(), text(entry, "endpoint"));
            entry["endpoint"] = name.into();
        }
        entries
    }

    /// Releases the fleet, which ends what is left of its documents, and the locks of the ports.
    pub(super) async fn release(&self, sites: &[String]) {
        if let Some(ports) = self.ports.get().filter(|_| !sites.is_empty()) {
            lock::release_all(ports, sites).await;
        }
        let controller = self.controller.take();
        if let Some(controller) = controller.and_then(Rc::into_inner) {
            // Where etcd cannot be reached, the lease ends by itself.
            let _ = controller.release().await;
        }
    }

    /// Returns what the fleet is called where the fleet itself is meant.
    fn name(&self) -> String {
        format!("fleet {}", self.etcd.fleet)
    }

    fn lost(&self, failure: Failure) -> Cut {
        Cut::Lost(self.name(), failure)
    }

    fn controller(&self) -> Option<Rc<Controller>> {
        self.controller.borrow().clone()
    }
}

/// Waits until those that a document is meant for have answered. Whoever it is not meant for is not waited for.
async fn answers(controller: &Controller, placed: &Placed) -> Result<Answers, FleetError> {
    let clock = Clock::monotonic();
    loop {
        let answers = controller.wait(placed, PACE).await?;
        if answers.silent.is_empty() || clock.now() >= LONGEST_ANSWER {
            return Ok(answers);
        }
    }
}
