//! Several audit entries that are combined into one message: their actors, and which rules are armed
//! and which have ended after them. Its size does not depend on the number of entries.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    sync::Arc,
    time::SystemTime,
};

use chaos_core::{RuleId, audit::Entry};
use serde_json::json;

use crate::{
    history::entry::time,
    webhook::{
        event::{Event, Topic},
        message::{MAX_NAMES, Message, line},
    },
};

/// The number of rules whose last change is kept.
const MAX_RULES: usize = 10_000;
/// The number of ids, or of actors, that the JSON of a message contains.
const MAX_LISTED: usize = 100;

/// Entries about one topic, in order.
#[derive(Debug)]
pub(crate) struct Folded {
    topic: Topic,
    entries: u64,
    first: u64,
    since: SystemTime,
    last: (Arc<Entry>, Event),
    actors: BTreeSet<Box<str>>,
    /// The last change of each rule.
    rules: BTreeMap<RuleId, LastChange>,
    /// The number of changes of rules that `rules` had no room for.
    others: [u64; 2],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LastChange {
    Armed,
    Ended,
}

impl Folded {
    /// Creates it from its first entry.
    pub(crate) fn new(first: &Arc<Entry>, event: Event) -> Self {
        let mut folded = Self {
            topic: event.topic,
            entries: 1,
            first: first.id,
            since: first.at,
            last: (Arc::clone(first), event),
            actors: BTreeSet::new(),
            rules: BTreeMap::new(),
            others: [0; 2],
        };
        folded.count_last();
        folded
    }

    /// Adds a later entry.
    pub(crate) fn add(&mut self, entry: &Arc<Entry>, event: Event) {
        self.entries += 1;
        self.last = (Arc::clone(entry), event);
        self.count_last();
    }

    fn count_last(&mut self) {
        let (entry, event) = &self.last;
        if self.actors.len() < MAX_LISTED {
            self.actors.insert(entry.actor.name().into());
        }
        let ended = event
            .ended()
            .into_iter()
            .map(|rule| (rule, LastChange::Ended));
        let armed = event
            .armed()
            .into_iter()
            .map(|rule| (rule, LastChange::Armed));
        let changes = ended.chain(armed);
        let mut changes: Vec<_> = changes.map(|(rule, it)| (rule.id().clone(), it)).collect();
        // The entry of an expiry has no change, but it names its rule.
        let expired = entry.what.as_ref().filter(|_| event.name == "expire");
        let expired = expired.and_then(|id| id.parse().ok());
        changes.extend(expired.map(|id| (id, LastChange::Ended)));
        for (id, change) in changes {
            self.change(id, change);
        }
    }

    fn change(&mut self, id: RuleId, change: LastChange) {
        if let Some(last) = self.rules.get_mut(&id) {
            *last = change;
        } else if self.rules.len() < MAX_RULES {
            self.rules.insert(id, change);
        } else {
            self.others[change as usize] += 1;
        }
    }

    /// Returns the number of rules whose last change is `change`, and the first ids of them.
    fn rules(&self, change: LastChange) -> Counted<'_> {
        let all = self.rules.iter().filter(|(_, last)| **last == change);
        let ids: Vec<_> = all.map(|(id, _)| id.as_str()).collect();
        let count = ids.len() as u64 + self.others[change as usize];
        (count, ids.into_iter().take(MAX_LISTED).collect())
    }

    /// Returns the number of entries, and the message about them.
    pub(crate) fn into_message(self) -> (u64, Message) {
        let (armed, ended) = (self.rules(LastChange::Armed), self.rules(LastChange::Ended));
        let value = json!({
            "entries": self.entries,
            "first": self.first,
            "since": time(self.since),
            "actors": self.actors,
            "armed": { "count": armed.0, "rules": armed.1 },
            "ended": { "count": ended.0, "rules": ended.1 },
        });
        let (event, line) = self.text(&armed, &ended);
        let (entry, last) = &self.last;
        let message = Message::of(entry, last).folded(event, &line, value);
        (self.entries, message)
    }

    /// Returns the name of the event, and the line for people.
    fn text(&self, armed: &Counted<'_>, ended: &Counted<'_>) -> (&'static str, String) {
        let (entry, last) = &self.last;
        let by = listed(self.actors.len() as u64, self.actors.iter().map(|it| &**it));
        let since = time(self.since);
        match self.topic {
            Topic::Halt => {
                let earlier = self.entries - 1;
                let line = format!(
                    "{} (after {earlier} more halts, resumes and breaches since {since}, by {by})",
                    line(entry, last),
                );
                (last.name, line)
            }
            Topic::Breach => {
                let mut line = "guard rails stopped ".to_owned();
                let _ = write!(line, "{} since {since}", rules(ended));
                (last.name, line)
            }
            Topic::Rules => {
                let parts = [(armed, "armed"), (ended, "ended")];
                let parts = parts.iter().filter(|((count, _), _)| *count > 0);
                let parts: Vec<_> = parts
                    .map(|(these, what)| format!("{} {what}", rules(these)))
                    .collect();
                // Of extensions alone, the last is told.
                if parts.is_empty() {
                    return (last.name, line(entry, last));
                }
                let parts = parts.join(", ");
                let line = format!("{parts} since {since}, by {by}");
                (if armed.0 > 0 { "arm" } else { last.name }, line)
            }
        }
    }
}

