//! `ConnectFuture`: makes one connection, which a rule may hit.

use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use chaos_core::{Decision, Plan, plan::CutKind};
use futures_core::TryFuture;
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::{
    boxed_future::{BoxedFuture, PassOrBoxed, PassOrBoxedProjection},
    connect::wrap::{ConnectionPlan, WrapConnection},
    connection::{direction_faults::ConnectionByteFaults, opening::command, site_watch::SiteWatch},
    error::BoxError,
    execute::response_wait::ResponseWait,
};

/// Executes the plans for a connection that come before it is made, makes it, and wraps it with the faults
/// on its bytes.
pub(crate) async fn make_connection<S, M, R>(
    mut inner: S,
    target: R,
    mut decision: Decision,
    site_watch: SiteWatch,
) -> Result<M::Response, BoxError>
where
    S: Service<R>,
    S::Error: Into<BoxError>,
    M: WrapConnection<S::Response>,
{
    let (mut byte_faults, mut waits) = (ConnectionByteFaults::default(), Vec::new());
    let mut error = None;
    // A wait for the result begins when there is one, and a fault on bytes when there is a connection to wrap.
    let begins = |plan: &Plan| match plan {
        Plan::WaitAfter(_) | Plan::Bytes(..) => false,
        Plan::Cut(cut) => !M::WRAPS || cut.after_bytes().is_none(),
        _ => true,
    };
    while let Some(plan) = decision.next_plan_if(begins) {
        let active_call = decision.active_call();
        match plan {
            Plan::Wait(wait) => decision.wait(wait).await,
            Plan::WaitAfter(wait) => {
                waits.extend(active_call.map(|active_call| ResponseWait::new(wait, active_call)));
            }
            Plan::Bytes(plan, direction) => byte_faults.of(direction).push(plan, active_call),
            Plan::Cut(cut) => match (cut.kind(), cut.after_bytes(), active_call) {
                // No call is in flight yet.
                (CutKind::GoAway, ..) => {}
                (kind, Some(after), Some(active_call)) if M::WRAPS => {
                    byte_faults.of(after.direction).cut_after(
                        after.count,
                        command(kind),
                        active_call,
                    );
                }
                _ => error = Some(cut.into_injected()),
            },
            Plan::Fail(injected) => error = Some(injected),
            // Rules of connections have no such faults.
            Plan::Headers(..) | Plan::Answer(_) => {}
        }
    }
    drop(decision);
    let connection = match error {
        None => inner.call(target).await.map_err(Into::into),
        Some(injected) => Err(io::Error::from(injected).into()),
    };
    for wait in waits {
        wait.wait().await;
    }
    let connection = connection?;
    if M::WRAPS {
        byte_faults.begin();
    }
    let plan = ConnectionPlan::new(byte_faults, Some(site_watch));
    Ok(M::wrap(connection, plan))
}

pin_project! {
    /// The future of a [`Connect`](crate::Connect).
    ///
    /// For a connection that no rule hits, it is the inner future; for one that a rule hits, a boxed future
    /// that executes the faults.
    pub struct ConnectFuture<F, M>
    where
        F: TryFuture,
        M: WrapConnection<F::Ok>,
    {
        #[pin]
        state: PassOrBoxed<F, Result<M::Response, BoxError>>,
        // That of a connection that no rule hits.
        site_watch: Option<SiteWatch>,
    }
}

impl<F, M> ConnectFuture<F, M>
where
    F: TryFuture,
    M: WrapConnection<F::Ok>,
{
    pub(crate) fn pass(inner: F, site_watch: SiteWatch) -> Self {
        let (state, site_watch) = (PassOrBoxed::Pass { inner }, Some(site_watch));
        Self { state, site_watch }
    }

    pub(crate) fn boxed(future: BoxedFuture<Result<M::Response, BoxError>>) -> Self {
        let (state, site_watch) = (PassOrBoxed::Boxed { future }, None);
        Self { state, site_watch }
    }
}

impl<F, M> Future for ConnectFuture<F, M>
where
    F: TryFuture<Error: Into<BoxError>>,
    M: WrapConnection<F::Ok>,
{
    type Output = Result<M::Response, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match this.state.project() {
            PassOrBoxedProjection::Pass { inner } => {
                let connection = ready!(inner.try_poll(cx)).map_err(Into::into)?;
                let plan = ConnectionPlan::new(Default::default(), this.site_watch.take());
                Poll::Ready(Ok(M::wrap(connection, plan)))
            }
            PassOrBoxedProjection::Boxed { future } => future.poll(cx),
        }
    }
}

impl<F, M> fmt::Debug for ConnectFuture<F, M>
where
    F: TryFuture,
    M: WrapConnection<F::Ok>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectFuture").finish_non_exhaustive()
    }
}
