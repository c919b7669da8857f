//! `Picker`: makes the picks that are due, of one fleet, together with all other pickers of it.

mod armed;
mod turn;

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use jiff::Timestamp;
use tokio::task::JoinHandle;

use self::armed::Armed;
pub use self::{
    armed::PickEnd,
    turn::{Made, Turn},
};
use crate::{
    controller::{Answers, Controller, FleetError, Operator, Placed},
    document::sealed::Trust,
    error::Refusal,
    hold_range,
    name::Name,
    picker::{Choice, Pick, Probe, State},
    replica::Replica,
    store::Etcd,
};

/// Makes picks in a fleet: puts the rules of a pick that is due at the replica that is chosen, and takes them back.
///
/// Any number of pickers may run with one file: what is remembered of a pick lies in etcd, under `picks/<name>`, and only
/// the picker that replaces it makes the pick. It holds the fleet, as [`Controller`] does, while rules of picks are in
/// force, and no longer. So a picker that is killed, or cut off, ends its faults one hold later.
///
/// It reads no clock to decide: each method is told the time, so a test moves it over a week.
///
/// ```no_run
/// use std::time::Duration;
/// use chaos_fleet::{Etcd, Picker, Trust, Turn, picker::picks_from_toml};
///
/// # async fn pick(now: jiff::Timestamp) -> Result<(), Box<dyn std::error::Error>> {
/// let picks = picks_from_toml(&std::fs::read_to_string("picks.toml")?)?;
/// let etcd = Etcd::new(["http://127.0.0.1:2379"])?;
/// let hold = Duration::from_secs(30);
/// let mut picker = Picker::new(etcd, "shop-prod".parse()?, Trust::Store, "picker-1", hold)?;
/// // To be called again at the time that it waits for, and each second while rules are in force.
/// match picker.turn(&picks[0], now, async |_| Ok(())).await? {
///     Turn::Made(made) => println!("{}: {:?}", made.pick, made.choice),
///     Turn::Wait(planned) => println!("the next pick is at {}", planned.at),
///     _ => {}
/// }
/// picker.release().await?;
/// # Ok(())
/// # }
/// ```
pub struct Picker {
    etcd: Etcd,
    fleet: Name,
    trust: Trust,
    by: String,
    hold: Duration,
    operator: Operator,
    /// While rules are in force.
    controller: Option<Controller>,
    armed: Vec<Armed>,
    /// A document that is about to be put. Its task goes on when a turn is dropped midway: a request that is given up may
    /// reach etcd after the document was removed. So may one that etcd has not answered in time: such a document stays for
    /// its ttl, or until the picker lets go of the fleet.
    putting: Option<JoinHandle<Result<Placed, FleetError>>>,
    /// Documents that are over, or of which it is not known whether they have been put.
    to_remove: Vec<Name>,
    /// What is over, and was not told yet.
    untold: Vec<PickEnd>,
}

impl Picker {
    /// Names the etcd and the fleet, how documents are signed, and who picks. Nothing is connected yet.
    ///
    /// # Errors
    /// Returns an error if the hold is not from 5 seconds to 5 minutes.
    pub fn new(
        etcd: Etcd,
        fleet: Name,
        trust: Trust,
        by: &str,
        hold: Duration,
    ) -> Result<Self, Refusal> {
        hold_range::check(hold)?;
        Ok(Self {
            operator: Operator::new(etcd.clone(), fleet.clone()).trusting(trust.clone()),
            etcd,
            fleet,
            trust,
            by: by.to_owned(),
            hold,
            controller: None,
            armed: Vec::new(),
            putting: None,
            to_remove: Vec::new(),
            untold: Vec::new(),
        })
    }

    /// Returns the operator of the same fleet.
    #[must_use]
    pub fn operator(&self) -> &Operator {
        &self.operator
    }

    /// Returns whether rules of picks are in force, as far as is known.
    #[must_use]
    pub fn is_armed(&self) -> bool {
        !(self.armed.is_empty() && self.to_remove.is_empty())
    }

