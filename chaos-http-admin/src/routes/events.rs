//! `/v1/events`: a stream of server-sent events about injections and audit entries.
//!
//! Each stream reads the two bounded lists at its own pace, from a position of its own, so a slow
//! client blocks nothing: when the lists have dropped what it has not read, it gets an event that
//! says how much. The id of an event is the position after it, from which a client can resume.

pub(crate) mod live;

use std::{
    borrow::Cow, collections::VecDeque, convert::Infallible, future::pending, sync::Arc,
    time::Duration,
};

use axum::{
    Extension,
    body::Body,
    extract::State,
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use chaos_core::{Clock, Injector, audit::Entry};
use futures_util::{Stream, stream};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    access::{caller::Caller, live_tokens::AcceptedToken, request_limits::Client},
    extract::{
        last_event_id::{EventId, LastEventId},
        query::NoQuery,
    },
    followers::Followers,
    history::{
        entry, expiry_watch::ExpiryWatch, feed::Subscription, places::Places,
        process_id::process_id, recent_injections::RecordedInjection,
    },
    problem::Problem,
};

/// The time without an event after which a comment is sent, so that both ends notice a broken
/// connection.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// The time after which a stream ends. It is below the age at which the server closes a connection,
/// so streams end in good order and clients resume.
const LONGEST: Duration = Duration::from_secs(240);
/// The time that a client waits before it reconnects.
const RETRY: Duration = Duration::from_secs(1);
/// The time after a read before a stream reads again, so that a service that is hit often does not pay for one
/// wake-up and one write for each injection. The list of recent injections has room for 250,000 in a second.
const PACE: Duration = Duration::from_millis(20);
/// The number of bytes after which no further event is added to a chunk.
const CHUNK: usize = 64 * 1024;

/// Serves an event stream, from `Last-Event-ID` on if the request has it.
pub(crate) async fn listen(
    State(injector): State<Injector>,
    Extension(followers): Extension<Followers>,
    caller: Caller,
    NoQuery: NoQuery,
    LastEventId(last): LastEventId,
) -> Response {
    let Some(subscription) = followers.feed.subscribe(owner(&caller)) else {
        return no_place().into_response();
    };
    let events = EventStream::start(injector, subscription, caller.token, last);
    let chunks = stream::unfold(events, |mut events| async {
        let chunk = events.next().await?;
        Some((Ok::<_, Infallible>(chunk), events))
    });
    respond(chunks)
}

/// Returns whose streams are counted together.
fn owner(caller: &Caller) -> Option<Arc<str>> {
    match &caller.client {
        Client::Token(name) => Some(Arc::clone(name)),
        Client::Anyone(_) => None,
    }
}

/// Refuses a stream because all places are taken.
fn no_place() -> impl IntoResponse {
    let (all, own) = (Places::MOST, Places::MOST_OF_ONE);
    let detail = format!("there are {all} event streams already, or {own} of this token");
    let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
    ([(header::RETRY_AFTER, "10")], problem)
}

/// Answers with a stream of server-sent events.
fn respond(chunks: impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-cache"),
        // Keeps proxies such as nginx from buffering the answer.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (headers, Body::from_stream(chunks)).into_response()
}

/// An event to be sent.
enum Item {
    /// The first event of a stream. `restarted` is whether the client wanted to resume and cannot.
    Start {
        restarted: bool,
    },
    /// Entries and injections were dropped before they could be read. The stream goes on at `on`.
    Dropped {
        entries: u64,
        injections: u64,
        on: EventId,
    },
    Entry(Arc<Entry>),
    Injection(Arc<RecordedInjection>),
}

/// The state of one stream.
struct EventStream {
    injector: Injector,
    subscription: Subscription,
    /// The stream ends when this token is revoked.
    token: Option<AcceptedToken>,
    expiry_watch: ExpiryWatch,
    clock: Clock,
    /// When the last event or comment was sent.
    sent_at: Duration,
    /// The position after the last event that was sent.
    sent: EventId,
    /// The position after the last of `items`.
    read: EventId,
    /// When `items` were last read.
    read_at: Option<Duration>,
    items: VecDeque<Item>,
}

impl EventStream {
    /// Starts a stream after `last`, or now if there is no `last` or it is not a position that this
    /// process has reached.
    fn start(
        injector: Injector,
        subscription: Subscription,
        token: Option<AcceptedToken>,
        last: Option<Option<EventId>>,
    ) -> Self {
        let now = EventId {
            entry: injector.audit().last(),
            injection: subscription.newest(),
        };
        let is_ours = |last: &EventId| last.entry <= now.entry && last.injection <= now.injection;
        let restarted = last.is_some();
        let last = last.flatten().filter(is_ours);
        let items = match last {
            Some(_) => VecDeque::new(),
            None => VecDeque::from([Item::Start { restarted }]),
        };
        let from = last.unwrap_or(now);
        Self {
            expiry_watch: ExpiryWatch::new(&injector),
            injector,
            subscription,
            token,
            clock: Clock::monotonic(),
            sent_at: Duration::ZERO,
            sent: from,
            read: from,
            read_at: None,
            items,
        }
    }

