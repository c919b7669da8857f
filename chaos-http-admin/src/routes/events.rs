//! `/v1/events`: what happens, as it happens, to whoever listens: injections, and the audit.
//!
//! Each subscription reads the two bounded lists at its own pace, from a position of its own. So nobody
//! waits for a subscription: one that is too slow finds that the lists have moved on, and is told by how
//! much. An event's id is the position after it, which is all that is needed to come back to it.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::State,
    http::{StatusCode, header},
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
};
use chaos_core::{Clock, Entry, Injector};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    extract::{
        last_event_id::{EventId, LastEventId},
        query::NoQuery,
    },
    followers::Followers,
    history::{
        entry,
        expiry_watch::ExpiryWatch,
        feed::{Feed, RecordedInjection, Subscription},
        process_id::process_id,
    },
    problem::Problem,
};

/// Between a subscription's events, at most; then a comment says that both ends are still there.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Below what a connection may take: a stream that ends in good order is taken up again by its client.
const LONGEST: Duration = Duration::from_secs(240);
/// How long a client waits before it comes back.
const RETRY: Duration = Duration::from_secs(1);

pub(crate) async fn listen(
    State(injector): State<Injector>,
    Extension(followers): Extension<Followers>,
    NoQuery: NoQuery,
    LastEventId(last): LastEventId,
) -> Response {
    let Some(subscription) = followers.feed.subscribe() else {
        let detail = format!("{} listen already", Feed::MAX_SUBSCRIBERS);
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
        return ([(header::RETRY_AFTER, "10")], problem).into_response();
    };
    let events = EventStream::start(injector, subscription, last);
    let events = stream::unfold(events, |mut events| async {
        let event = events.next().await?;
        Some((Ok::<_, Infallible>(event), events))
    });
    // Proxies that gather an answer before they pass it on take this for a reason not to.
    ([("x-accel-buffering", "no")], Sse::new(events)).into_response()
}

/// What is to be said.
enum Item {
    /// That it begins, and whether anew.
    Start {
        restarted: bool,
    },
    /// So many are gone, and where it goes on.
    Dropped {
        entries: u64,
        injections: u64,
        on: EventId,
    },
    Entry(Arc<Entry>),
    Injection(RecordedInjection),
}

/// One subscription's stream.
struct EventStream {
    injector: Injector,
    subscription: Subscription,
    expiry_watch: ExpiryWatch,
    clock: Clock,
    /// When it last said anything.
    sent_at: Duration,
    /// After what was said.
    sent: EventId,
    /// After what is in `items`.
    read: EventId,
    items: VecDeque<Item>,
}

impl EventStream {
    /// From `last` on; from now on if there is none, or it is of no use.
    fn start(
        injector: Injector,
        subscription: Subscription,
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
            clock: Clock::monotonic(),
            sent_at: Duration::ZERO,
            sent: from,
            read: from,
            items,
        }
    }

    /// The next event, when there is one; `None` at the end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            let wait = self.expiry_watch.check();
            self.fill();
            let now = self.clock.now();
            let left = LONGEST.saturating_sub(now);
            if left.is_zero() {
                return None;
            }
            if let Some(item) = self.items.pop_front() {
                // Also while there is always more to say.
                if self.subscription.is_ended() {
                    return None;
                }
                self.sent_at = now;
                return Some(self.encode(item));
            }
            let quiet = (self.sent_at + HEARTBEAT).saturating_sub(now);
            if quiet.is_zero() {
                self.sent_at = now;
                return Some(Event::default().comment(""));
            }
            let wait = wait.min(left).min(quiet);
            let (audit, subscription) = (self.injector.audit(), &self.subscription);
            tokio::select! {
                biased;
                () = subscription.ended() => return None,
                () = subscription.wait_unless(|| subscription.newest() > self.read.injection) => {}
                () = audit.wait(self.read.entry) => {}
                () = sleep(wait) => {}
            }
        }
    }

    /// Reads what has happened since it last did, if all of that is said.
    fn fill(&mut self) {
        if !self.items.is_empty() {
            return;
        }
        let entries = self.injector.audit().after(self.read.entry).entries;
        let newest = entries.last().map_or(self.read.entry, |entry| entry.id);
        let (mut happened, injections) = self.subscription.after(self.read.injection);
        // What came after an entry that is not read yet has to wait for it, and the next ones for that.
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

    /// How many entries are gone between what was read and the next.
    fn gone_before(&self, next: Option<&Arc<Entry>>) -> u64 {
        next.map_or(0, |next| next.id - self.read.entry - 1)
    }

    /// Says how many are gone.
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

    fn encode(&mut self, item: Item) -> Event {
        let (name, data) = match item {
            Item::Start { restarted } => ("start", self.now(restarted)),
            Item::Dropped {
                entries,
                injections,
                on,
            } => {
                self.sent = on;
                let dropped = json!({ "entries": entries, "injections": injections });
                ("dropped", dropped)
            }
            Item::Entry(entry) => {
                self.sent.entry = entry.id;
                (entry.action.as_str(), entry::entry(&entry))
            }
            Item::Injection(it) => {
                self.sent.injection = it.number;
                ("injection", injection(&it))
            }
        };
        let event = Event::default()
            .event(name)
            .id(self.sent.to_string())
            .retry(RETRY);
        event.data(data.to_string())
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

fn injection(it: &RecordedInjection) -> Value {
    let injection = &it.injection;
    json!({
        "number": it.number,
        "at": entry::time(it.at),
        "site": injection.site,
        "rule": injection.rule.as_str(),
        "fault": &*injection.fault,
        "delay_ms": injection.delay.as_micros() as f64 / 1e3,
    })
}
