//! What a rule needs of a call, and the calls of which sites have it.

use crate::{
    call::site_kind::SiteKind, matcher::Matcher, rule::Rule, site::Site, trigger::key::Key,
};

/// What a condition or a key reads of a call.
#[derive(Clone, Copy)]
pub(super) enum Fact<'r> {
    Request,
    Peer,
    Label(&'r str),
}

impl<'r> Fact<'r> {
    fn of(key: &'r Key) -> Self {
        match key {
            Key::Header(_) | Key::Query(_) | Key::PathParameter(_) | Key::Trace => Self::Request,
            Key::Label(name) => Self::Label(name),
            Key::Peer => Self::Peer,
        }
    }
}

/// Returns what a rule needs of a call, with the paths of the fields: the conditions that do not hold on
/// a call without the fact that they read, and the keys.
pub(super) fn needs(rule: &Rule) -> impl Iterator<Item = (String, Fact<'_>)> {
    let conditions = impossible(&rule.matcher);
    let keys = keys(rule).map(|(field, key)| (field.to_owned(), Fact::of(key)));
    conditions.chain(keys)
}

/// Returns the keys of a rule, with the paths of their fields.
pub(super) fn keys(rule: &Rule) -> impl Iterator<Item = (&'static str, &Key)> {
    let first = rule.trigger.first_attempts.as_ref();
    let keys = [
        ("key", rule.trigger.key.as_deref()),
        ("first_attempts.key", first.map(|first| &first.key)),
    ];
    keys.into_iter()
        .filter_map(|(field, key)| Some((field, key?)))
}

/// Returns the conditions that do not hold on a call without the fact that they read.
fn impossible(matcher: &Matcher) -> impl Iterator<Item = (String, Fact<'_>)> {
    let nothing = || std::iter::empty::<&str>();
    let request = [
        ("method", matcher.method.as_ref()),
        ("path", matcher.path.as_ref()),
        ("host", matcher.host.as_deref()),
        ("grpc", matcher.grpc.as_deref()),
    ];
    let request = request.into_iter();
    let request = request.filter_map(|(name, text)| Some((name.to_owned(), text?)));
    let headers = matcher.headers.iter();
    let headers = headers.map(|(name, text)| (format!("headers.{name}"), text));
    let query = matcher.query.iter();
    let query = query.map(|(name, text)| (format!("query.{name}"), text));
    let request = request.chain(headers).chain(query);
    let request = request.map(|(name, text)| (name, text, Fact::Request));
    let labels = matcher.labels.iter();
    let labels = labels.map(|(name, text)| (format!("labels.{name}"), text, Fact::Label(name)));
    request
        .chain(labels)
        .filter(move |(_, text, _)| !text.matches(&nothing))
        .map(|(name, _, fact)| (format!("match.{name}"), fact))
}

/// Returns whether calls at a site may have a fact.
pub(super) fn has(site: &Site, fact: Fact<'_>) -> bool {
    match fact {
        Fact::Request => site.kind() == SiteKind::Layer,
        Fact::Peer => matches!(site.kind(), SiteKind::Layer | SiteKind::Connection),
        Fact::Label(label) => labels(site).contains(&label),
    }
}

/// Returns the labels of a site's calls. Those of a connection have the peer as a label.
pub(super) fn labels(site: &Site) -> &[&'static str] {
    match site.kind() {
        SiteKind::Connection => &["peer"],
        _ => site.labels(),
    }
}