    /// Waits for the next events. Returns `None` when the stream ends.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let wait = self.expiry_watch.check();
            let now = self.clock.now();
            let pace = self.read_at.map_or(Duration::ZERO, |read_at| {
                (read_at + PACE).saturating_sub(now)
            });
            if self.items.is_empty() && pace.is_zero() {
                self.fill();
                self.read_at = (!self.items.is_empty()).then_some(now);
            }
            let left = LONGEST.saturating_sub(now);
            if left.is_zero() {
                return None;
            }
            if !self.items.is_empty() {
                // This is checked for every chunk, so that a stream ends even if there is always
                // more to send.
                if self.subscription.place().is_ended() || self.is_revoked() {
                    return None;
                }
                self.sent_at = now;
                return Some(self.encode());
            }
            let quiet = (self.sent_at + HEARTBEAT).saturating_sub(now);
            if quiet.is_zero() {
                self.sent_at = now;
                return Some(Bytes::from_static(b":\n\n"));
            }
            let wait = wait.min(left).min(quiet);
            let is_paced = !pace.is_zero();
            let wait = if is_paced { wait.min(pace) } else { wait };
            let (audit, subscription) = (self.injector.audit(), &self.subscription);
            let token = &self.token;
            tokio::select! {
                biased;
                () = subscription.place().ended() => return None,
                () = revoked(token.as_ref()) => return None,
                () = subscription.wait_unless(|| subscription.newest() > self.read.injection), if !is_paced => {}
                () = audit.wait(self.read.entry), if !is_paced => {}
                () = sleep(wait) => {}
            }
        }
    }

    fn is_revoked(&self) -> bool {
        self.token.as_ref().is_some_and(AcceptedToken::is_revoked)
    }

    /// Reads what has happened since the last read.
    fn fill(&mut self) {
        let entries = self.injector.audit().after(self.read.entry).entries;
        let newest = entries.last().map_or(self.read.entry, |entry| entry.id);
        let (mut happened, injections) = self.subscription.after(self.read.injection);
        // An injection that follows an entry that was not read yet has to wait for that entry, and
        // so have all later ones.
        if let Some(first) = happened.iter().position(|it| it.after > newest) {
            happened.truncate(first);
        }
        self.skip(self.gone_before(entries.first()), injections);
        let mut entries = entries.into_iter().peekable();
        for it in happened {
            let before = |entry: &Arc<Entry>| entry.id <= it.after;
            while let Some(entry) = entries.next_if(before) {
                self.push(entry);
            }
            self.read.injection = it.number;
            self.items.push_back(Item::Injection(it));
        }
        entries.for_each(|entry| self.push(entry));
    }

    fn push(&mut self, entry: Arc<Entry>) {
        self.skip(self.gone_before(Some(&entry)), 0);
        self.read.entry = entry.id;
        self.items.push_back(Item::Entry(entry));
    }

    /// Returns the number of entries dropped between the last one that was read and `next`.
    fn gone_before(&self, next: Option<&Arc<Entry>>) -> u64 {
        next.map_or(0, |next| next.id - self.read.entry - 1)
    }

    /// Adds an event about dropped entries and injections, unless there are none.
    fn skip(&mut self, entries: u64, injections: u64) {
        if entries == 0 && injections == 0 {
            return;
        }
        self.read.entry += entries;
        self.read.injection += injections;
        self.items.push_back(Item::Dropped {
            entries,
            injections,
            on: self.read,
        });
    }

    /// Formats items as events, up to the size of a chunk.
    fn encode(&mut self) -> Bytes {
        let mut chunk = String::new();
        while chunk.len() < CHUNK
            && let Some(item) = self.items.pop_front()
        {
            self.write(&item, &mut chunk);
        }
        chunk.into()
    }

    /// Formats an item as an event, whose id is the position after it.
    fn write(&mut self, item: &Item, chunk: &mut String) {
        let (name, data) = match item {
            Item::Start { restarted } => ("start", Cow::from(self.now(*restarted).to_string())),
            Item::Dropped {
                entries,
                injections,
                on,
            } => {
                self.sent = *on;
                let dropped = json!({ "entries": entries, "injections": injections });
                ("dropped", dropped.to_string().into())
            }
            Item::Entry(entry) => {
                self.sent.entry = entry.id;
                let data = entry::entry(entry).to_string();
                (entry.action.as_str(), data.into())
            }
            Item::Injection(it) => {
                self.sent.injection = it.number;
                // A stream that has sent the entries before it, and none after it, sends what others send.
                if self.sent.entry == it.after {
                    let id = self.sent;
                    chunk.push_str(it.event(|| event("injection", id, &it.json())));
                    return;
                }
                ("injection", it.json().into())
            }
        };
        chunk.push_str(&event(name, self.sent, &data));
    }

    fn now(&self, restarted: bool) -> Value {
        let status = self.injector.status();
        json!({
            "run": process_id(),
            "restarted": restarted,
            "state": status.state.as_str(),
            "generation": status.generation,
        })
    }
}

/// Returns the text of an event. JSON has no line breaks.
fn event(name: &str, id: EventId, data: &str) -> String {
    let retry = RETRY.as_millis();
    format!("event: {name}\nid: {id}\nretry: {retry}\ndata: {data}\n\n")
}

/// Waits until the token is revoked, or for ever if the port requires none.
async fn revoked(token: Option<&AcceptedToken>) {
    match token {
        Some(token) => token.revoked().await,
        None => pending().await,
    }
}
