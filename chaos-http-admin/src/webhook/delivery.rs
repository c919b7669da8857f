//! Delivery of messages to a webhook, on a thread of its own, with retries. The messages about each
//! [`Topic`] are in order, and have a connection of their own, so that a halt does not wait for a
//! receiver that is slow to take a message about rules.
//!
//! The thread is separate so that a fault that blocks all threads of the service does not block the
//! message about it.

use std::{
    collections::BTreeMap,
    io,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use backon::{ExponentialBuilder, Retryable};
use chaos_core::{Injector, WithCauses, log::log};
use reqwest::{
    Client, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
    redirect::Policy,
};
use serde_json::{Value, json};
use tokio::{sync::watch, time::timeout};

use crate::{
    history::expiry_watch::ExpiryWatch,
    webhook::{Webhook, event::Topic, message::Message, waiting::WaitingEntries},
};

/// The time limit of one attempt.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// A running delivery. Clones are handles to the same one, which ends when the last of them is
/// dropped.
#[derive(Clone, Debug)]
pub(crate) struct Delivery(Arc<DeliveryHandle>);

#[derive(Debug)]
struct DeliveryHandle {
    hook: Webhook,
    counts: Arc<DeliveryCounts>,
    /// Dropping the sender stops the thread.
    _stop: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct DeliveryCounts {
    delivered: AtomicU64,
    failed: AtomicU64,
    lost: AtomicU64,
    /// Why the last message about a topic failed. A topic is absent if its last message was delivered.
    errors: Mutex<BTreeMap<Topic, String>>,
}

impl Delivery {
    /// Starts the thread. If it cannot be started, the log and the status say so, and the service
    /// goes on.
    pub(crate) fn start(injector: &Injector, hook: Webhook) -> Self {
        let (stop, stopped) = watch::channel(());
        let counts = Arc::new(DeliveryCounts::default());
        let worker = DeliveryThread {
            injector: injector.clone(),
            hook: hook.clone(),
            counts: Arc::clone(&counts),
        };
        let thread = thread::Builder::new().name("chaos-webhook".to_owned());
        let started = thread.spawn(move || worker.run(stopped));
        if let Err(error) = started {
            counts.record(&hook, Topic::Halt, 0, Err(error.to_string()));
        }
        Self(Arc::new(DeliveryHandle {
            hook,
            counts,
            _stop: stop,
        }))
    }

    pub(crate) fn status(&self) -> Value {
        let DeliveryHandle { hook, counts, .. } = &*self.0;
        json!({
            "to": hook.origin(),
            "kind": hook.kind(),
            "delivered": counts.delivered.load(Ordering::Relaxed),
            "failed": counts.failed.load(Ordering::Relaxed),
            "lost": counts.lost.load(Ordering::Relaxed),
            "error": counts.errors().values().next(),
        })
    }
}

impl DeliveryCounts {
    fn errors(&self) -> MutexGuard<'_, BTreeMap<Topic, String>> {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes the result of the delivery of a message about a number of `entries`. The log says
    /// when deliveries begin to fail, about any topic, and when all succeed again.
    fn record(&self, hook: &Webhook, topic: Topic, entries: u64, delivered: Result<(), String>) {
        let count = match delivered {
            Ok(()) => &self.delivered,
            Err(_) => &self.failed,
        };
        count.fetch_add(entries, Ordering::Relaxed);
        let (failed_before, fails, error) = {
            let mut errors = self.errors();
            let failed_before = !errors.is_empty();
            let error = delivered.err();
            match &error {
                Some(error) => errors.insert(topic, error.clone()),
                None => errors.remove(&topic),
            };
            (failed_before, !errors.is_empty(), error)
        };
        let to = hook.origin();
        match (failed_before, fails, error) {
            (false, true, Some(error)) => {
                log(
                    move || tracing::error!(target: "chaos", to, error, "messages to a webhook fail"),
                );
            }
            (true, false, _) => {
                log(
                    move || tracing::warn!(target: "chaos", to, "messages to a webhook succeed again"),
                );
            }
            _ => {}
        }
    }
}

/// The state of the thread.
struct DeliveryThread {
    injector: Injector,
    hook: Webhook,
    counts: Arc<DeliveryCounts>,
}

impl DeliveryThread {
    fn run(self, mut stopped: watch::Receiver<()>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let begun = runtime.and_then(|runtime| Ok((runtime, self.client()?)));
        match begun {
            Ok((runtime, client)) => runtime.block_on(async {
                tokio::select! {
                    // Nothing is sent on this channel: it changes when its sender is dropped.
                    _ = stopped.changed() => {}
                    () = self.follow(&client) => {}
                }
            }),
            Err(error) => {
                let error = Err(error.to_string());
                self.counts.record(&self.hook, Topic::Halt, 0, error);
            }
        }
    }

    fn client(&self) -> io::Result<Client> {
        let mut client = Client::builder()
            .user_agent(concat!("chaos-http-admin/", env!("CARGO_PKG_VERSION")))
            .timeout(ATTEMPT_TIMEOUT)
            // HTTP/2 would send a halt on the connection on which a message about rules hangs.
            .http1_only()
            // A message for one host must not be redirected to another.
            .redirect(Policy::none());
        if self.hook.url().scheme() == "http" {
            // Without this, the client fails to build in a container that has no CA certificates.
            client = client.tls_certs_only([]);
        }
        // A proxy cannot reach the loopback addresses of this machine.
        let ours = ["localhost", "127.0.0.1", "[::1]"];
        if self
            .hook
            .url()
            .host_str()
            .is_some_and(|host| ours.contains(&host))
        {
            client = client.no_proxy();
        }
        client
            .build()
            .map_err(|error| io::Error::other(error.without_url()))
    }

    async fn follow(&self, client: &Client) {
        let waiting = WaitingEntries::default();
        tokio::join!(
            self.read(&waiting),
            self.tell(client, &waiting, Topic::Halt),
            self.tell(client, &waiting, Topic::Breach),
            self.tell(client, &waiting, Topic::Rules),
        );
    }

    /// Reads the audit. It never waits for a receiver, so that the audit does not drop what was not
    /// read yet.
    async fn read(&self, waiting: &WaitingEntries) {
        let audit = self.injector.audit();
        let mut expiry_watch = ExpiryWatch::new(&self.injector);
        let mut seen = 0;
        loop {
            let wait = expiry_watch.check();
            for entry in audit.after(seen).entries {
                let missed = entry.id - seen - 1;
                self.counts.lost.fetch_add(missed, Ordering::Relaxed);
                seen = entry.id;
                waiting.add(&entry);
            }
            let _ = timeout(wait, pin!(audit.wait(seen))).await;
        }
    }

    /// Sends the messages about one topic, one after the other.
    async fn tell(&self, client: &Client, waiting: &WaitingEntries, topic: Topic) {
        loop {
            let (entries, message) = waiting.of(topic).next().await;
            let delivered = self.deliver(client, &message).await;
            self.counts.record(&self.hook, topic, entries, delivered);
        }
    }

    async fn deliver(&self, client: &Client, message: &Message) -> Result<(), String> {
        let body = self.hook.body(message).to_string();
        let waits = ExponentialBuilder::new()
            .with_min_delay(Duration::from_millis(500))
            .with_max_delay(Duration::from_secs(15))
            .with_jitter()
            .without_max_times();
        let mut last = None;
        let attempts = (|| self.attempt(client, &body))
            .retry(waits)
            .sleep(tokio::time::sleep)
            .when(|failure| failure.is_retryable)
            .adjust(|failure, wait| wait.map(|wait| wait.max(failure.not_before)))
            .notify(|failure, _| last = Some(failure.problem.clone()));
        let outcome = timeout(self.hook.retry_time(), attempts).await;
        match outcome {
            Ok(outcome) => outcome.map_err(|failure| failure.problem),
            Err(_) => Err(last.unwrap_or_else(|| "the receiver did not answer in time".to_owned())),
        }
    }

    async fn attempt(&self, client: &Client, body: &str) -> Result<(), AttemptError> {
        let url = self.hook.url().clone();
        let mut request = client.post(url).header(CONTENT_TYPE, "application/json");
        if let Some(signature) = self.hook.signature(body.as_bytes()) {
            request = request.header(Webhook::SIGNATURE, signature);
        }
        let answer = request.body(body.to_owned()).send().await;
        let answer = answer.map_err(AttemptError::of)?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let wait = answer.headers().get(RETRY_AFTER);
        let seconds = wait.and_then(|wait| wait.to_str().ok()?.parse().ok());
        let asks_to_wait =
            [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(&status);
        Err(AttemptError {
            is_retryable: status.is_server_error() || asks_to_wait,
            not_before: Duration::from_secs(seconds.unwrap_or(0)),
            problem: format!("the receiver answered {status}"),
        })
    }
}

/// The reason why an attempt failed.
struct AttemptError {
    /// Whether another attempt may succeed.
    is_retryable: bool,
    /// How long the receiver asks to wait before the next attempt.
    not_before: Duration,
    /// The description for logs and the status, without the URL.
    problem: String,
}

impl AttemptError {
    fn of(error: reqwest::Error) -> Self {
        Self {
            is_retryable: true,
            not_before: Duration::ZERO,
            problem: WithCauses(&error.without_url()).to_string(),
        }
    }
}
