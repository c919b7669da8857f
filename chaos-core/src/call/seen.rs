//! `Seen`: which methods, routes, hosts and labels the calls of a site have. Calls add to it without a lock.

use std::{collections::BTreeSet, str, sync::OnceLock};

use crate::call::Call;

/// The most texts of one kind that are kept.
const MOST: usize = 100;
/// The length in bytes from which on a text is not kept.
const TOO_LONG: usize = 257;

/// The facts that calls of a site had while the site was [watched](crate::Injector::watch): at most 100 of each kind,
/// each at most 256 bytes long.
///
/// A call is looked at once in a millisecond at most, so a route that is rarely called may be missing for a while.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SeenFacts {
    /// The methods of requests.
    pub methods: BTreeSet<String>,
    /// The routes that the service has matched, such as `/orders/{id}`, and never a path itself. axum provides them to
    /// layers of a router.
    pub paths: BTreeSet<String>,
    /// The hosts that requests name, in lower case and without ports.
    pub hosts: BTreeSet<String>,
    /// The names of labels, without their values.
    pub labels: BTreeSet<String>,
}

impl SeenFacts {
    /// Adds the names of the labels that a site declares.
    pub(crate) fn add_labels(&mut self, labels: &[&str]) {
        labels.iter().for_each(|label| add(&mut self.labels, label));
    }
}

fn add(texts: &mut BTreeSet<String>, text: &str) {
    if texts.len() < MOST {
        texts.insert(text.to_owned());
    }
}

/// The facts of the calls of one site.
#[derive(Debug)]
pub(crate) struct Seen {
    methods: DistinctTexts,
    paths: DistinctTexts,
    hosts: DistinctTexts,
    labels: DistinctTexts,
}

impl Seen {
    pub(crate) const fn new() -> Self {
        Self {
            methods: DistinctTexts::new(),
            paths: DistinctTexts::new(),
            hosts: DistinctTexts::new(),
            labels: DistinctTexts::new(),
        }
    }

    /// Adds the facts of a call.
    pub(crate) fn note(&self, call: &Call<'_>) {
        if let Some(method) = call.method() {
            self.methods.note(method);
        }
        if let Some(route) = call.route() {
            self.paths.note(route);
        }
        if let Some(host) = call.host()
            && let Ok(host) = str::from_utf8(host.as_ref())
        {
            self.hosts.note(host);
        }
        for (label, _) in call.labels {
            self.labels.note(label);
        }
    }

    /// Adds the facts to others.
    pub(crate) fn add_to(&self, facts: &mut SeenFacts) {
        for (texts, all) in [
            (&self.methods, &mut facts.methods),
            (&self.paths, &mut facts.paths),
            (&self.hosts, &mut facts.hosts),
            (&self.labels, &mut facts.labels),
        ] {
            texts.iter().for_each(|text| add(all, text));
        }
    }
}

/// Texts, each once, from the first on.
#[derive(Debug)]
struct DistinctTexts([OnceLock<Box<str>>; MOST]);

impl DistinctTexts {
    const fn new() -> Self {
        Self([const { OnceLock::new() }; MOST])
    }

    /// Adds a text. One that is there already is found without an allocation.
    fn note(&self, text: &str) {
        if text.is_empty() || text.len() >= TOO_LONG {
            return;
        }
        for place in &self.0 {
            if **place.get_or_init(|| text.into()) == *text {
                return;
            }
        }
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map_while(|place| Some(&**place.get()?))
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method, Uri, header};

    use super::*;

    fn facts(seen: &Seen) -> SeenFacts {
        let mut facts = SeenFacts::default();
        seen.add_to(&mut facts);
        facts
    }

    #[test]
    fn no_more_than_a_hundred_of_each_are_kept() {
        let seen = Seen::new();
        for n in 0..1000 {
            let uri: Uri = format!("/orders/{n}").parse().unwrap();
            let host = format!("shop-{n}.example").parse().unwrap();
            let headers = HeaderMap::from_iter([(header::HOST, host)]);
            seen.note(&Call::http(&Method::GET, &uri, &headers));
        }
        let facts = facts(&seen);
        assert_eq!(facts.methods, BTreeSet::from(["GET".to_owned()]));
        assert_eq!((facts.hosts.len(), facts.paths.len()), (MOST, 0));
    }

    #[test]
    fn a_text_that_is_too_long_is_left_out() {
        let texts = DistinctTexts::new();
        texts.note(&"a".repeat(TOO_LONG));
        texts.note("");
        assert_eq!(texts.iter().count(), 0);
        texts.note(&"a".repeat(TOO_LONG - 1));
        texts.note("b");
        texts.note("b");
        assert_eq!(texts.iter().count(), 2);
    }
}
