//! One session with etcd: list, then watch, until anything fails. It is never resumed: what comes after begins with a list.

use std::{convert::Infallible, future::ready, time::Duration};

use chaos_core::Clock;
use tokio::time::{interval, sleep, timeout};

use crate::{
    error::StoreError,
    member::{Membership, follower::Taken, limits},
    report::Report,
    store::session::{Session, Watch},
};

/// How often a replica looks at itself.
const LOOK: Duration = Duration::from_millis(250);
/// How often it does while there is nothing to see.
const IDLE_LOOK: Duration = Duration::from_secs(1);
/// How often it is looked whether there is something to tell of which nobody has said a word, such as a halt by a person.
const TELL: Duration = Duration::from_secs(2);
/// The least time between two reports.
const REST: Duration = Duration::from_millis(100);

/// Follows the fleet through one endpoint, the one number `nth`, and returns what has failed.
pub(super) async fn follow(shared: &Membership, nth: usize) -> StoreError {
    match begin_and_follow(shared, nth).await {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

async fn begin_and_follow(shared: &Membership, nth: usize) -> Result<Infallible, StoreError> {
    let ping = (shared.hold / 10).clamp(Duration::from_secs(1), Duration::from_secs(3));
    let clock = Clock::monotonic();
    let session = shared.etcd.session(nth, ping).await?;
    let began = clock.now();
    let orders = shared.keys.orders();
    let listed = session.list(&orders).await?;
    // A halt is for whoever reads it, whoever has this id.
    shared.follower().heed_halt(&listed);
    let own = shared.keys.replica(&shared.follower().replica.id);
    let reported = session.get(&own).await?;
    // Its lease ends within a hold, unless another replica has this id.
    if let Some(reported) = &reported
        && !shared.leases().contains(&reported.lease)
    {
        return Err(session.taken(&own));
    }
    let mut watch = session.watch(&orders, listed.revision + 1).await?;
    // Before anything is written: an etcd that is full still says what has ended.
    shared.follower().list(listed);
    let lease = session.grant(shared.hold).await?;
    shared.leases().push(lease);
    let revision = reported.map_or(0, |reported| reported.revision);
    let put = session.swap(&own, revision, shared.report(), Some(lease));
    if put.await?.is_none() {
        return Err(session.taken(&own));
    }
    // A put without an answer may have been done or not; now it is known.
    shared.leases().retain(|it| *it == lease);
    // What has come since the list may be as old as that.
    loop {
        let event = tokio::select! {
            biased;
            event = watch.next() => event?,
            () = ready(()) => break,
        };
        if shared.follower().take(event, clock.now() - began) == Taken::Room {
            return Err(watch.given_up());
        }
    }
    shared.condition().followed();
    shared.changed();
    let error = tokio::select! {
        error = read(shared, watch) => error,
        error = session.keep(lease, shared.hold / 3) => error,
        error = tell(shared, &session, lease) => error,
        error = limits::feed(shared, &session) => error,
    };
    Err(error)
}

/// Takes what happens in etcd, and looks at this replica once in a while.
async fn read(shared: &Membership, mut watch: Watch) -> StoreError {
    let clock = Clock::monotonic();
    let mut looked = clock.now();
    loop {
        let pace = match shared.follower().is_in_force() {
            true => LOOK,
            false => IDLE_LOOK,
        };
        let waiting_since = clock.now();
        // However much there is to read.
        if waiting_since - looked >= pace {
            looked = waiting_since;
            let has_changed = shared.follower().look();
            if has_changed {
                shared.changed();
            }
        }
        let event = timeout(pace, watch.next()).await;
        let ago = clock.now() - waiting_since;
        // A fault may have blocked the runtime: what is read now may be old, the beats of a dead controller among it.
        if ago > pace + shared.hold / 5 {
            return watch.given_up();
        }
        let Ok(event) = event else {
            continue;
        };
        let event = match event {
            Ok(event) => event,
            Err(error) => return error,
        };
        // A beat proves no more than that the controller lived when this began to wait for it.
        let taken = shared.follower().take(event, ago);
        match taken {
            Taken::Nothing => {}
            Taken::Something => shared.changed(),
            Taken::Room => return watch.given_up(),
        }
    }
}

/// Puts the report whenever it has changed, and the stops of this replica.
async fn tell(shared: &Membership, session: &Session, lease: i64) -> StoreError {
    match tell_on(shared, session, lease).await {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

async fn tell_on(
    shared: &Membership,
    session: &Session,
    lease: i64,
) -> Result<Infallible, StoreError> {
    let key = shared.keys.replica(&shared.follower().replica.id);
    let mut last: Option<Report> = None;
    let mut pace = interval(TELL);
    loop {
        tokio::select! {
            () = shared.changed.notified() => {}
            _ = pace.tick() => {}
        }
        let untold = shared.follower().untold();
        for (document, stop) in untold {
            let stop_key = shared.keys.stop(&document, &shared.follower().replica.id);
            let value = serde_json::to_vec(&stop).expect("a stop is JSON");
            session.put(&stop_key, value, None).await?;
        }
        let (report, _) = shared.follower().report();
        if last.as_ref().is_some_and(|last| is_the_same(last, &report)) {
            continue;
        }
        session.put(&key, report.to_json(), Some(lease)).await?;
        last = Some(report);
        // A document that changes a hundred times a second is not reported as often.
        sleep(REST).await;
    }
}

/// Returns whether a report would say nothing new. How far a replica has followed is told with what has changed.
fn is_the_same(last: &Report, report: &Report) -> bool {
    let seen = last.seen;
    *last
        == Report {
            seen,
            ..report.clone()
        }
}
