//! What the greeter answers.

use std::{pin::Pin, time::Duration};

use futures_util::{Stream, stream};
use tokio::time::{MissedTickBehavior, interval};
use tonic::{Request, Response, Status, Streaming};

use crate::{
    greeter::proto::{HelloReply, HelloRequest, greeter_server::Greeter},
    stop::Latch,
};

/// A countdown from here takes a second, so a graceful stop can wait for it.
const COUNTDOWN_FROM: u32 = 100;

/// Between the replies of a countdown, so that each is sent by itself.
const TICK: Duration = Duration::from_millis(10);

/// How many names are collected for one reply.
const COLLECTED: usize = 1000;

type Replies = Pin<Box<dyn Stream<Item = Result<HelloReply, Status>> + Send>>;

/// The four methods.
#[derive(Debug)]
pub(super) struct Methods {
    stopping: Latch,
}

impl Methods {
    /// `stopping` ends the calls that would wait for their callers' next names.
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

/// The next name, or `None` if that was all. The caller may take its time, but not during a stop.
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
