//! The thread of a port. It has a runtime of its own, so the service's runtime neither does the port's
//! work nor can hold it up.

use std::{io, thread};

use axum::Router;
use chaos_core::Injector;
use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::oneshot,
};

use crate::{
    history::feed::Feed,
    server::{listener::Listener, serve_all},
};

/// What a port serves.
pub(crate) struct Served {
    pub(crate) injector: Injector,
    pub(crate) router: Router,
    pub(crate) feed: Feed,
}

/// A port that is served on its own thread until this is dropped.
#[derive(Debug)]
pub(crate) struct PortThread {
    runtime: Handle,
    injector: Injector,
    /// Stops the port when it is dropped.
    stop: oneshot::Sender<()>,
    /// Closed when the thread has ended its work.
    ended: oneshot::Receiver<()>,
}

impl PortThread {
    /// Starts the thread. `listen` opens the port in the context of the thread's runtime, on the calling
    /// thread.
    pub(crate) fn start(
        served: Served,
        listen: impl FnOnce() -> io::Result<Listener>,
    ) -> io::Result<Self> {
        let Served {
            injector,
            router,
            feed,
        } = served;
        // It looks at its sockets after each step of a task: with tokio's default of 61 steps, a request that
        // has come waits while the responses to others are sent.
        let mut runtime = Builder::new_current_thread();
        let runtime = runtime.enable_all().event_interval(1).build()?;
        let handle = runtime.handle().clone();
        let runtime = Background(Some(runtime));
        let listener = {
            let _entered = handle.enter();
            listen()?
        };
        let (stop, stopped) = oneshot::channel();
        let (working, ended) = oneshot::channel::<()>();
        let work = move || {
            let shutdown = async {
                let _: Result<(), _> = stopped.await;
            };
            if let Some(runtime) = &runtime.0 {
                runtime.block_on(serve_all(listener, router, feed, shutdown));
            }
            drop(working);
        };
        thread::Builder::new()
            .name("chaos-admin".to_owned())
            .spawn(work)?;
        Ok(Self {
            runtime: handle,
            injector,
            stop,
            ended,
        })
    }

    /// Halts all injection when `signal` completes, which is polled on this thread.
    pub(crate) fn halt_on<F>(&self, signal: F)
    where
        F: Future + Send + 'static,
        F::Output: Send,
    {
        let injector = self.injector.clone();
        self.runtime.spawn(async move {
            injector.halt_when(signal, "the service stops").await;
        });
    }

    /// Stops the port, and waits until it is closed.
    pub(crate) async fn stop(self) {
        drop(self.stop);
        let _: Result<(), _> = self.ended.await;
    }
}

/// A runtime that may be dropped on the thread of another one, if the port cannot be opened.
struct Background(Option<Runtime>);

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
