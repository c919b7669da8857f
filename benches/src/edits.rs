//! Measures what edits cost: of ten thousand rules, beside concurrent calls, at thousands of sites, from JSON, and
//! in memory.
//!
//! Times vary between machines, so the rows of times have targets but no check. [`checked`] compares costs of one run
//! with each other, and counts bytes: that is checked.

mod checked;
pub(crate) mod cpu;
pub(crate) mod halt;
pub(crate) mod many;
mod scale;

pub use self::checked::checked;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use chaos_core::{Call, Clock, Matcher, Rule, Site, rule::Change};
use comfy_table::{CellAlignment, Table, presets};
use http::{HeaderMap, Method, Uri};

use crate::{
    cases::many::{by_header, by_path},
    rules::matching,
};

const SITE: &str = "bench.edits";
const MANY: usize = 10_000;

/// Times each edit, alone and while another thread makes calls, and returns the tables as text.
///
/// # Panics
/// Panics if an edit is rejected, or if `rounds` is 0.
#[must_use]
pub fn report(rounds: usize) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header([
        "edit",
        "alone: best, median, ms",
        "under calls: best, median, ms",
        "target, ms",
        "calls: speed relative to no edits",
        "longest call, ms",
    ]);
    for (name, matcher) in [
        ("path", by_path as fn(usize) -> Matcher),
        ("header", by_header),
    ] {
        let edits: [(&str, &str, Edit); 3] = [
            ("replace 10,000 rules", "20", replace),
            ("toggle one of them", "1", toggle),
            ("add one more", "", add),
        ];
        for (edit, target, run) in edits {
            let alone = times(rounds, matcher, run, None);
            let load = CallLoad::default();
            let busy = times(rounds, matcher, run, Some(&load));
            let (speed, longest) = load.last();
            let two =
                |times: &[Duration]| format!("{}, {}", ms(times[0]), ms(times[times.len() / 2]));
            table.add_row([
                format!("{edit}, by {name}"),
                two(&alone),
                two(&busy),
                target.to_owned(),
                format!("{speed:.2}"),
                ms(longest),
            ]);
        }
    }
    format!("{}\n\n{}", aligned(table), scale::table(rounds))
}

fn aligned(mut table: Table) -> String {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

fn ms(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1e3)
}

/// Builds the change of a round. It is built before the clock starts, so only the edit is timed.
type Edit = fn(fn(usize) -> Matcher, usize) -> Change;

fn times(
    rounds: usize,
    matcher: fn(usize) -> Matcher,
    edit: Edit,
    load: Option<&CallLoad>,
) -> Vec<Duration> {
    let injector = many::roomy();
    let site = injector.site(SITE);
    let apply = |change| injector.apply(change, None).expect("it can be applied");
    apply(replace(matcher, 0));
    let clock = Clock::monotonic();
    let mut times = Vec::new();
    let mut run = || {
        for round in 1..=rounds {
            let change = edit(matcher, round);
            let start = clock.now();
            apply(change);
            times.push(clock.now() - start);
        }
    };
    match load {
        None => run(),
        Some(load) => load.during(site, run),
    }
    times.sort();
    times
}

fn rule(n: usize, matcher: fn(usize) -> Matcher, round: usize) -> Rule {
    // The rule differs in each round, so no counters are carried over.
    matching(&format!("rule-{n}"), SITE, matcher(n)).because(format!("round {round}"))
}

fn replace(matcher: fn(usize) -> Matcher, round: usize) -> Change {
    let rules = (0..MANY).map(|n| {
        let rule = rule(n, matcher, round);
        rule.final_if_fired(round.is_multiple_of(2))
    });
    Change::Replace(rules.collect())
}

fn toggle(matcher: fn(usize) -> Matcher, round: usize) -> Change {
    let rule = rule(MANY / 2, matcher, 0).final_if_fired(true);
    Change::Edit(rule.enabled(round.is_multiple_of(2)))
}

fn add(matcher: fn(usize) -> Matcher, round: usize) -> Change {
    Change::Put(rule(MANY + round, matcher, round))
}

/// Calls that another thread makes during the edits.
#[derive(Default)]
struct CallLoad {
    results: std::sync::Mutex<Vec<(f64, Duration)>>,
}

impl CallLoad {
    /// Makes calls during `edits`, and compares their rate with that of 200 ms before.
    fn during(&self, site: &'static Site, edits: impl FnOnce()) {
        let (stop, clock) = (&AtomicBool::new(false), &Clock::monotonic());
        let calls = |until: &dyn Fn(Duration) -> bool| {
            let (uri, headers) = (Uri::from_static("/products/7"), HeaderMap::new());
            let call = Call::http(&Method::GET, &uri, &headers);
            let (start, mut count, mut longest) = (clock.now(), 0_u32, Duration::ZERO);
            let mut last = start;
            while !until(last - start) {
                assert!(site.decide(&call).is_none());
                let now = clock.now();
                longest = longest.max(now - last);
                last = now;
                count += 1;
            }
            (f64::from(count) / (last - start).as_secs_f64(), longest)
        };
        let (before, _) = calls(&|time| time > Duration::from_millis(200));
        thread::scope(|scope| {
            let reader = scope.spawn(|| calls(&|_| stop.load(Ordering::Relaxed)));
            edits();
            stop.store(true, Ordering::Relaxed);
            let (speed, longest) = reader.join().expect("calls do not fail");
            let mut results = self.results.lock().expect("no thread panicked");
            results.push((speed / before, longest));
        });
    }

    /// Returns the relative rate and the longest call of the last measurement.
    fn last(&self) -> (f64, Duration) {
        let results = self.results.lock().expect("no thread panicked");
        results.last().copied().unwrap_or_default()
    }
}
