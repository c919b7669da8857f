//! `/v1/events`: what happens, as it happens, to whoever listens: injections, and the audit.
//!
//! Each listener reads the two bounded lists at its own pace, from a position of its own. So nobody
//! waits for a listener: one that is too slow finds that the lists have moved on, and is told by how
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
        last_event_id::{LastEventId, Position},
        query::NoQuery,
    },
    followers::Followers,
    history::{
        entry,
        expiry_watch::Sweep,
        feed::{Feed, Happened, Listener},
    },
    problem::Problem,
    run::run,
};

/// Between a listener's events, at most; then a comment says that both ends are still there.
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
    let Some(listener) = followers.feed.listen() else {
        let detail = format!("{} listen already", Feed::PLACES);
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
        return ([(header::RETRY_AFTER, "10")], problem).into_response();
    };
    let telling = Telling::start(injector, listener, last);
    let events = stream::unfold(telling, |mut telling| async {
        let event = telling.next().await?;
        Some((Ok::<_, Infallible>(event), telling))
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
        on: Position,
    },
    Entry(Arc<Entry>),
    Injection(Happened),
}

/// One listener's stream.
struct Telling {
    injector: Injector,
    listener: Listener,
    sweep: Sweep,
    clock: Clock,
    /// When it last said anything.
    said_at: Duration,
    /// After what was said.
    said: Position,
    /// After what is in `items`.
    read: Position,
    items: VecDeque<Item>,
}

impl Telling {
    /// From `last` on; from now on if there is none, or it is of no use.
    fn start(injector: Injector, listener: Listener, last: Option<Option<Position>>) -> Self {
        let now = Position {
            entry: injector.audit().last(),
            injection: listener.newest(),
        };
        let is_ours = |last: &Position| last.entry <= now.entry && last.injection <= now.injection;
        let restarted = last.is_some();
        let last = last.flatten().filter(is_ours);
        let items = match last {
            Some(_) => VecDeque::new(),
            None => VecDeque::from([Item::Start { restarted }]),
        };
        let from = last.unwrap_or(now);
        Self {
            sweep: Sweep::new(&injector),
            injector,
            listener,
            clock: Clock::monotonic(),
            said_at: Duration::ZERO,
            said: from,
            read: from,
            items,
        }
    }

    /// The next event, when there is one; `None` at the end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            let wait = self.sweep.next();
            self.fill();
            let now = self.clock.now();
            let left = LONGEST.saturating_sub(now);
            if left.is_zero() {
                return None;
            }
            if let Some(item) = self.items.pop_front() {
                // Also while there is always more to say.
                if self.listener.is_ended() {
                    return None;
                }
                self.said_at = now;
                return Some(self.say(item));
            }
            let quiet = (self.said_at + HEARTBEAT).saturating_sub(now);
            if quiet.is_zero() {
                self.said_at = now;
                return Some(Event::default().comment(""));
            }
            let wait = wait.min(left).min(quiet);
            let (audit, listener) = (self.injector.audit(), &self.listener);
            tokio::select! {
                biased;
                () = listener.ended() => return None,
                () = listener.unless(|| listener.newest() > self.read.injection) => {}
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
        let (mut happened, injections) = self.listener.after(self.read.injection);
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

    fn say(&mut self, item: Item) -> Event {
        let (name, data) = match item {
            Item::Start { restarted } => ("start", self.now(restarted)),
            Item::Dropped {
                entries,
                injections,
                on,
            } => {
                self.said = on;
                let dropped = json!({ "entries": entries, "injections": injections });
                ("dropped", dropped)
            }
            Item::Entry(entry) => {
                self.said.entry = entry.id;
                (entry.action.as_str(), entry::entry(&entry))
            }
            Item::Injection(it) => {
                self.said.injection = it.number;
                ("injection", injection(&it))
            }
        };
        let event = Event::default().event(name).id(self.said.id()).retry(RETRY);
        event.data(data.to_string())
    }

    fn now(&self, restarted: bool) -> Value {
        let status = self.injector.status();
        json!({
            "run": run(),
            "restarted": restarted,
            "state": status.state.as_str(),
            "generation": status.generation,
        })
    }
}

fn injection(it: &Happened) -> Value {
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
