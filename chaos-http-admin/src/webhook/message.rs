//! The message about an audit entry: JSON for programs, and a line of text for people.

use std::fmt::Write;

use chaos_core::{
    Rule,
    audit::{Action, BeforeAndAfter, Entry},
};
use serde_json::{Value, json};

use crate::history::{entry, process_id::process_id};

/// The number of changes that a message contains.
const MAX_CHANGES: usize = 100;
/// The number of rules that the line of text names.
const MAX_NAMES: usize = 5;
/// The number of characters of a reason that the line of text contains.
const MAX_REASON_CHARS: usize = 500;

/// A message about an audit entry.
#[derive(Debug)]
pub(crate) struct Message {
    event: &'static str,
    line: String,
    entry: Value,
}

impl Message {
    /// Returns the message about an entry, or `None` if the entry neither arms nor ends anything.
    pub(crate) fn of(entry: &Entry) -> Option<Self> {
        let changes = entry.changes();
        let armed = changes.iter().filter(|change| is_armed(change));
        let armed: Vec<_> = armed.filter_map(|(_, after)| after.as_deref()).collect();
        let ended = changes.iter().filter(|change| is_ended(change));
        let ended: Vec<_> = ended.filter_map(|(before, _)| before.as_deref()).collect();
        let (event, mut line) = match entry.action {
            Action::Put | Action::Edit | Action::Remove | Action::Replace => {
                edit(entry, &armed, &ended)?
            }
            Action::Halt => match &entry.what {
                None => ("halt", format!("{} halted all injection", entry.actor)),
                Some(held) => {
                    let by = &entry.actor;
                    let line = format!("{by} halted all injection, too ({held})");
                    ("halt", line)
                }
            },
            // Without anyone who had halted, it ended nothing.
            Action::Resume => {
                let ended = entry.what.as_ref()?;
                let line = format!("{} resumed injection ({ended})", entry.actor);
                ("resume", line)
            }
            Action::Expire => ("expire", format!("{} has expired", what(entry))),
            // A breach stops one rule, or, without a change, all injection.
            Action::Breach => match changes.first() {
                Some((Some(rule), _)) => (
                    "breach",
                    format!("a guard rail stopped {}: {}", rule.id(), what(entry)),
                ),
                _ => ("breach", format!("a guard rail broke: {}", what(entry))),
            },
            _ => return None,
        };
        let of_rule = || armed.iter().find_map(|rule| rule.reason());
        if let Some(reason) = entry.actor.reason().or_else(of_rule) {
            let _ = write!(line, ": {}", cut(reason));
        }
        let shown = changes.len().min(MAX_CHANGES);
        let mut value = entry::of_changes(entry, &changes[..shown]);
        if changes.len() > shown {
            value["changes_left_out"] = json!(changes.len() - shown);
        }
        Some(Self {
            event,
            // A reason may contain line breaks, and the text must be one line.
            line: line.replace(breaks_or_turns, " "),
            entry: value,
        })
    }

    /// Returns the body for programs.
    pub(crate) fn to_json(&self, service: &str) -> Value {
        json!({
            "event": self.event,
            "service": service,
            "text": format!("{service}: {}", self.line),
            "run": process_id(),
            "entry": self.entry,
        })
    }

    /// Returns the body for Slack's incoming webhooks.
    pub(crate) fn to_slack(&self, service: &str) -> Value {
        json!({ "text": format!("*{}*: {}", escaped(service), escaped(&self.line)) })
    }
}

/// Returns whether the rule is enabled after the change, which has armed it.
fn is_armed((_, after): &BeforeAndAfter) -> bool {
    after.as_ref().is_some_and(|rule| rule.is_enabled())
}

/// Returns whether the change has ended the rule, which was enabled before.
fn is_ended(change: &BeforeAndAfter) -> bool {
    change.0.as_ref().is_some_and(|rule| rule.is_enabled()) && !is_armed(change)
}

/// Returns the event and the line about an edit, or `None` if it arms and ends no rule.
fn edit(entry: &Entry, armed: &[&Rule], ended: &[&Rule]) -> Option<(&'static str, String)> {
    let by = &entry.actor;
    Some(match (armed, ended) {
        ([], []) => return None,
        (armed, []) => ("arm", format!("{by} armed {}", names(armed))),
        ([], ended) => ("disarm", format!("{by} disarmed {}", names(ended))),
        (armed, ended) => {
            let (armed, ended) = (names(armed), names(ended));
            ("arm", format!("{by} armed {armed}, and disarmed {ended}"))
        }
    })
}

fn what(entry: &Entry) -> &str {
    entry.what.as_deref().unwrap_or("a rule")
}

