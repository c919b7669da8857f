//! A limit of the fleet: each replica takes a part of it ahead, so no call waits for etcd, and all together never exceed it.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::sleep;

use crate::{
    error::StoreError,
    member::{Membership, in_force::Limited},
    name::Name,
    store::session::Session,
};

/// How often it is looked whether more is needed.
const PACE: Duration = Duration::from_millis(50);

/// Feeds the rules whose fleet has a limit, until that fails. What was taken and is not known to be taken is lost: the limit
/// is not exceeded.
pub(super) async fn feed(shared: &Membership, session: &Session) -> StoreError {
    // The limits that are used up.
    let mut dry = BTreeSet::new();
    // Who has lost to another replica asks again at another time than those that have lost, too.
    let own = shared.follower().replica.id.clone();
    let own = own.as_str().bytes().fold(0_u32, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(byte.into())
    });
    let pace = PACE + PACE * (own % 100) / 100;
    loop {
        let limits = shared.follower().limits();
        match limits.is_empty() {
            true => shared.limited.notified().await,
            false => sleep(pace).await,
        }
        for (name, limited) in limits {
            let is_needed = limited.allowance.left() < limited.chunk.div_ceil(2);
            if !is_needed || dry.contains(&(name.clone(), limited.life, limited.limit)) {
                continue;
            }
            match take(shared, session, &name, &limited).await {
                Ok(true) => {}
                Ok(false) => {
                    dry.insert((name, limited.life, limited.limit));
                }
                Err(error) => return error,
            }
        }
    }
}

/// Takes a part of a limit, unless another replica was quicker. Returns whether there may be more.
async fn take(
    shared: &Membership,
    session: &Session,
    name: &Name,
    limited: &Limited,
) -> Result<bool, StoreError> {
    let key = shared.keys.limit(name, limited.life);
    let entry = session.get(&key).await?;
    let revision = entry.as_ref().map_or(0, |entry| entry.revision);
    // A value that is no number is not understood: nothing is given out.
    let taken = match &entry {
        None => 0,
        Some(entry) => std::str::from_utf8(&entry.value)
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(u64::MAX),
    };
    let part = limited.chunk.min(limited.limit.saturating_sub(taken));
    if part == 0 {
        return Ok(false);
    }
    let value = (taken + part).to_string();
    // On no lease: a document may leave its controller, and the counter must not go before the document.
    let document = (shared.keys.document(name), limited.life);
    if session.swap_while(&key, revision, value, document).await? {
        limited.allowance.add(part);
    }
    Ok(true)
}
