//! Making one connection that a rule may hit.

use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use chaos_core::{ActiveCall, CutKind, Decision, Direction, Plan, WaitAfter};
use futures_core::TryFuture;
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::{
    boxed_future::Cold,
    connect::wrap::{Deeds, Form},
    connection::{direction::Lanes, opening::order},
    error::BoxError,
};

/// Carries out what was decided about a connection before it is made, makes it, and leaves the rest
/// to its bytes.
pub(crate) async fn carry_out<S, M, R>(
    mut inner: S,
    target: R,
    mut decision: Decision,
) -> Result<M::Response, BoxError>
where
    S: Service<R>,
    S::Error: Into<BoxError>,
    M: Form<S::Response>,
{
    let (mut lanes, mut after) = (Lanes::default(), Vec::new());
    while let Some(plan) = decision.next_plan() {
        let active_call = decision.active_call();
        match plan {
            Plan::Wait(wait) => decision.wait(wait).await,
            Plan::WaitAfter(wait) => {
                after.extend(active_call.map(|active_call| After::new(wait, active_call)))
            }
            Plan::Bytes(deed, side) => lanes.of(side).extend(deed, active_call),
            Plan::Cut(cut) => match (cut.kind(), cut.after_bytes(), active_call) {
                // Nothing has begun that could be told to go.
                (CutKind::GoAway, ..) => {}
                (kind, Some(bytes), Some(active_call)) if M::WRAPS => {
                    lanes
                        .of(Direction::Response)
                        .cut_after(bytes, order(kind), active_call);
                }
                _ => return Err(io::Error::from(cut.into_injected()).into()),
            },
            Plan::Fail(injected) => return Err(io::Error::from(injected).into()),
            // No rule does this to a connection.
            Plan::Headers(..) | Plan::Answer(_) => {}
        }
    }
    drop(decision);
    let connection = inner.call(target).await.map_err(Into::into)?;
    for after in after {
        after.wait().await;
    }
    Ok(M::wrap(connection, Deeds(lanes)))
}

/// A wait when the connection is there.
enum After {
    For(Duration, ActiveCall),
    /// It has begun.
    AtLeast(Pin<Box<dyn Future<Output = ()> + Send>>),
}

impl After {
    fn new(wait: WaitAfter, active_call: ActiveCall) -> Self {
        match wait {
            WaitAfter::For(time) => Self::For(time, active_call),
            WaitAfter::AtLeast(time) => Self::AtLeast(Box::pin(active_call.wait(time))),
        }
    }

    async fn wait(self) {
        match self {
            Self::For(time, active_call) => active_call.wait(time).await,
            Self::AtLeast(wait) => wait.await,
        }
    }
}

pin_project! {
    /// The future of a [`Connect`](crate::Connect): the inner future, or a cold one for a connection that is hit.
    pub struct ConnectFuture<F, M>
    where
        F: TryFuture,
        M: Form<F::Ok>,
    {
        #[pin]
        state: State<F, Cold<Result<M::Response, BoxError>>>,
    }
}

pin_project! {
    #[project = Projected]
    enum State<F, C> {
        Pass { #[pin] inner: F },
        Cold { #[pin] future: C },
    }
}

impl<F, M> ConnectFuture<F, M>
where
    F: TryFuture,
    M: Form<F::Ok>,
{
    pub(crate) fn pass(inner: F) -> Self {
        let state = State::Pass { inner };
        Self { state }
    }

    pub(crate) fn cold(future: Cold<Result<M::Response, BoxError>>) -> Self {
        let state = State::Cold { future };
        Self { state }
    }
}

impl<F, M> Future for ConnectFuture<F, M>
where
    F: TryFuture<Error: Into<BoxError>>,
    M: Form<F::Ok>,
{
    type Output = Result<M::Response, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            Projected::Pass { inner } => {
                let connection = ready!(inner.try_poll(cx)).map_err(Into::into)?;
                Poll::Ready(Ok(M::wrap(connection, Deeds::default())))
            }
            Projected::Cold { future } => future.poll(cx),
        }
    }
}

impl<F, M> fmt::Debug for ConnectFuture<F, M>
where
    F: TryFuture,
    M: Form<F::Ok>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectFuture").finish_non_exhaustive()
    }
}
