//! One look at a pick: whether it is due, and what comes of it. Of several pickers, one makes it.

use jiff::Timestamp;

use super::{Picker, random};
use crate::{
    controller::{FleetError, Holder, Placed},
    error::Refusal,
    name::Name,
    picker::{Choice, Next, Pick, Planned, Probe, State},
};

/// What a picker has done about a pick.
#[derive(Debug)]
#[non_exhaustive]
pub enum Turn {
    /// Nothing: the pick is not due before this moment.
    Wait(Planned),
    /// Nothing: the pick is due, and somebody else holds the fleet. It is to be asked again soon: if the holder is another
    /// picker, it makes the pick; if not, the pick is made once the fleet is free, or missed after an hour.
    Busy(Planned, Holder),
    /// This picker has made the pick.
    Made(Box<Made>),
}

/// A pick that was made.
#[derive(Debug)]
#[non_exhaustive]
pub struct Made {
    /// The name of the pick.
    pub pick: String,
    /// The number of the pick; the first is 0.
    pub ordinal: u64,
    /// When it was made.
    pub at: Timestamp,
    /// What came of it.
    pub choice: Choice,
    /// The document that was put at the replica, or why none could be; `None` if no replica is chosen. A pick that is
    /// recorded is not made again, whatever etcd does afterwards.
    pub put: Result<Option<Placed>, FleetError>,
}

impl Picker {
    /// Looks at a pick at the time `now`, and makes it if it is due. What comes of it is recorded before the replica is
    /// told, so no pick is made twice; a picker that ends in between has made a pick without a fault.
    ///
    /// `probe` is asked before a pick that has a [`Probe`]: an error, which says why, withholds the pick. A pick of a fleet
    /// that is halted is withheld, too.
    ///
    /// If it is dropped midway, the pick may have been made, though that is not told: its rules may be in force, and the fleet
    /// may be held for one hold. The next [`ended`](Self::ended) takes back such rules. No pick is made twice.
    ///
    /// # Errors
    /// Returns an error if etcd cannot be used, or holds something else where the pick is remembered.
    pub async fn turn(
        &mut self,
        pick: &Pick,
        now: Timestamp,
        probe: impl AsyncFn(&Probe) -> Result<(), String>,
    ) -> Result<Turn, FleetError> {
        let name: Name = pick.name().parse()?;
        loop {
            let Some((value, revision)) = self.operator.read_pick(&name).await? else {
                let state = pick.start(random(), now);
                self.operator.swap_pick(&name, 0, &written(&state)).await?;
                continue;
            };
            let state = read(&name, &value)?;
            let planned = match pick.next(&state, now) {
                Next::Wait(planned) => return Ok(Turn::Wait(planned)),
                Next::Missed(state) => {
                    let state = &written(&state);
                    self.operator.swap_pick(&name, revision, state).await?;
                    continue;
                }
                Next::Due(planned) => planned,
            };
            let choice = match self.prepare(pick, &state, &probe).await {
                Ok(choice) => choice,
                Err(FleetError::Held(holder)) => return Ok(Turn::Busy(planned, holder)),
                Err(error) => return Err(error),
            };
            let next = written(&pick.record(&state, now, choice.clone()));
            match self.operator.swap_pick(&name, revision, &next).await {
                Ok(true) => {
                    let made = self.arm(pick, planned.ordinal, now, choice).await;
                    return Ok(Turn::Made(Box::new(made)));
                }
                // Another picker was first.
                Ok(false) => self.let_go().await?,
                Err(error) => {
                    // The lease ends by itself, too.
                    let _ = self.let_go().await;
                    return Err(error);
                }
            }
        }
    }
}

fn written(state: &State) -> Vec<u8> {
    serde_json::to_vec(state).expect("a state is JSON")
}

fn read(pick: &Name, value: &[u8]) -> Result<State, FleetError> {
    let state = serde_json::from_slice(value);
    let refusal = |error| {
        let allowed = "what a picker has written; deleted, the pick begins anew";
        Refusal::new(format!("picks/{pick}"), error, allowed)
    };
    state.map_err(|error: serde_json::Error| refusal(error).into())
}