/// A number of rules, and the first ids of them.
type Counted<'r> = (u64, Vec<&'r str>);

/// Returns the number of rules with the first ids.
fn rules((count, ids): &Counted<'_>) -> String {
    let noun = if *count == 1 { "rule" } else { "rules" };
    format!("{count} {noun} ({})", listed(*count, ids.iter().copied()))
}

/// Returns the first of `count` names, and how many more there are.
fn listed<'n>(count: u64, names: impl Iterator<Item = &'n str>) -> String {
    let names: Vec<_> = names.take(MAX_NAMES).collect();
    match count - names.len() as u64 {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use chaos_core::{Fault, Injector, Rule, rule::Change};
    use serde_json::Value;

    use super::*;

    fn rule(id: &str) -> Rule {
        let (id, site) = (id.parse().unwrap(), "db.*".parse().unwrap());
        Rule::new(id, site, Fault::error("x"))
    }

    fn folded(injector: &Injector) -> Value {
        let mut folded: Option<Folded> = None;
        for entry in injector.audit().after(0).entries {
            let event = Event::of(&entry).unwrap();
            match &mut folded {
                Some(folded) => folded.add(&entry, event),
                none => *none = Some(Folded::new(&entry, event)),
            }
        }
        let (_, message) = folded.unwrap().into_message();
        message.to_json("shop")
    }

    #[test]
    fn a_rule_is_counted_once_by_its_last_change() {
        let injector = Injector::new();
        injector.put(rule("a"));
        injector.put(rule("b"));
        injector.put(rule("a"));
        let off = Change::Edit(rule("b").enabled(false));
        injector.apply(off, None).unwrap();
        let json = folded(&injector);
        assert_eq!(json["event"], "arm");
        let text = json["text"].as_str().unwrap();
        let expected = "shop: 1 rule (a) armed, 1 rule (b) ended since 2";
        assert!(text.starts_with(expected), "{text}");
        assert!(text.ends_with("Z, by code"), "{text}");
        let mut value = json["folded"].clone();
        assert!(value["since"].take().as_str().unwrap().ends_with('Z'));
        let expected = json!({
            "entries": 4, "first": 1, "since": null, "actors": ["code"],
            "armed": { "count": 1, "rules": ["a"] }, "ended": { "count": 1, "rules": ["b"] },
        });
        assert_eq!(value, expected);
        assert_eq!(json["entry"]["id"], 4);
    }

    #[test]
    fn any_number_of_rules_makes_a_short_message() {
        let injector = Injector::new();
        let mut folded: Option<Folded> = None;
        for n in 0..12 {
            let rules = (0..900).map(|r| rule(&format!("r{n:02}-{r:03}")));
            injector.replace(rules.collect()).unwrap();
            let entry = injector.audit().after(n).entries.remove(0);
            let event = Event::of(&entry).unwrap();
            match &mut folded {
                Some(folded) => folded.add(&entry, event),
                none => *none = Some(Folded::new(&entry, event)),
            }
        }
        let (_, message) = folded.unwrap().into_message();
        let json = message.to_json("shop");
        let text = json["text"].as_str().unwrap();
        let expected = "shop: 900 rules (r11-000, r11-001, r11-002, r11-003, r11-004 and 895 \
                        more) armed, 9900 rules (r00-000, ";
        assert!(text.starts_with(expected), "{text}");
        assert!(text.len() < 300, "{text}");
        let armed = json["folded"]["armed"]["rules"].as_array().unwrap();
        assert_eq!(armed.len(), MAX_LISTED);
    }

    #[test]
    fn the_last_of_many_halts_is_told_in_full() {
        let injector = Injector::new();
        for _ in 0..20 {
            injector.halt("x");
            injector.resume();
        }
        injector.halt("an incident");
        let json = folded(&injector);
        assert_eq!(
            (&json["event"], &json["entry"]["id"]),
            (&json!("halt"), &json!(41))
        );
        let text = json["text"].as_str().unwrap();
        let expected = "shop: code halted all injection: an incident (after 40 more halts, resumes";
        assert!(text.starts_with(expected), "{text}");
    }
}
