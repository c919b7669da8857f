//! `LiveFrames`: a frame a second of what rules and watched sites count, for all who listen.
//!
//! The listeners take the frames: whoever is the first to ask when a second has passed takes the frame for all. So
//! nothing is taken and no site is counted while nobody listens, whichever runtimes serve the listeners.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use chaos_core::{
    CallFigures, Clock, Counts, Injector, RuleId, SiteGlob, SiteWatch, State, WatchedSite,
};
use serde_json::{Map, Value, json};
use tokio::{runtime::Handle, time::sleep};

use crate::history::entry::time;

/// The time from one frame to the next.
const SECOND: Duration = Duration::from_secs(1);
/// How many frames are kept for who comes late.
const KEPT: usize = 120;
/// How long frames are kept after the last listener has left.
const LINGER: Duration = Duration::from_secs(60);
/// A frame that is not the newest keeps the rules that had changed only if there are no more of them.
const KEPT_RULES: usize = 500;
/// The number of bytes after which no further event is added to a chunk.
const CHUNK: usize = 64 * 1024;

/// The frames of one injector. Clones are handles to the same frames.
#[derive(Clone)]
pub(crate) struct LiveFrames(Arc<LiveState>);

struct LiveState {
    injector: Injector,
    clock: Clock,
    frames: Mutex<Frames>,
}

#[derive(Default)]
struct Frames {
    /// The sites that each listener watches, by its number.
    listeners: BTreeMap<u64, Arc<[SiteGlob]>>,
    last_listener: u64,
    /// Counts at the sites of all listeners; `None` without any.
    watch: Option<SiteWatch>,
    kept: VecDeque<Frame>,
    /// The number of the next frame.
    next: u64,
    /// When the newest frame was taken, and when the next one is due.
    taken_at: Duration,
    due: Duration,
    /// What the newest frame knows of each rule, in order.
    rules: Vec<(RuleId, RuleFigures)>,
    /// When the last listener left.
    left_at: Duration,
}

struct Frame {
    at: SystemTime,
    state: &'static str,
    generation: u64,
    active: u64,
    /// The rules whose counts have changed since the frame before.
    rules: Vec<(RuleId, RuleFigures)>,
    /// Whether rules that had changed are left out, because there were too many to keep.
    is_shortened: bool,
    /// The time in which calls were counted.
    elapsed: Duration,
    sites: Vec<WatchedSite>,
}

/// What a frame says of a rule.
#[derive(Clone, Copy, Debug)]
struct RuleFigures {
    counts: [u64; 4],
    expires_in: Option<Duration>,
    /// When the rule ends, to notice that it was extended.
    deadline: Option<SystemTime>,
}

impl RuleFigures {
    fn of(counts: &Counts) -> Self {
        Self {
            counts: [
                counts.matched,
                counts.injected,
                counts.shadowed,
                counts.active,
            ],
            expires_in: counts.expires_in,
            deadline: counts.deadline,
        }
    }

    fn has_changed_since(&self, before: &Self) -> bool {
        (self.counts, self.deadline) != (before.counts, before.deadline)
    }

    fn json(&self) -> Value {
        let [matched, injected, shadowed, active] = self.counts;
        let expires_in = self.expires_in.map(|time| time.as_millis() as f64 / 1e3);
        json!([matched, injected, shadowed, active, expires_in])
    }
}

impl LiveFrames {
    pub(crate) fn of(injector: &Injector) -> Self {
        Self(Arc::new(LiveState {
            injector: injector.clone(),
            clock: Clock::monotonic(),
            frames: Mutex::default(),
        }))
    }

    /// Begins to listen, and to count at the sites that `sites` match.
    pub(crate) fn listen(&self, sites: Vec<SiteGlob>) -> LiveListener {
        let sites: Arc<[SiteGlob]> = sites.into();
        let mut frames = self.0.frames();
        let is_first = frames.listeners.is_empty();
        frames.last_listener += 1;
        let number = frames.last_listener;
        frames.listeners.insert(number, Arc::clone(&sites));
        self.0.set_sites(&mut frames);
        if is_first {
            if self.0.is_forgotten(&frames) {
                frames.forget();
            }
            // The sites are counted from now on, so the first frame has rules alone.
            self.0.take_frame(&mut frames, false);
        }
        LiveListener {
            live: self.clone(),
            number,
            sites,
            next: frames.first(),
            knows_rules: false,
        }
    }
}

