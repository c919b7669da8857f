//! What was decided about a connection, carried out: the waits, and what is left for its bytes.

use chaos_core::{ActiveCall, Cut, CutKind, Decision, Direction, Plan};

use crate::connection::{
    direction::Lanes,
    handle::{ConnectionHandle, Order},
};

/// Carries out what was decided about a connection that was accepted, as far as that can be done
/// before its bytes come.
pub(crate) async fn open(mut decision: Decision, handle: ConnectionHandle) -> Lanes {
    let mut lanes = Lanes::default();
    while let Some(plan) = decision.next_plan() {
        let active_call = decision.active_call();
        match plan {
            Plan::Wait(wait) => decision.wait(wait).await,
            // A connection has no answer to wait for.
            Plan::WaitAfter(wait) => decision.wait(wait.into()).await,
            Plan::Bytes(deed, side) => lanes.of(side).extend(deed, active_call),
            Plan::Cut(cut) => cut_or_later(&cut, active_call, &mut lanes, &handle),
            Plan::Fail(injected) => handle.order(match injected.kind() {
                std::io::ErrorKind::ConnectionReset => Order::Reset,
                _ => Order::Close,
            }),
            // No rule does this to a connection.
            Plan::Headers(..) | Plan::Answer(_) => {}
        }
    }
    lanes
}

/// Cuts now, or leaves it for when so many bytes of the answer have passed.
fn cut_or_later(
    cut: &Cut,
    active_call: Option<ActiveCall>,
    lanes: &mut Lanes,
    handle: &ConnectionHandle,
) {
    let order = order(cut.kind());
    match (cut.after_bytes(), active_call) {
        (Some(bytes), Some(active_call)) if order != Order::GoAway => {
            lanes
                .of(Direction::Response)
                .cut_after(bytes, order, active_call);
        }
        _ => handle.order(order),
    }
}

/// How it is done to a connection that is there.
pub(crate) fn order(kind: CutKind) -> Order {
    match kind {
        // It was accepted, so all that is left of a refusal is a reset.
        CutKind::Reset | CutKind::Refuse => Order::Reset,
        CutKind::Close | CutKind::Stream(_) => Order::Close,
        CutKind::GoAway => Order::GoAway,
    }
}
