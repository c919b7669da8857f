//! Lines of the log, emitted on a thread apart: a subscriber may block for ever, for example when stderr is
//! a pipe that nobody reads, and must hold neither the admin port nor a thread that follows the audit or a file.
//!
//! Only chaos-http-admin and chaos-sources use it.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use tracing::{Dispatch, dispatcher};

/// The number of lines that wait. Further ones are dropped and counted.
const MAX_WAITING: usize = 1000;
/// How long the thread waits for another line before it ends.
const LINGER: Duration = Duration::from_secs(1);

/// An event, and the subscriber that is told of it.
type LogLine = (Dispatch, Box<dyn FnOnce() + Send>);

/// The lines of this process. They have one thread, which runs while there are some.
struct LogQueue {
    lines: Mutex<Lines>,
    added: Condvar,
}

struct Lines {
    waiting: VecDeque<LogLine>,
    has_thread: bool,
    dropped: u64,
}

static LOG: LogQueue = LogQueue {
    lines: Mutex::new(Lines {
        waiting: VecDeque::new(),
        has_thread: false,
        dropped: 0,
    }),
    added: Condvar::new(),
};

/// Emits the event of `line` soon, on another thread, to the subscriber of this one.
pub fn log(line: impl FnOnce() + Send + 'static) {
    LOG.add((dispatcher::get_default(Clone::clone), Box::new(line)));
}

impl LogQueue {
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&'static self, line: LogLine) {
        let mut lines = self.lines();
        if !lines.has_thread {
            let thread = thread::Builder::new().name("chaos-log".to_owned());
            // If there is none, the next line tries again.
            lines.has_thread = thread.spawn(|| self.emit_all()).is_ok();
        }
        if lines.waiting.len() >= MAX_WAITING {
            lines.dropped += 1;
            return;
        }
        lines.waiting.push_back(line);
        drop(lines);
        self.added.notify_one();
    }

    fn emit_all(&self) {
        while let Some(((to, line), dropped)) = self.next() {
            let emit = || {
                line();
                if dropped > 0 {
                    tracing::warn!(target: "chaos", dropped, "lines of the log were dropped while it was blocked");
                }
            };
            // A subscriber that panics is told of the next line, too.
            let _ = catch_unwind(AssertUnwindSafe(|| dispatcher::with_default(&to, emit)));
        }
    }

    /// Waits for a line, and returns it with the number of those dropped since the last one. Returns `None` if
    /// the thread is to end.
    fn next(&self) -> Option<(LogLine, u64)> {
        let is_empty = |lines: &mut Lines| lines.waiting.is_empty();
        let waited = self
            .added
            .wait_timeout_while(self.lines(), LINGER, is_empty);
        let (mut lines, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let line = lines.waiting.pop_front();
        lines.has_thread = line.is_some();
        line.map(|line| (line, std::mem::take(&mut lines.dropped)))
    }
}
