//! `LiveFrames`: a frame a second of what rules and watched sites count, for all who listen.
//!
//! The listeners take the frames: whoever is the first to ask when a second has passed takes the frame for all. So
//! nothing is taken and no site is counted while nobody listens, whichever runtimes serve the listeners.

mod frame;

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    fmt,
    mem::replace,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chaos_core::{Clock, Injector, RuleId, SiteGlob, SiteWatch, State};
use serde_json::{Value, json};
use tokio::{runtime::Handle, task::AbortHandle, time::sleep};

use self::frame::{Frame, RuleFigures, Told};

/// The time from one frame to the next.
const SECOND: Duration = Duration::from_secs(1);
/// How many frames are kept for who comes late.
const KEPT: usize = 120;
/// How long frames are kept after the last listener has left.
const LINGER: Duration = Duration::from_secs(60);
/// The number of bytes of changed rules in a frame, so that it has at most 20 KB together with the sites of a page.
const RULES: usize = 12 * 1024;
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
    /// The patterns whose sites have been counted since the newest frame was taken, without a break.
    whole: Vec<SiteGlob>,
    kept: VecDeque<Frame>,
    /// The number of the next frame.
    next: u64,
    /// When the newest frame was taken, and when the next one is due.
    taken_at: Duration,
    due: Duration,
    /// What the newest frame knows of each rule, in order.
    rules: Vec<(RuleId, RuleFigures)>,
    /// What the frames have said of each rule.
    told: HashMap<RuleId, Told>,
    /// The place in the list of the rule that the next frame begins with.
    turn: usize,
    /// When the last listener left.
    left_at: Duration,
    /// The task that forgets the frames.
    forgets: Option<AbortHandle>,
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
            left: Some(Left {
                live: self.clone(),
                number,
            }),
            live: self.clone(),
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
        let sites = frames.watched();
        frames.whole.retain(|site| sites.contains(site));
        match &mut frames.watch {
            watch if frames.listeners.is_empty() => *watch = None,
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
        let mut sites = match &mut frames.watch {
            Some(watch) if with_sites => watch.take(),
            _ => Vec::new(),
        };
        // A part of a second says nothing of a whole one.
        let watched = frames.watched();
        let whole = replace(&mut frames.whole, watched);
        sites.retain(|site| whole.iter().any(|glob| glob.matches(site.name)));
        let rules = set.rules().iter().zip(&counts);
        let rules: Vec<_> = rules
            .map(|(rule, counts)| (rule.id().clone(), RuleFigures::of(counts, now)))
            .collect();
        let frame = Frame {
            at: self.clock.wall(),
            state: State::as_str(&status.state),
            generation: set.generation(),
            active: status.active,
            // Without sites it is the first frame, whose listener gets all rules.
            rules: match with_sites {
                true => frames.tell(&rules),
                false => frames.tell_all(&rules),
            },
            elapsed: now.saturating_sub(frames.taken_at),
            sites,
        };
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

impl Frames {
    /// Returns the number of the oldest frame that is kept.
    fn first(&self) -> u64 {
        self.next - self.kept.len() as u64
    }

    /// Returns the patterns of all listeners.
    fn watched(&self) -> Vec<SiteGlob> {
        let mut watched: Vec<SiteGlob> = Vec::new();
        for site in self.listeners.values().flat_map(|sites| sites.iter()) {
            if !watched.contains(site) {
                watched.push(site.clone());
            }
        }
        watched
    }

    /// Returns the rules that differ from what the frames have said of them. Those beyond [`RULES`] bytes are left to
    /// the next frame, which begins with them.
    fn tell(&mut self, rules: &[(RuleId, RuleFigures)]) -> Vec<(RuleId, RuleFigures)> {
        let (head, tail) = rules.split_at(self.turn.min(rules.len()));
        let (mut news, mut bytes) = (Vec::new(), 0);
        for (at, (id, figures)) in (head.len()..).zip(tail).chain((0..).zip(head)) {
            if self.told.get(id) == Some(&figures.told()) {
                continue;
            }
            bytes += json!({ id.as_str(): figures.json() }).to_string().len();
            if bytes > RULES {
                self.turn = at;
                break;
            }
            self.told.insert(id.clone(), figures.told());
            news.push((id.clone(), *figures));
        }
        if self.told.len() > rules.len() {
            let known: HashSet<&RuleId> = rules.iter().map(|(id, _)| id).collect();
            self.told.retain(|id, _| known.contains(id));
        }
        news
    }

    /// Notes that all rules are told. Whoever listens gets them from the list of all rules.
    fn tell_all(&mut self, rules: &[(RuleId, RuleFigures)]) -> Vec<(RuleId, RuleFigures)> {
        let told = rules.iter();
        self.told = told
            .map(|(id, figures)| (id.clone(), figures.told()))
            .collect();
        Vec::new()
    }

    fn forget(&mut self) {
        self.kept = VecDeque::new();
        self.rules = Vec::new();
        self.told = HashMap::new();
    }
}

/// A listener. Dropping it ends the counting at its sites, unless others watch them.
pub(crate) struct LiveListener {
    /// `None` once it is dropped.
    left: Option<Left>,
    live: LiveFrames,
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
    /// Leaves on a thread apart. The thread of the port drops it, and cannot wait until nobody else holds the frames or
    /// the injector's rules.
    fn drop(&mut self) {
        if let (Some(left), Ok(runtime)) = (self.left.take(), Handle::try_current()) {
            runtime.spawn_blocking(move || drop(left));
        }
    }
}

/// Dropping it ends what a listener has begun.
struct Left {
    live: LiveFrames,
    number: u64,
}

impl Drop for Left {
    fn drop(&mut self) {
        let live = &self.live.0;
        let mut frames = live.frames();
        frames.listeners.remove(&self.number);
        live.set_sites(&mut frames);
        if !frames.listeners.is_empty() {
            return;
        }
        frames.left_at = live.clock.now();
        // Without a runtime, the next listener forgets them.
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let live = Arc::downgrade(live);
        let forgets = runtime.spawn(async move {
            sleep(LINGER).await;
            let Some(live) = live.upgrade() else {
                return;
            };
            let mut frames = live.frames();
            if frames.listeners.is_empty() && live.is_forgotten(&frames) {
                frames.forget();
            }
        });
        // There is one such task at a time.
        if let Some(before) = frames.forgets.replace(forgets.abort_handle()) {
            before.abort();
        }
    }
}

/// Returns the text of an event. JSON has no line breaks.
fn event(name: &str, data: &Value) -> String {
    let retry = SECOND.as_millis();
    format!("event: {name}\nretry: {retry}\ndata: {data}\n\n")
}

#[cfg(test)]
mod tests {
    use std::{
        sync::mpsc::{self, RecvTimeoutError},
        thread,
    };

    use super::*;

    /// A halt waited for all that.
    #[tokio::test]
    async fn who_leaves_does_not_wait_for_the_frames() {
        let injector = Injector::new();
        let live = LiveFrames::of(&injector);
        let listener = live.listen(vec!["http.server".parse().unwrap()]);
        let site = injector.site("http.server");
        assert!(site.is_armed());
        let (held, is_held) = mpsc::channel();
        let (left, has_left) = mpsc::channel();
        let holder = live.clone();
        let holder = thread::spawn(move || {
            let _frames = holder.0.frames();
            held.send(()).unwrap();
            has_left.recv_timeout(Duration::from_secs(10))
        });
        is_held.recv().unwrap();
        drop(listener);
        // Nobody is there to hear it any more, if it took too long.
        let _ = left.send(());
        let waited: Result<(), RecvTimeoutError> = holder.join().unwrap();
        assert_eq!(waited, Ok(()));
        while site.is_armed() {
            sleep(Duration::from_millis(1)).await;
        }
        assert!(live.0.frames().listeners.is_empty());
    }

    /// Each page that was closed left a task for a minute.
    #[tokio::test]
    async fn one_task_waits_to_forget() {
        let live = LiveFrames::of(&Injector::new());
        let tasks = Handle::current().metrics().num_alive_tasks();
        for _ in 0..20 {
            drop(live.listen(Vec::new()));
            while !live.0.frames().listeners.is_empty() {
                sleep(Duration::from_millis(1)).await;
            }
        }
        let are_gone = || Handle::current().metrics().num_alive_tasks() <= tasks + 1;
        for _ in 0..1000 {
            if are_gone() {
                break;
            }
            sleep(Duration::from_millis(10)).await;
        }
        assert!(are_gone());
    }
}
