//! `/v1/events`: what happens, as it happens, to whoever listens: injections, and the audit.
//!
//! Each listener reads the two bounded lists at its own pace, from a position of its own. So nobody
//! waits for a listener: one that is too slow finds that the lists have moved on, and is told by how
//! much. An event's id is the position after it, which is all that is needed to come back to it.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::{FromRequestParts, State},
    http::{HeaderName, StatusCode, header, request::Parts},
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
    entry,
    feed::{Feed, Happened, Listener},
    followers::Followers,
    operation::{Asks, Operation},
    problem::Problem,
    query::NoQuery,
    run::run,
    sweep::Sweep,
};

/// Between a listener's events, at most; then a comment says that both ends are still there.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Below what a connection may take: a stream that ends in good order is taken up again by its client.
const LONGEST: Duration = Duration::from_secs(240);
/// How long a client waits before it comes back.
const RETRY: Duration = Duration::from_secs(1);
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

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

/// The position in it, if there is one, and if it is of this process.
pub(crate) struct LastEventId(Option<Option<Position>>);

impl<S: Sync> FromRequestParts<S> for LastEventId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let last = parts.headers.get(LAST_EVENT_ID);
        Ok(Self(
            last.map(|id| id.to_str().ok().and_then(Position::read)),
        ))
    }
}

impl Asks for LastEventId {
    fn asks(operation: &mut Operation) {
        let does = "The id of the last event that was seen: it goes on after that one.";
        operation.header("Last-Event-ID", "EventId", does);
    }
}

/// How far a listener is: the last entry of the audit, and the last injection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Position {
    entry: u64,
    injection: u64,
}

impl Position {
    /// Of this process, or none.
    fn read(id: &str) -> Option<Self> {
        let (of, position) = id.split_once('.')?;
        let (entry, injection) = position.split_once('.')?;
        let (entry, injection) = (entry.parse().ok()?, injection.parse().ok()?);
        (of == run()).then_some(Self { entry, injection })
    }

    fn id(self) -> String {
        format!("{}.{}.{}", run(), self.entry, self.injection)
    }
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
        let (happened, injections) = self.listener.after(self.read.injection);
        let entries = self.injector.audit().after(self.read.entry).entries;
        let first = entries.first().map_or(self.read.entry + 1, |it| it.id);
        self.skip(first, injections);
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
        self.skip(entry.id, 0);
        self.read.entry = entry.id;
        self.items.push_back(Item::Entry(entry));
    }

    /// Says what is gone: entries up to the next, and so many injections.
    fn skip(&mut self, next: u64, injections: u64) {
        let entries = next - self.read.entry - 1;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_was_written_and_nothing_else_is() {
        let position = Position {
            entry: 7,
            injection: 12,
        };
        assert_eq!(Position::read(&position.id()), Some(position));
        for id in ["", "7", "7.12", "0.7.12", ".7.12", "other.7.12"] {
            assert_eq!(Position::read(id), None, "{id}");
        }
        for tail in ["", ".", ".7", ".7.", ".7.x", ".-7.1", ".7.12.1"] {
            assert_eq!(Position::read(&format!("{}{tail}", run())), None, "{tail}");
        }
    }
}
