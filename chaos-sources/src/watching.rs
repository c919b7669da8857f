//! The thread that follows a file: it looks, waits until the file has settled, and puts it in force.

use std::{
    ops::ControlFlow,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::Duration,
};

use chaos_core::{Clock, Rule};

use crate::{
    contents,
    error::{Problem, SourceError},
    follower::{Follower, Told},
    format,
    holder::Holder,
    status::{SourceHandle, SourceStatus},
};

/// A file is taken when two looks with this time between them saw the same, and nothing was told.
const SETTLED_AFTER: Duration = Duration::from_millis(100);

/// For so long it is waited for; then it is left for the next look.
const SETTLED_AT_MOST: Duration = Duration::from_secs(2);

/// A file that is followed, until this is dropped. Its rules stay then, and end by themselves.
#[derive(Debug)]
#[must_use = "the file is followed until this is dropped"]
pub struct Watching {
    handle: SourceHandle,
    tell: Sender<Told>,
    stopped: Stopped,
}

/// Held while rules are put in force, so that whoever sets it knows that none will be any more.
type Stopped = Arc<Mutex<bool>>;

impl Watching {
    /// Looks at the file now, and follows it on a thread of its own.
    pub(crate) fn start(
        path: PathBuf,
        look_every: Duration,
        holder: Holder,
    ) -> Result<Self, SourceError> {
        let origin = path.display().to_string();
        let (tell, told) = mpsc::channel();
        let stopped = Stopped::default();
        let handle = SourceHandle::new(path.clone());
        let mut eye = Eye {
            follower: Follower::new(tell.clone()),
            seen: None,
            handle: handle.clone(),
            stopped: Arc::clone(&stopped),
            retry: false,
            path,
            holder,
        };
        // Followed before it is read, so that no change falls in between.
        eye.follow(false);
        let seen = contents::read(&eye.path);
        eye.take(seen);
        let thread = thread::Builder::new().name("chaos-sources".to_owned());
        let spawned = thread.spawn(move || eye.run(&told, look_every));
        spawned.map_err(|error| {
            SourceError::new(&origin, format!("there is no thread to follow it: {error}"))
        })?;
        Ok(Self {
            handle,
            tell,
            stopped,
        })
    }

    /// How the file is doing now.
    #[must_use]
    pub fn status(&self) -> SourceStatus {
        self.handle.status()
    }

    /// What can be asked the same, elsewhere and later.
    #[must_use]
    pub fn handle(&self) -> SourceHandle {
        self.handle.clone()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // The thread may hang on a dead file system: it is not waited for, and does nothing more.
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        let _ = self.tell.send(Told::Stop);
    }
}

type Contents = Result<Vec<u8>, SourceError>;

struct Eye {
    path: PathBuf,
    holder: Holder,
    handle: SourceHandle,
    follower: Follower,
    stopped: Stopped,
    /// What was last taken, or refused.
    seen: Option<Contents>,
    /// Whether it was refused for what others can change, and not the file alone.
    retry: bool,
}

impl Eye {
    fn run(mut self, told: &Receiver<Told>, look_every: Duration) {
        loop {
            let was_told = match told.recv_timeout(look_every) {
                Ok(Told::Look) => true,
                Err(RecvTimeoutError::Timeout) => false,
                Ok(Told::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            };
            let ControlFlow::Continue(found) = self.look(told) else {
                return;
            };
            match found {
                Some(contents) => {
                    // Of a change that was not told of, the watch may have lost its directory.
                    self.follow(!was_told);
                    self.take(contents);
                }
                None => {
                    let is_notified = self.handle.status().is_notified;
                    if !is_notified {
                        self.follow(true);
                    }
                    if self.retry
                        && let Some(seen) = self.seen.take()
                    {
                        self.take(seen);
                    }
                }
            }
        }
    }

    /// What the file holds now, if that is something else than before, once it has settled.
    fn look(&self, told: &Receiver<Told>) -> ControlFlow<(), Option<Contents>> {
        let clock = Clock::monotonic();
        let mut found = contents::read(&self.path);
        while self.seen.as_ref() != Some(&found) {
            wait(told)?;
            let again = contents::read(&self.path);
            if again == found {
                return ControlFlow::Continue(Some(found));
            }
            if clock.now() > SETTLED_AT_MOST {
                break;
            }
            found = again;
        }
        ControlFlow::Continue(None)
    }

    fn follow(&mut self, anew: bool) {
        let is_notified = self.follower.follow(&self.path, anew);
        self.handle
            .change(|status| status.is_notified = is_notified);
    }

    /// Puts in force what the file holds, or says why not.
    fn take(&mut self, contents: Contents) {
        let parsed = contents.as_ref().map_err(SourceError::clone);
        let parsed = parsed.and_then(|bytes| {
            let text = contents::text(&self.path, bytes)?;
            format::rules(&self.path, text)
        });
        self.seen = Some(contents);
        self.retry = false;
        let taken = match parsed {
            Ok(rules) => match self.put(rules) {
                None => return,
                Some(Ok(generation)) => Ok(generation),
                Some(Err(problem)) => {
                    self.retry = true;
                    let origin = self.path.display().to_string();
                    Err(SourceError::new(&origin, problem))
                }
            },
            Err(error) => Err(error),
        };
        match taken {
            Ok(generation) => self.accept(generation),
            Err(error) => self.refuse(error),
        }
    }

    /// `None` if it must not, because nobody watches any more.
    fn put(&mut self, rules: Vec<Rule>) -> Option<Result<Option<u64>, Problem>> {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        (!*stopped).then(|| self.holder.put(rules))
    }

    fn accept(&self, generation: Option<u64>) {
        let (source, rules) = (self.path.display(), self.holder.rules());
        let injector = self.holder.injector();
        if let Some(generation) = generation {
            tracing::info!(target: "chaos", %source, rules, generation, "rules of a file are in force");
        } else if self.handle.status().error.is_some() {
            tracing::info!(target: "chaos", %source, rules, "a file is good again, and as before");
        }
        self.handle.change(|status| {
            status.rules = rules;
            let before = status.generation;
            status.generation = generation
                .or(before)
                .or_else(|| Some(injector.rules().generation()));
            status.loaded_at = Some(injector.wall());
            (status.error, status.failing_since) = (None, None);
        });
    }

    /// Says so everywhere, once for each reason: the file may stay as it is for long.
    fn refuse(&self, error: SourceError) {
        if self.handle.status().error.as_deref() == Some(&error) {
            return;
        }
        let source = self.path.display();
        tracing::warn!(target: "chaos", %source, %error, "a file is refused; its last good rules stay");
        self.holder.refuse(&error.to_string());
        let now = self.holder.injector().wall();
        self.handle.change(|status| {
            status.error = Some(Arc::new(error));
            status.failing_since.get_or_insert(now);
            status.refused += 1;
        });
    }
}

/// Waits until nothing has been told for a while, or for long enough.
fn wait(told: &Receiver<Told>) -> ControlFlow<()> {
    let clock = Clock::monotonic();
    loop {
        match told.recv_timeout(SETTLED_AFTER) {
            Ok(Told::Look) if clock.now() < SETTLED_AT_MOST => {}
            Ok(Told::Look) | Err(RecvTimeoutError::Timeout) => return ControlFlow::Continue(()),
            Ok(Told::Stop) | Err(RecvTimeoutError::Disconnected) => return ControlFlow::Break(()),
        }
    }
}
