//! The implementations of the greeter's methods.

use std::{pin::Pin, time::Duration};

use futures_util::{Stream, stream};
use tokio::time::{MissedTickBehavior, interval};
use tonic::{Request, Response, Status, Streaming};

use crate::{
    greeter::proto::{HelloReply, HelloRequest, greeter_server::Greeter},
    stop::Latch,
};

/// The largest countdown. It takes one second, which is within the time of a graceful shutdown.
const COUNTDOWN_FROM: u32 = 100;

/// The pause between two replies of a countdown, so that each is sent in a frame of its own.
const TICK: Duration = Duration::from_millis(10);

/// The maximum number of names in one `Collect` call.
const COLLECTED: usize = 1000;

type Replies = Pin<Box<dyn Stream<Item = Result<HelloReply, Status>> + Send>>;

/// Implements the four methods of the service.
#[derive(Debug)]
pub(super) struct Methods {
    stopping: Latch,
}

impl Methods {
    /// Creates the service. `stopping` ends the calls that wait for the next name of a stream.
    pub(super) fn new(stopping: Latch) -> Self {
        Self { stopping }
    }
}

#[tonic::async_trait]
impl Greeter for Methods {
    type CountdownStream = Replies;
    type ChatStream = Replies;

    async fn say_hello(
        &self,
        request: Request<HelloRequest>,
    ) -> Result<Response<HelloReply>, Status> {
        Ok(Response::new(hello(&request.into_inner().name)))
    }

    async fn countdown(&self, request: Request<HelloRequest>) -> Result<Response<Replies>, Status> {
        let from = request.into_inner().name.parse().unwrap_or(5);
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let replies = stream::unfold(
            (from.min(COUNTDOWN_FROM), ticks),
            async |(left, mut ticks)| {
                let next = left.checked_sub(1)?;
                ticks.tick().await;
                Some((Ok(reply(left.to_string())), (next, ticks)))
            },
        );
        Ok(Response::new(Box::pin(replies)))
    }

    async fn collect(
        &self,
        requests: Request<Streaming<HelloRequest>>,
    ) -> Result<Response<HelloReply>, Status> {
        let mut requests = requests.into_inner();
        let mut names = Vec::new();
        while let Some(name) = next_name(&mut requests, &self.stopping).await? {
            if names.len() == COLLECTED {
                let message = format!("more than {COLLECTED} names");
                return Err(Status::resource_exhausted(message));
            }
            names.push(name);
        }
        Ok(Response::new(hello(&names.join(", "))))
    }

    async fn chat(
        &self,
        requests: Request<Streaming<HelloRequest>>,
    ) -> Result<Response<Replies>, Status> {
        let state = (requests.into_inner(), self.stopping.clone());
        let replies = stream::try_unfold(state, async |(mut requests, stopping)| {
            let name = next_name(&mut requests, &stopping).await?;
            Ok(name.map(|name| (hello(&name), (requests, stopping))))
        });
        Ok(Response::new(Box::pin(replies)))
    }
}

/// Returns the next name, or `None` at the end of the stream. Waits without a limit until the
/// greeter stops; then it fails with `UNAVAILABLE`.
async fn next_name(
    requests: &mut Streaming<HelloRequest>,
    stopping: &Latch,
) -> Result<Option<String>, Status> {
    tokio::select! {
        biased;
        request = requests.message() => Ok(request?.map(|request| request.name)),
        () = stopping.released() => Err(Status::unavailable("the greeter is stopping")),
    }
}

fn hello(name: &str) -> HelloReply {
    reply(format!("hello, {name}"))
}

fn reply(message: String) -> HelloReply {
    HelloReply { message }
}
