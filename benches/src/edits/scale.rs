//! Measures edits at thousands of sites, of rules in JSON, and a halt amid one.

use std::time::Duration;

use chaos_core::wire;
use comfy_table::{Table, presets};
use serde_json::Value;

use crate::edits::{aligned, cpu, halt, many, ms};

const SITES: usize = 2000;
const MANY: usize = 10_000;

/// Measures each row in processor time, and returns the table as text.
pub(super) fn table(rounds: usize) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header([
        "edit, in processor time",
        "best, ms",
        "median, ms",
        "target, ms",
    ]);
    let mut row = |name: &str, target: &str, run: &mut dyn FnMut(usize) -> Duration| {
        let (best, median) = cpu::best_and_median(rounds, run);
        table.add_row([name, &ms(best), &ms(median), target]);
    };
    let injector = many::one_rule_for_each_site(SITES);
    row(
        "2,000 sites with a rule each: put a new rule",
        "1",
        &mut |n| many::put_new(&injector, n),
    );
    row(
        "2,000 sites with a rule each: patch a rule",
        "0.5",
        &mut |n| many::patch(&injector, n),
    );
    row(
        "2,000 sites with a rule each: toggle a rule",
        "0.2",
        &mut |n| many::toggle(&injector, n),
    );
    let one_site = many::all_at_one_site(MANY);
    row("10,000 rules at one site: toggle a rule", "0.2", &mut |n| {
        many::toggle(&one_site, n)
    });
    row("10,000 rules: find each by its id", "", &mut |_| {
        many::finds(&one_site, MANY)
    });
    row("10,000 new sites by name", "", &mut |_| {
        many::new_sites(MANY)
    });
    row(
        "what a replace of 10,000 rules has changed",
        "",
        &mut |_| many::changes(MANY),
    );
    row("JSON of 10,000 rules: serde_json alone", "", &mut |n| {
        own_time(&many::document(MANY, n))
    });
    row("JSON of 10,000 rules: read", "twice that", &mut |n| {
        reading_time(&many::document(MANY, n))
    });
    row("JSON of 10,000 rules: read and replace", "40", &mut |n| {
        let json = many::document(MANY, n);
        let replace = || {
            let rules = wire::rules_from_json(&json).expect("rules");
            one_site.replace(rules).expect("the ids differ")
        };
        cpu::spent(replace).0
    });
    let halts = rounds.min(5);
    let (best, median) = cpu::best_and_median(halts, |_| halt::during_replace(10 * MANY).0);
    table.add_row([
        "halt amid a replace of 100,000 rules (time, not processor time)",
        &ms(best),
        &ms(median),
        "2",
    ]);
    aligned(table)
}

/// Returns the processor time in which serde_json reads a document without knowing what it is.
pub(super) fn own_time(json: &[u8]) -> Duration {
    let (time, value) = cpu::spent(|| serde_json::from_slice::<Value>(json));
    value.expect("JSON");
    time
}

/// Returns the processor time in which a document becomes rules.
pub(super) fn reading_time(json: &[u8]) -> Duration {
    let (time, rules) = cpu::spent(|| wire::rules_from_json(json));
    rules.expect("rules");
    time
}