impl fmt::Debug for LiveFrames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listeners = self.0.frames().listeners.len();
        f.debug_struct("LiveFrames")
            .field("listeners", &listeners)
            .finish_non_exhaustive()
    }
}

impl LiveState {
    fn frames(&self) -> MutexGuard<'_, Frames> {
        self.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts at the sites of all listeners, and nowhere without any.
    fn set_sites(&self, frames: &mut Frames) {
        if frames.listeners.is_empty() {
            frames.watch = None;
            return;
        }
        let mut sites: Vec<SiteGlob> = Vec::new();
        for site in frames.listeners.values().flat_map(|sites| sites.iter()) {
            if !sites.contains(site) {
                sites.push(site.clone());
            }
        }
        match &mut frames.watch {
            Some(watch) => watch.set_sites(sites),
            watch @ None => *watch = Some(self.injector.watch(sites)),
        }
    }

    /// Takes a frame, if a second has passed since the last one.
    fn take_if_due(&self, frames: &mut Frames) {
        if self.clock.now() >= frames.due {
            self.take_frame(frames, true);
        }
    }

    fn take_frame(&self, frames: &mut Frames, with_sites: bool) {
        let (set, counts) = self.injector.report();
        let status = self.injector.status();
        let now = self.clock.now();
        let sites = match &mut frames.watch {
            Some(watch) if with_sites => watch.take(),
            _ => Vec::new(),
        };
        let rules = set.rules().iter().zip(&counts);
        let rules: Vec<_> = rules
            .map(|(rule, counts)| (rule.id().clone(), RuleFigures::of(counts)))
            .collect();
        let frame = Frame {
            at: self.clock.wall(),
            state: State::as_str(&status.state),
            generation: set.generation(),
            active: status.active,
            rules: changed(&frames.rules, &rules),
            is_shortened: false,
            elapsed: now.saturating_sub(frames.taken_at),
            sites,
        };
        if let Some(before) = frames.kept.back_mut()
            && before.rules.len() > KEPT_RULES
        {
            (before.rules, before.is_shortened) = (Vec::new(), true);
        }
        frames.rules = rules;
        frames.kept.push_back(frame);
        if frames.kept.len() > KEPT {
            frames.kept.pop_front();
        }
        frames.next += 1;
        frames.taken_at = now;
        // In step with the frames before, unless nobody has asked for a while.
        let in_step = frames.due + SECOND;
        frames.due = if with_sites && in_step > now {
            in_step
        } else {
            now + SECOND
        };
    }

    /// Returns whether the last listener has left so long ago that the frames are not kept.
    fn is_forgotten(&self, frames: &Frames) -> bool {
        let left_for = self.clock.now().saturating_sub(frames.left_at);
        frames.listeners.len() <= 1 && left_for >= LINGER
    }
}

/// Returns the rules of `now` that are new, or have changed since `before`.
fn changed(
    before: &[(RuleId, RuleFigures)],
    now: &[(RuleId, RuleFigures)],
) -> Vec<(RuleId, RuleFigures)> {
    // Most often, the rules are the same.
    let in_place = |at: usize, id: &RuleId| before.get(at).filter(|(known, _)| known == id);
    let are_the_same = now.len() == before.len()
        && (now.iter().enumerate()).all(|(at, (id, _))| in_place(at, id).is_some());
    let by_id: BTreeMap<_, _> = match are_the_same {
        true => BTreeMap::new(),
        false => before.iter().map(|(id, figures)| (id, figures)).collect(),
    };
    let has_changed = |(at, (id, figures)): &(usize, &(RuleId, RuleFigures))| {
        let before = match are_the_same {
            true => in_place(*at, id).map(|(_, figures)| figures),
            false => by_id.get(id).copied(),
        };
        before.is_none_or(|before| figures.has_changed_since(before))
    };
    let changed = now.iter().enumerate().filter(has_changed);
    changed.map(|(_, rule)| rule.clone()).collect()
}

impl Frames {
    /// Returns the number of the oldest frame that is kept.
    fn first(&self) -> u64 {
        self.next - self.kept.len() as u64
    }

    fn forget(&mut self) {
        self.kept = VecDeque::new();
        self.rules = Vec::new();
    }
}