    /// Makes a pick at once, whatever its window says, and remembers nothing of it. `at` is the time.
    ///
    /// If it is dropped midway, the rules may be in force, and the fleet may be held for one hold. The next
    /// [`ended`](Self::ended) takes back such rules.
    ///
    /// # Errors
    /// Returns [`FleetError::Held`] if somebody else holds the fleet, and another error if etcd cannot be used.
    pub async fn at_once(
        &mut self,
        pick: &Pick,
        at: Timestamp,
        probe: impl AsyncFn(&Probe) -> Result<(), String>,
    ) -> Result<Made, FleetError> {
        let state = pick.start(random(), at);
        let choice = self.prepare(pick, &state, probe).await?;
        Ok(self.arm(pick, 0, at, choice).await)
    }

    /// Waits until the replica has answered to the document of a pick, for at most `patience`, and returns the answers of
    /// all.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// Returns [`FleetError::Gone`] if the document is over, and another error if etcd cannot be used.
    pub async fn wait(&self, placed: &Placed, patience: Duration) -> Result<Answers, FleetError> {
        match &self.controller {
            Some(controller) => controller.wait(placed, patience).await,
            None => Err(FleetError::Gone(placed.name.clone())),
        }
    }

    /// Takes back what is in force, and waits until etcd has done so. If it is dropped, that goes on in the background, as long
    /// as the runtime runs.
    ///
    /// # Errors
    /// Returns an error if etcd cannot be used: replicas then end the rules by themselves, one hold later at most.
    pub async fn release(mut self) -> Result<(), FleetError> {
        self.armed.clear();
        self.let_go().await
    }

    /// Decides what comes of a pick that is due, and takes hold of the fleet if a replica is chosen.
    async fn prepare(
        &mut self,
        pick: &Pick,
        state: &State,
        probe: impl AsyncFn(&Probe) -> Result<(), String>,
    ) -> Result<Choice, FleetError> {
        let choice = self.choose(pick, state, probe).await?;
        if let Choice::Replica { .. } = &choice {
            self.take().await?;
        }
        Ok(choice)
    }

    /// Decides what comes of a pick that is due. While somebody else holds the fleet, nothing does.
    async fn choose(
        &self,
        pick: &Pick,
        state: &State,
        probe: impl AsyncFn(&Probe) -> Result<(), String>,
    ) -> Result<Choice, FleetError> {
        let status = self.operator.status().await?;
        if let Some(halt) = status.halt {
            let reason = format!("the fleet is halted by {}", halt.by);
            return Ok(Choice::Withheld { reason });
        }
        // The probe is not asked again and again while the pick waits.
        if let Some(holder) = status.controller
            && !self.holds()
        {
            return Err(FleetError::Held(holder));
        }
        if let Some(asked) = pick.probe()
            && let Err(reason) = probe(asked).await
        {
            return Ok(Choice::Withheld { reason });
        }
        let replicas = status.replicas.into_iter();
        let replicas: Vec<Replica> = replicas.map(|report| report.replica).collect();
        Ok(pick.choose(state, &replicas))
    }

    /// Returns whether this picker holds the fleet.
    fn holds(&self) -> bool {
        let controller = self.controller.as_ref();
        controller.is_some_and(|controller| !controller.is_over())
    }

    /// Takes hold of the fleet, unless this picker has it.
    async fn take(&mut self) -> Result<(), FleetError> {
        if !self.holds() {
            let (etcd, fleet) = (self.etcd.clone(), self.fleet.clone());
            let taken = Controller::take(etcd, fleet, self.trust.clone(), &self.by, self.hold);
            self.controller = Some(taken.await?);
        }
        Ok(())
    }

    /// Lets go of the fleet, unless rules are in force.
    async fn let_go(&mut self) -> Result<(), FleetError> {
        match self.controller.take_if(|_| self.armed.is_empty()) {
            Some(controller) => {
                // All documents end with the hold.
                self.to_remove.clear();
                controller.release().await
            }
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Picker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Picker")
            .field("fleet", &self.fleet)
            .field("by", &self.by)
            .finish_non_exhaustive()
    }
}

/// Returns 64 random bits: the keys of the standard library's hash maps are.
fn random() -> u64 {
    RandomState::new().hash_one(())
}
