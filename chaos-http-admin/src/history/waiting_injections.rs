//! The injections that wait for the audit file.

use std::{
    mem,
    time::{Duration, SystemTime},
};

use chaos_core::Injection;
use serde_json::json;

use crate::history::{entry, injection_json::InjectionJson, process_id::process_id};

/// The injections that wait to be written, within bounds.
#[derive(Debug)]
pub(crate) struct WaitingInjections {
    per_second: u32,
    /// The second of the last injection, and the number of injections in it that wait or are written.
    second: u64,
    in_second: u32,
    waiting: Vec<(SystemTime, Injection)>,
    /// The number of injections that were left out since the last line, and when the last of them happened.
    left_out: u64,
    left_out_at: SystemTime,
}

impl WaitingInjections {
    /// The number of injections that wait at most.
    const MOST: usize = 1000;

    pub(crate) fn new(per_second: u32) -> Self {
        Self {
            per_second: per_second.max(1),
            second: 0,
            in_second: 0,
            waiting: Vec::new(),
            left_out: 0,
            left_out_at: SystemTime::UNIX_EPOCH,
        }
    }

    /// Adds an injection that happened at the time `now`, or counts it if there are too many. Returns whether the
    /// writer has to be woken.
    pub(crate) fn add(&mut self, injection: &Injection, now: Duration, at: SystemTime) -> bool {
        if mem::replace(&mut self.second, now.as_secs()) != now.as_secs() {
            self.in_second = 0;
        }
        if self.in_second >= self.per_second || self.waiting.len() >= Self::MOST {
            self.left_out += 1;
            self.left_out_at = at;
            return false;
        }
        self.in_second += 1;
        self.waiting.push((at, injection.clone()));
        self.waiting.len() == 1
    }

    pub(crate) fn are_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Takes the injections that wait. Takes also the number of injections that were left out, if there is a line to
    /// put it in, or if it is to be written `now`. Calls that are hit wait for this, so their lines are made later.
    pub(crate) fn take(&mut self, now: bool) -> TakenInjections {
        let left_out = match self.waiting.is_empty() && !now {
            true => 0,
            false => mem::take(&mut self.left_out),
        };
        TakenInjections {
            injections: mem::take(&mut self.waiting),
            left_out,
            left_out_at: self.left_out_at,
        }
    }
}

/// The injections that are written next.
pub(crate) struct TakenInjections {
    injections: Vec<(SystemTime, Injection)>,
    left_out: u64,
    left_out_at: SystemTime,
}

impl TakenInjections {
    /// Returns the lines. The first has the number of injections that were left out before. If no injection waits, this
    /// is all that it has.
    pub(crate) fn into_lines(self) -> Vec<Vec<u8>> {
        let mut left_out = self.left_out;
        if self.injections.is_empty() && left_out > 0 {
            let line = json!({
                "action": "inject",
                "at": entry::time(self.left_out_at),
                "left_out": left_out,
                "run": process_id(),
            });
            return vec![format!("{line}\n").into_bytes()];
        }
        let lines = self.injections.into_iter().map(|(at, injection)| {
            let mut line = InjectionJson::of(&injection, at);
            line.action = Some("inject");
            line.run = Some(process_id());
            line.left_out = Some(mem::take(&mut left_out)).filter(|left_out| *left_out > 0);
            let mut line = line.to_text();
            line.push('\n');
            line.into_bytes()
        });
        lines.collect()
    }
}
