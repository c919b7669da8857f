//! Random matchers and calls that share few values, so that many of them match.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use proptest::prelude::*;

use crate::{
    call::Call,
    matcher::{Matcher, text::Text},
};

/// The facts of a call, owned.
#[derive(Debug)]
pub(super) struct Facts {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    labels: Vec<(&'static str, Cow<'static, str>)>,
    is_http: bool,
}

impl Facts {
    pub(super) fn get(path: &str) -> Self {
        Self {
            method: Method::GET,
            uri: path.parse().unwrap(),
            headers: HeaderMap::new(),
            labels: Vec::new(),
            is_http: true,
        }
    }

    pub(super) fn header(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_str(value).unwrap();
        self.headers.append(HeaderName::from_static(name), value);
        self
    }

    pub(super) fn label(mut self, name: &'static str, value: &str) -> Self {
        self.labels.push((name, Cow::Owned(value.to_owned())));
        self
    }

    pub(super) fn call(&self) -> Call<'_> {
        let call = match self.is_http {
            true => Call::http(&self.method, &self.uri, &self.headers),
            false => Call::new(),
        };
        call.labels(&self.labels)
    }
}

const HEADERS: [&str; 7] = ["x-a", "x-b", "x-c", "x-d", "x-e", "content-type", "host"];
const METHODS: [&str; 4] = ["GET", "PUT", "TRACE", "PURGE"];
const HOSTS: [&str; 2] = ["a", "a/b"];
const LABELS: [&str; 3] = ["table", "shard", "tenant"];
const VALUES: [&str; 5] = ["", "1", "2", "a/b", "application/grpc"];

fn path() -> impl Strategy<Value = String> {
    "(/(a|b|ab|\\{\\}|\\{|\\})?){1,5}"
}

/// Routes with parameters, a rest and escaped braces.
fn route() -> impl Strategy<Value = Text> {
    let segment = prop_oneof![
        4 => Just("a"), 2 => Just("b"), 1 => Just(""), 3 => Just("{?}"), 1 => Just("a{?}"),
        1 => Just("{{}}"), 1 => Just("{{{?}"), 1 => Just("}}"),
    ];
    let segments = prop::collection::vec(segment, 1..5);
    (segments, prop::bool::weighted(0.2)).prop_filter_map("no route", |(segments, has_rest)| {
        let mut path = String::new();
        for (at, segment) in segments.into_iter().enumerate() {
            path = path + "/" + &segment.replace('?', &format!("p{at}"));
        }
        Text::route(&(path + if has_rest { "/{*rest}" } else { "" })).ok()
    })
}

fn text(leaf: impl Strategy<Value = Text> + 'static) -> impl Strategy<Value = Text> {
    let odd = prop_oneof![
        prop::sample::select(&["", "/", "/a", "1"][..]).prop_map(Text::prefix),
        prop::sample::select(&["a", "b"][..]).prop_map(Text::suffix),
        any::<bool>().prop_map(Text::Present),
        Just(Text::regex("a|2").unwrap()),
    ];
    let leaf = prop_oneof![8 => leaf, 1 => odd];
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            1 => inner.clone().prop_map(|text| Text::Not(Box::new(text))),
            4 => prop::collection::vec(inner, 0..4).prop_map(|all| Text::AnyOf(all.into())),
        ]
    })
}

fn value() -> impl Strategy<Value = Text> {
    text(prop::sample::select(&VALUES[..]).prop_map(Text::is))
}

fn path_text() -> impl Strategy<Value = Text> {
    text(prop_oneof![
        path().prop_map(|path| Text::is(&path)),
        route()
    ])
}

fn rarely<S: Strategy>(strategy: S) -> impl Strategy<Value = Option<S::Value>> {
    prop::option::weighted(0.2, strategy)
}

pub(super) fn matcher() -> impl Strategy<Value = Matcher> {
    let grpc = text(prop_oneof![
        path().prop_map(|path| Text::is(&path[1..])),
        route(),
    ]);
    let headers = prop::collection::vec((prop::sample::select(&HEADERS[..]), value()), 0..3);
    let labels = prop::collection::vec((prop::sample::select(&LABELS[..]), value()), 0..2);
    (
        prop::option::of(path_text()),
        rarely(text(prop::sample::select(&METHODS[..]).prop_map(Text::is))),
        rarely(grpc),
        prop::collection::vec((prop::sample::select(&["q", "r"][..]), value()), 0..2),
        rarely(text(prop::sample::select(&HOSTS[..]).prop_map(Text::is))),
        headers,
        labels,
    )
        .prop_map(|(path, method, grpc, query, host, headers, labels)| {
            let mut matcher = Matcher::new();
            matcher.path = path;
            matcher.method = method;
            matcher.host = host.map(Box::new);
            matcher.grpc = grpc.map(Box::new);
            for (name, text) in query {
                matcher = matcher.query(name, text);
            }
            for (name, text) in headers {
                matcher = matcher.header(HeaderName::from_static(name), text);
            }
            for (name, text) in labels {
                matcher = matcher.label(name, text);
            }
            matcher
        })
}

pub(super) fn facts() -> impl Strategy<Value = Facts> {
    let value = || prop::sample::select(&VALUES[..]);
    let headers = prop::collection::vec((prop::sample::select(&HEADERS[..]), value()), 0..24);
    let labels = prop::collection::vec((prop::sample::select(&LABELS[..]), value()), 0..3);
    let query = prop_oneof![Just(""), Just("?q=1&q=2&r=%31"), Just("?r=2&q=")];
    let method = prop::sample::select(&METHODS[..]);
    (
        path(),
        method,
        query,
        headers,
        labels,
        prop::bool::weighted(0.9),
    )
        .prop_map(|(path, method, query, headers, labels, is_http)| {
            let mut facts = Facts::get(&(path + query));
            for (name, value) in headers {
                facts = facts.header(name, value);
            }
            for (name, value) in labels {
                facts = facts.label(name, value);
            }
            facts.method = method.parse().unwrap();
            facts.is_http = is_http;
            facts
        })
}
