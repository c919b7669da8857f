//! The message about an audit entry: JSON for programs, and a line of text for people.

use std::fmt::Write;

use chaos_core::{
    Rule,
    audit::{Action, Actor, Entry},
};
use serde_json::{Value, json};

use crate::{
    history::{entry, process_id::process_id},
    webhook::event::Event,
};

/// The number of changes that a message contains.
const MAX_CHANGES: usize = 100;
/// The number of rules that the line of text names.
pub(crate) const MAX_NAMES: usize = 5;
/// The number of characters of a reason that the line of text contains.
const MAX_REASON_CHARS: usize = 500;

/// A message about an audit entry, and about earlier ones that were folded into it.
#[derive(Debug)]
pub(crate) struct Message {
    event: &'static str,
    line: String,
    entry: Value,
    /// What is told of earlier entries.
    folded: Option<Value>,
}

impl Message {
    /// Returns the message about an entry.
    pub(crate) fn of(entry: &Entry, event: &Event) -> Self {
        let changes = &event.changes;
        let shown = changes.len().min(MAX_CHANGES);
        let mut value = entry::of_changes(entry, &changes[..shown]);
        if changes.len() > shown {
            value["changes_left_out"] = json!(changes.len() - shown);
        }
        Self {
            event: event.name,
            line: one_line(&line(entry, event)),
            entry: value,
            folded: None,
        }
    }

    /// Makes it the message about this entry and earlier ones, which `folded` describes.
    pub(crate) fn folded(self, event: &'static str, line: &str, folded: Value) -> Self {
        Self {
            event,
            line: one_line(line),
            folded: Some(folded),
            ..self
        }
    }

    /// Returns the body for programs.
    pub(crate) fn to_json(&self, service: &str) -> Value {
        let mut value = json!({
            "event": self.event,
            "service": service,
            "text": format!("{service}: {}", self.line),
            "run": process_id(),
            "entry": self.entry,
        });
        if let Some(folded) = &self.folded {
            value["folded"] = folded.clone();
        }
        value
    }

    /// Returns the body for Slack's incoming webhooks.
    pub(crate) fn to_slack(&self, service: &str) -> Value {
        json!({ "text": format!("*{}*: {}", escaped(service), escaped(&self.line)) })
    }
}

/// Returns what the entry says to people, with its reason. It may contain line breaks.
pub(crate) fn line(entry: &Entry, event: &Event) -> String {
    let by = &entry.actor;
    let armed = event.armed();
    let mut line = match entry.action {
        Action::Halt => match &entry.what {
            None => format!("{by} halted all injection"),
            Some(held) => format!("{by} halted all injection, too ({held})"),
        },
        Action::Resume => format!("{by} resumed injection ({})", what(entry)),
        Action::Expire => format!("{} has expired", what(entry)),
        Action::Extend => format!("{by} extended {}", what(entry)),
        Action::Breach => match event.changes.first() {
            Some((Some(rule), _)) => {
                format!("a guard rail stopped {}: {}", rule.id(), what(entry))
            }
            _ => format!("a guard rail broke: {}", what(entry)),
        },
        _ => edit(by, &armed, &event.ended()),
    };
    let of_rule = || armed.iter().find_map(|rule| rule.reason());
    if let Some(reason) = by.reason().or_else(of_rule) {
        let _ = write!(line, ": {}", cut(reason));
    }
    line
}

/// Returns the text about an edit.
fn edit(by: &Actor, armed: &[&Rule], ended: &[&Rule]) -> String {
    let (these, others) = (names(armed), names(ended));
    match (armed, ended) {
        (_, []) => format!("{by} armed {these}"),
        ([], _) => format!("{by} disarmed {others}"),
        _ => format!("{by} armed {these}, and disarmed {others}"),
    }
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

/// Returns the text on one line, without the characters that change the order in which it is shown.
fn one_line(text: &str) -> String {
    text.replace(breaks_or_turns, " ")
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
    use chaos_core::{Fault, Injector, rule::Change};

    use super::*;

    fn rule(id: &str) -> Rule {
        Rule::new(
            id.parse().unwrap(),
            "db.*".parse().unwrap(),
            Fault::error("x"),
        )
    }

    fn message(entry: &Entry) -> Option<Message> {
        Some(Message::of(entry, &Event::of(entry)?))
    }

    /// Returns the line of text about each entry.
    fn lines(injector: &Injector) -> Vec<Option<String>> {
        let entries = injector.audit().after(0).entries;
        let message = |it: &std::sync::Arc<Entry>| Some(message(it)?.line);
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
        let message = message(&injector.audit().after(0).entries[0]).unwrap();
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
        let slack = message(entry).unwrap().to_slack("R&D");
        assert_eq!(
            slack,
            json!({ "text": "*R&amp;D*: a&lt;b&gt; halted all injection" })
        );
    }
}
