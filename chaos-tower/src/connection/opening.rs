//! What was decided about a connection, carried out: the waits, and what is left for its bytes.

use chaos_core::{ActiveCall, Cut, CutKind, Decision, Direction, Plan};

use crate::connection::{
    direction_faults::ConnectionByteFaults,
    handle::{Command, ConnectionHandle},
};

/// Carries out what was decided about a connection that was accepted, as far as that can be done
/// before its bytes come.
pub(crate) async fn open(mut decision: Decision, handle: ConnectionHandle) -> ConnectionByteFaults {
    let mut byte_faults = ConnectionByteFaults::default();
    while let Some(plan) = decision.next_plan() {
        let active_call = decision.active_call();
        match plan {
            Plan::Wait(wait) => decision.wait(wait).await,
            // A connection has no answer to wait for.
            Plan::WaitAfter(wait) => decision.wait(wait.into()).await,
            Plan::Bytes(deed, side) => byte_faults.of(side).push(deed, active_call),
            Plan::Cut(cut) => cut_or_later(&cut, active_call, &mut byte_faults, &handle),
            Plan::Fail(injected) => handle.send(match injected.kind() {
                std::io::ErrorKind::ConnectionReset => Command::Reset,
                _ => Command::Close,
            }),
            // No rule does this to a connection.
            Plan::Headers(..) | Plan::Answer(_) => {}
        }
    }
    byte_faults
}

/// Cuts now, or leaves it for when so many bytes of the answer have passed.
fn cut_or_later(
    cut: &Cut,
    active_call: Option<ActiveCall>,
    byte_faults: &mut ConnectionByteFaults,
    handle: &ConnectionHandle,
) {
    let command = command(cut.kind());
    match (cut.after_bytes(), active_call) {
        (Some(bytes), Some(active_call)) if command != Command::GoAway => {
            byte_faults
                .of(Direction::Response)
                .cut_after(bytes, command, active_call);
        }
        _ => handle.send(command),
    }
}

/// How it is done to a connection that is there.
pub(crate) fn command(kind: CutKind) -> Command {
    match kind {
        // It was accepted, so all that is left of a refusal is a reset.
        CutKind::Reset | CutKind::Refuse => Command::Reset,
        CutKind::Close | CutKind::Stream(_) => Command::Close,
        CutKind::GoAway => Command::GoAway,
    }
}
