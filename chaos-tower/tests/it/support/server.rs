//! A server under test, on a port of its own, with the injector that is aimed at it.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use chaos_core::{Injector, wire};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::oneshot,
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::support::{
    ask::Ask,
    heard::{Heard, now},
    peer::{Peer, Protocol},
};

/// The site of its layer.
pub(crate) const SITE: &str = "http.server";

/// No test waits for longer than this for what must happen.
pub(crate) const SOON: Duration = Duration::from_secs(20);

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) injector: Injector,
    pub(crate) calls: Calls,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

/// When the service behind the layer was called.
#[derive(Clone, Default)]
pub(crate) struct Calls(Arc<Mutex<Vec<Duration>>>);

impl Calls {
    pub(crate) fn note(&self) {
        self.0.lock().unwrap().push(now());
    }

    pub(crate) fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    pub(crate) fn last(&self) -> Duration {
        *self.0.lock().unwrap().last().expect("it was called")
    }
}

/// What a server is made with.
pub(crate) struct Parts {
    pub(crate) listener: TcpListener,
    pub(crate) injector: Injector,
    pub(crate) calls: Calls,
    /// Asks it to shut down gracefully.
    pub(crate) stop: oneshot::Receiver<()>,
}

/// Ready when the server is asked to shut down gracefully, and what hangs has been let go. A test that
/// ends without asking leaves it running until it is dropped.
pub(crate) async fn stopped(injector: Injector, stop: oneshot::Receiver<()>) {
    let asked = injector.halt_when(stop, "the server stops").await;
    if asked.is_err() {
        std::future::pending::<()>().await;
    }
}

impl Server {
    pub(crate) async fn start<F>(serve: impl FnOnce(Parts) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (injector, calls) = (Injector::new(), Calls::default());
        let (stop, stopped) = oneshot::channel();
        let parts = Parts {
            listener,
            injector: injector.clone(),
            calls: calls.clone(),
            stop: stopped,
        };
        Self {
            address,
            injector,
            calls,
            stop: Some(stop),
            serving: tokio::spawn(serve(parts)),
        }
    }

    /// One rule, `r`, with these faults, in place of the one before.
    pub(crate) fn aim(&self, faults: Value) {
        self.aim_at(faults, json!({}));
    }

    /// The same, for these calls only.
    pub(crate) fn aim_at(&self, faults: Value, matching: Value) {
        let rule = json!({"site": SITE, "match": matching, "faults": faults});
        let rule = wire::rule_from_value(rule, Some("r")).unwrap();
        self.injector.clear();
        self.injector.put(rule);
    }

    /// How many injections are under way.
    pub(crate) fn active(&self) -> u64 {
        self.injector.status().active
    }

    pub(crate) async fn connect(&self, protocol: Protocol) -> Peer {
        Peer::connect(protocol, self.address).await
    }

    /// Asks on a connection of its own.
    pub(crate) async fn ask(&self, protocol: Protocol, ask: &Ask) -> Heard {
        let asking = async { self.connect(protocol).await.ask(ask).await };
        timeout(SOON, asking).await.expect("it is answered")
    }

    /// Asks on a connection of its own, which closes when this is aborted.
    pub(crate) fn asking(&self, protocol: Protocol, ask: Ask) -> JoinHandle<Heard> {
        let address = self.address;
        tokio::spawn(async move { Peer::connect(protocol, address).await.ask(&ask).await })
    }

    /// Waits until so many injections are under way.
    pub(crate) async fn until_active(&self, active: u64) {
        let reached = async {
            while self.active() != active {
                sleep(Duration::from_millis(1)).await;
            }
        };
        let reached = timeout(SOON, reached).await;
        assert!(reached.is_ok(), "{} active", self.active());
    }

    /// Asks it to shut down gracefully.
    pub(crate) fn stop(&mut self) {
        let _ = self.stop.take().expect("it is stopped once").send(());
    }

    pub(crate) async fn stopped(mut self) {
        let stopped = timeout(SOON, &mut self.serving).await;
        stopped.expect("it stops").unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