fn names(rules: &[&Rule]) -> String {
    let named = rules.iter().take(MAX_NAMES);
    let names: Vec<_> = named
        .map(|rule| format!("{} on {}", rule.id(), rule.site()))
        .collect();
    let names = names.join(", ");
    match rules.len().saturating_sub(MAX_NAMES) {
        0 => names,
        more => format!("{names} and {more} more"),
    }
}

/// Returns whether the character can break a line, or change the order in which it is shown.
fn breaks_or_turns(character: char) -> bool {
    let others = ['\u{2028}'..='\u{202e}', '\u{2066}'..='\u{2069}'];
    character.is_control() || others.iter().any(|range| range.contains(&character))
}

fn cut(reason: &str) -> String {
    match reason.char_indices().nth(MAX_REASON_CHARS) {
        Some((at, _)) => format!("{}…", &reason[..at]),
        None => reason.to_owned(),
    }
}

/// Returns the text such that Slack, Mattermost and Discord show it as it is. Otherwise a reason
/// could notify a whole channel, or show a link under another name.
///
/// Slack's markup uses three characters, which it takes escaped. Mattermost and Discord read
/// Markdown, and mentions behind an `@`; a space of no width ends both.
fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;");
    let text = text.replace('<', "&lt;").replace('>', "&gt;");
    text.replace('@', "@\u{200b}").replace("](", "]\u{200b}(")
}

#[cfg(test)]
mod tests {
    use chaos_core::{Fault, Injector, audit::Actor, rule::Change};

    use super::*;

    fn rule(id: &str) -> Rule {
        Rule::new(
            id.parse().unwrap(),
            "db.*".parse().unwrap(),
            Fault::error("x"),
        )
    }

    /// Returns the line of text about each entry.
    fn lines(injector: &Injector) -> Vec<Option<String>> {
        let entries = injector.audit().after(0).entries;
        let message = |it: &std::sync::Arc<Entry>| Message::of(it).map(|it| it.line);
        entries.iter().map(message).collect()
    }

    #[test]
    fn only_what_arms_or_ends_has_a_message() {
        let injector = Injector::new();
        let alice = injector.as_actor(Actor::new("alice").at("10.0.0.7:9").because("GameDay\n12"));
        let some = |text: &str| Some(text.to_owned());
        alice.apply(Change::Put(rule("a")), None).unwrap();
        alice
            .apply(Change::Edit(rule("a").enabled(false)), None)
            .unwrap();
        alice
            .apply(Change::Put(rule("b").enabled(false)), None)
            .unwrap();
        injector.put(rule("c").because("of the rule"));
        injector.replace(Vec::new()).unwrap();
        alice.halt();
        injector.halt("an incident");
        injector.resume();
        injector.resume();
        alice.refuse("no");
        assert_eq!(
            lines(&injector),
            [
                some("alice at 10.0.0.7:9 armed a on db.*: GameDay 12"),
                some("alice at 10.0.0.7:9 disarmed a on db.*: GameDay 12"),
                None,
                some("code armed c on db.*: of the rule"),
                some("code disarmed c on db.*"),
                some("alice at 10.0.0.7:9 halted all injection: GameDay 12"),
                some(
                    "code halted all injection, too (already held by alice at 10.0.0.7:9): an incident"
                ),
                some("code resumed injection (ended the holds of alice at 10.0.0.7:9, code)"),
                None,
                None,
            ]
        );
    }

    #[test]
    fn ten_thousand_rules_make_a_short_message() {
        let injector = Injector::new();
        let rules = (0..4000).map(|n| rule(&format!("r{n}")).because("x".repeat(2000)));
        injector.replace(rules.collect()).unwrap();
        let message = Message::of(&injector.audit().after(0).entries[0]).unwrap();
        assert!(message.line.contains("r4 on db.* and 3995 more: xxx"));
        assert!(message.line.chars().count() < 700, "{}", message.line);
        let json = message.to_json("shop");
        assert_eq!(json["entry"]["changes"].as_array().unwrap().len(), 100);
        assert_eq!(json["entry"]["changes_left_out"], 3900);
    }

    #[test]
    fn markup_in_messages_to_slack_is_escaped() {
        let injector = Injector::new();
        injector.as_actor(Actor::new("a<b>")).halt();
        injector.halt("x");
        let entry = &injector.audit().after(0).entries[0];
        let slack = Message::of(entry).unwrap().to_slack("R&D");
        assert_eq!(
            slack,
            json!({ "text": "*R&amp;D*: a&lt;b&gt; halted all injection" })
        );
    }
}