/// A listener. Dropping it ends the counting at its sites, unless others watch them.
pub(crate) struct LiveListener {
    live: LiveFrames,
    number: u64,
    sites: Arc<[SiteGlob]>,
    /// The number of the frame that it gets next.
    next: u64,
    /// Whether it has got the counts of each rule, and each change since.
    knows_rules: bool,
}

impl LiveListener {
    /// Returns the events that it has not got yet, or the first ones if they are long; nothing if there are none.
    pub(crate) fn take(&mut self) -> String {
        let mut frames = self.live.0.frames();
        self.live.0.take_if_due(&mut frames);
        let mut text = String::new();
        let first = frames.first();
        if self.next < first {
            let dropped = json!({ "frames": first - self.next });
            text.push_str(&event("dropped", &dropped));
            (self.next, self.knows_rules) = (first, false);
        }
        while text.len() < CHUNK
            && let Some(frame) = frames.kept.get((self.next - first) as usize)
        {
            self.next += 1;
            self.knows_rules &= !frame.is_shortened;
            let rules = match self.next == frames.next && !self.knows_rules {
                true => {
                    self.knows_rules = true;
                    &frames.rules
                }
                false => &frame.rules,
            };
            text.push_str(&event("frame", &frame.json(rules, &self.sites)));
        }
        text
    }

    /// Returns the time until the next frame is due.
    pub(crate) fn wait(&self) -> Duration {
        let due = self.live.0.frames().due;
        due.saturating_sub(self.live.0.clock.now())
    }
}

impl Drop for LiveListener {
    fn drop(&mut self) {
        let live = &self.live.0;
        let mut frames = live.frames();
        frames.listeners.remove(&self.number);
        live.set_sites(&mut frames);
        if !frames.listeners.is_empty() {
            return;
        }
        frames.left_at = live.clock.now();
        drop(frames);
        let live = Arc::downgrade(live);
        // Without a runtime, the next listener forgets them.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                sleep(LINGER).await;
                let Some(live) = live.upgrade() else {
                    return;
                };
                let mut frames = live.frames();
                if frames.listeners.is_empty() && live.is_forgotten(&frames) {
                    frames.forget();
                }
            });
        }
    }
}

impl Frame {
    /// Returns the frame for a listener that watches these sites.
    fn json(&self, rules: &[(RuleId, RuleFigures)], watched: &[SiteGlob]) -> Value {
        let rules = rules.iter();
        let rules: Map<_, _> = rules
            .map(|(id, figures)| (id.as_str().to_owned(), figures.json()))
            .collect();
        let is_watched = |site: &&WatchedSite| watched.iter().any(|glob| glob.matches(site.name));
        let sites = self.sites.iter().filter(is_watched);
        let sites: Map<_, _> = sites
            .map(|site| (site.name.to_owned(), self.site(site)))
            .collect();
        json!({
            "at": time(self.at),
            "state": self.state,
            "generation": self.generation,
            "active": self.active,
            "rules": rules,
            "sites": sites,
        })
    }

    fn site(&self, site: &WatchedSite) -> Value {
        let WatchedSite {
            alone, injected, ..
        } = site;
        let mut value = json!({
            "calls": self.per_second(alone.calls + injected.calls),
            "hit": self.per_second(injected.calls),
            "failed": self.per_second(alone.failed + injected.failed),
            "held": site.held,
        });
        value["alone"] = self.group(alone);
        value["injected"] = self.group(injected);
        value
    }

    fn group(&self, figures: &CallFigures) -> Value {
        let seconds = |time: Duration| time.as_nanos() as f64 / 1e9;
        let latency = figures.latency;
        json!({
            "calls": self.per_second(figures.calls),
            "failed": self.per_second(figures.failed),
            "p50": latency.map(|latency| seconds(latency.p50)),
            "p90": latency.map(|latency| seconds(latency.p90)),
            "p99": latency.map(|latency| seconds(latency.p99)),
        })
    }

    /// Returns a number of calls for each second, with two digits after the point.
    fn per_second(&self, calls: u64) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds <= 0.0 {
            return 0.0;
        }
        (calls as f64 / seconds * 100.0).round() / 100.0
    }
}

/// Returns the text of an event. JSON has no line breaks.
fn event(name: &str, data: &Value) -> String {
    let retry = SECOND.as_millis();
    format!("event: {name}\nretry: {retry}\ndata: {data}\n\n")
}
