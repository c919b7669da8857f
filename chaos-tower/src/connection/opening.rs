//! Executes the plans for a connection that was accepted.

use chaos_core::{
    Decision, Plan,
    plan::{CutKind, Wait},
};

use crate::connection::{
    direction_faults::ConnectionByteFaults,
    handle::{Command, ConnectionHandle},
    peer_watch::wait_while_there,
};

/// Executes the plans that come before the first byte, and returns the faults on the bytes. Closes the
/// connection if the peer goes meanwhile: nobody is there who could receive an answer.
pub(crate) async fn open(mut decision: Decision, handle: ConnectionHandle) -> ConnectionByteFaults {
    let (mut byte_faults, mut last) = (ConnectionByteFaults::default(), None);
    while let Some(plan) = decision.next_plan() {
        let active_call = decision.active_call();
        match plan {
            Plan::Wait(wait) => wait_for_peer(&mut decision, wait, &handle).await,
            // A connection has no response after which to wait.
            Plan::WaitAfter(wait) => wait_for_peer(&mut decision, wait.into(), &handle).await,
            Plan::Bytes(plan, direction) => byte_faults.of(direction).push(plan, active_call),
            Plan::Cut(cut) => match (cut.kind(), cut.after_bytes(), active_call) {
                (CutKind::GoAway, ..) => handle.send(Command::GoAway),
                (kind, Some(after), Some(active_call)) => {
                    let faults = byte_faults.of(after.direction);
                    faults.cut_after(after.count, command(kind), active_call);
                }
                (kind, ..) => last = Some(command(kind)),
            },
            Plan::Fail(injected) => {
                last = Some(match injected.kind() {
                    std::io::ErrorKind::ConnectionReset => Command::Reset,
                    _ => Command::Close,
                });
            }
            // Rules of connections have no such faults.
            Plan::Headers(..) | Plan::Answer(_) => {}
        }
        if handle.is_cut() {
            break;
        }
    }
    // Another rule may have delayed the cut.
    if let Some(command) = last {
        handle.send(command);
    }
    byte_faults
}

/// Waits, and closes the connection if the peer goes meanwhile.
async fn wait_for_peer(decision: &mut Decision, wait: Wait, handle: &ConnectionHandle) {
    let has_gone = || handle.closed_by_peer().is_some();
    let waited = decision.wait(wait);
    if !wait_while_there(waited, wait.time(), has_gone).await {
        handle.send(Command::Close);
    }
}

/// Returns the command that cuts an open connection.
pub(crate) fn command(kind: CutKind) -> Command {
    match kind {
        // The connection is accepted already, so a reset is the closest to a refusal.
        CutKind::Reset | CutKind::Refuse => Command::Reset,
        CutKind::Close | CutKind::Stream(_) => Command::Close,
        CutKind::GoAway => Command::GoAway,
    }
}
