//! The index against a naive twin, which asks every matcher.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use proptest::{prelude::*, sample::Index as Pick};

use super::*;
use crate::matcher::text::Text;

/// What a call borrows.
#[derive(Debug)]
struct Facts {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    labels: Vec<(&'static str, Cow<'static, str>)>,
    is_http: bool,
}

impl Facts {
    fn get(path: &str) -> Self {
        Self {
            method: Method::GET,
            uri: path.parse().unwrap(),
            headers: HeaderMap::new(),
            labels: Vec::new(),
            is_http: true,
        }
    }

    fn header(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_str(value).unwrap();
        self.headers.append(HeaderName::from_static(name), value);
        self
    }

    fn label(mut self, name: &'static str, value: &str) -> Self {
        self.labels.push((name, Cow::Owned(value.to_owned())));
        self
    }

    fn call(&self) -> Call<'_> {
        let call = match self.is_http {
            true => Call::http(&self.method, &self.uri, &self.headers),
            false => Call::new(),
        };
        call.labels(&self.labels)
    }
}

fn candidates(index: &Index, facts: &Facts, from: usize) -> Vec<usize> {
    let mut asked = Vec::new();
    let end = index.candidates(&facts.call(), from, |position| {
        asked.push(position);
        ControlFlow::<()>::Continue(())
    });
    assert_eq!(end, ControlFlow::Continue(()));
    asked
}

const HEADERS: [&str; 6] = ["x-a", "x-b", "x-c", "x-d", "x-e", "content-type"];
const LABELS: [&str; 3] = ["table", "shard", "tenant"];
const VALUES: [&str; 5] = ["", "1", "2", "a/b", "application/grpc"];

fn path() -> impl Strategy<Value = String> {
    "(/(a|b|ab|\\{\\}|\\{|\\})?){1,5}"
}

/// Routes as people write them: parameters, a rest, escapes.
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
    prop::option::weighted(0.1, strategy)
}

fn matcher() -> impl Strategy<Value = Matcher> {
    let grpc = text(prop_oneof![
        path().prop_map(|path| Text::is(&path[1..])),
        route(),
    ]);
    let headers = prop::collection::vec((prop::sample::select(&HEADERS[..]), value()), 0..3);
    let labels = prop::collection::vec((prop::sample::select(&LABELS[..]), value()), 0..2);
    (
        prop::option::of(path_text()),
        rarely(prop_oneof![Just("GET"), Just("PUT")]),
        rarely(grpc),
        rarely(value()),
        headers,
        labels,
    )
        .prop_map(|(path, method, grpc, query, headers, labels)| {
            let mut matcher = Matcher::new();
            matcher.path = path;
            matcher.method = method.map(Text::is);
            matcher.grpc = grpc;
            if let Some(query) = query {
                matcher = matcher.query("q", query);
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

fn facts() -> impl Strategy<Value = Facts> {
    let value = || prop::sample::select(&VALUES[..]);
    let headers = prop::collection::vec((prop::sample::select(&HEADERS[..]), value()), 0..24);
    let labels = prop::collection::vec((prop::sample::select(&LABELS[..]), value()), 0..3);
    let query = prop_oneof![Just(""), Just("?q=1&q=2"), Just("?q=")];
    (path(), query, headers, labels, prop::bool::weighted(0.9)).prop_map(
        |(path, query, headers, labels, is_http)| {
            let mut facts = Facts::get(&(path + query));
            for (name, value) in headers {
                facts = facts.header(name, value);
            }
            for (name, value) in labels {
                facts = facts.label(name, value);
            }
            facts.is_http = is_http;
            facts
        },
    )
}

proptest! {
    /// Who matches is asked, in order, once; from where it is told, and until it is told.
    #[test]
    fn nobody_is_left_out(
        matchers in prop::collection::vec(matcher(), 0..60),
        calls in prop::collection::vec(facts(), 1..8),
        from in any::<Pick>(),
        stop in any::<Pick>(),
    ) {
        let index = Index::of(matchers.iter());
        for facts in &calls {
            let asked = candidates(&index, facts, 0);
            prop_assert!(asked.is_sorted_by(|a, b| a < b), "{:?}", asked);
            prop_assert!(asked.iter().all(|position| *position < matchers.len()));
            let call = facts.call();
            for (position, matcher) in matchers.iter().enumerate() {
                if matcher.matches(&call) {
                    prop_assert!(asked.contains(&position), "{}: {:?}", position, matcher);
                }
            }

            let from = from.index(matchers.len() + 2);
            let rest: Vec<_> = asked.iter().copied().filter(|at| *at >= from).collect();
            prop_assert_eq!(candidates(&index, facts, from), &*rest);

            if !asked.is_empty() {
                let stop = stop.index(asked.len());
                let mut before = Vec::new();
                let end = index.candidates(&call, 0, |position| {
                    before.push(position);
                    match position == asked[stop] {
                        true => ControlFlow::Break(position),
                        false => ControlFlow::Continue(()),
                    }
                });
                prop_assert_eq!(end, ControlFlow::Break(asked[stop]));
                prop_assert_eq!(&before[..], &asked[..=stop]);
            }
        }
    }
}

const MANY: usize = 10_000;

/// Ten thousand matchers, and one in the middle that takes every call.
fn many(make: impl Fn(usize) -> Matcher) -> Vec<Matcher> {
    let mut matchers: Vec<_> = (0..MANY).map(make).collect();
    matchers[MANY / 2] = Matcher::new();
    matchers
}

/// A call asks one of many rules that differ by one value, whatever else they share.
#[test]
fn one_of_ten_thousand_is_asked() {
    let user = || HeaderName::from_static("x-user");
    let any_of = |values: [String; 2]| Text::AnyOf(values.map(|v| Text::is(&v)).into());
    let id = |prefix: &str, n: usize| format!("{prefix}{n}");
    type Make = Box<dyn Fn(usize) -> Matcher>;
    let cases: [(&str, Make, Facts); 10] = [
        (
            "paths",
            Box::new(move |n| Matcher::new().path(Text::is(&id("/p", n)))),
            Facts::get("/p77"),
        ),
        (
            "routes without parameters",
            Box::new(move |n| Matcher::new().path(Text::route(&id("/v1/p", n)).unwrap())),
            Facts::get("/v1/p77"),
        ),
        (
            "routes with a parameter",
            Box::new(move |n| {
                let route = format!("/v1/p{n}/{{id}}/items");
                Matcher::new().path(Text::route(&route).unwrap())
            }),
            Facts::get("/v1/p77/42/items"),
        ),
        (
            "several paths each",
            Box::new(move |n| Matcher::new().path(any_of([id("/a", n), id("/b", n)]))),
            Facts::get("/b77"),
        ),
        (
            "gRPC methods",
            Box::new(move |n| Matcher::new().grpc(Text::is(&id("shop.Orders/Place", n)))),
            Facts::get("/shop.Orders/Place77").header("content-type", "application/grpc"),
        ),
        (
            "values of a header",
            Box::new(move |n| Matcher::new().header(user(), Text::is(&id("u", n)))),
            Facts::get("/").header("x-user", "u77"),
        ),
        (
            "values of a label",
            Box::new(move |n| Matcher::new().label("table", Text::is(&id("t", n)))),
            Facts::get("/").label("table", "t77"),
        ),
        (
            "values of a header on one path",
            Box::new(move |n| {
                let matcher = Matcher::new().path(Text::route("/v1/{id}").unwrap());
                matcher.header(user(), Text::is(&id("u", n)))
            }),
            Facts::get("/v1/42").header("x-user", "u77"),
        ),
        (
            "values of a label, and a header that is always the same",
            Box::new(move |n| {
                let matcher = Matcher::new().header(user(), Text::is("qa"));
                matcher.label("table", Text::is(&id("t", n)))
            }),
            Facts::get("/").header("x-user", "qa").label("table", "t77"),
        ),
        (
            "some by path, some by header, some by label",
            Box::new(move |n| match n % 3 {
                0 => Matcher::new().path(Text::is(&id("/p", n))),
                1 => Matcher::new().header(user(), Text::is(&id("u", n))),
                _ => Matcher::new().label("table", Text::is(&id("t", n))),
            }),
            Facts::get("/").label("table", "t77"),
        ),
    ];
    for (name, make, facts) in cases {
        let matchers = many(make);
        let index = Index::of(matchers.iter());
        assert!(matchers[77].matches(&facts.call()), "{name}");
        assert_eq!(candidates(&index, &facts, 0), [77, MANY / 2], "{name}");
        assert_eq!(candidates(&index, &facts, 78), [MANY / 2], "{name}");
        let other = Facts::get("/nobody/is/here").header("x-user", "nobody");
        assert_eq!(candidates(&index, &other, 0), [MANY / 2], "{name}");
    }
}

/// What no call may bring too much of: then everybody is asked.
#[test]
fn a_call_that_meets_too_many_buckets_asks_everybody() {
    let user = HeaderName::from_static("x-user");
    let matchers: Vec<_> = (0..100)
        .map(|n: u32| Matcher::new().header(user.clone(), Text::is(&n.to_string())))
        .collect();
    let index = Index::of(matchers.iter());
    let of = |values: std::ops::Range<u32>| {
        values.fold(Facts::get("/"), |facts, n| {
            facts.header("x-user", &n.to_string())
        })
    };
    assert_eq!(candidates(&index, &of(3..19), 0).len(), 16);
    assert_eq!(candidates(&index, &of(3..20), 0).len(), 100);
    assert_eq!(candidates(&index, &of(3..20), 90).len(), 10);
}

#[test]
fn what_is_looked_up_is_what_somebody_needs() {
    let header = |name| HeaderName::from_static(name);
    let both = |n: usize| {
        let matcher = Matcher::new().path(Text::is(&format!("/p{n}")));
        matcher.header(header("x-user"), Text::is(&format!("u{n}")))
    };
    let matchers: Vec<_> = (0..100).map(both).collect();
    let index = Index::of(matchers.iter());
    assert!(index.paths.is_some() && index.dimensions.is_empty());

    let same_path: Vec<_> = matchers
        .into_iter()
        .map(|m| m.path(Text::is("/")))
        .collect();
    let index = Index::of(same_path.iter());
    assert!(index.paths.is_none());
    assert_eq!(index.dimensions.len(), 1);

    // Four are asked as quickly as one of them is found.
    let index = Index::of(same_path[..4].iter());
    assert!(index.paths.is_none() && index.dimensions.is_empty());
    assert_eq!(index.always, [0, 1, 2, 3]);
}

#[test]
fn candidates_allocate_nothing() {
    let matchers = many(|n| Matcher::new().path(Text::route(&format!("/p{n}/{{id}}")).unwrap()));
    let index = Index::of(matchers.iter());
    let facts = Facts::get("/p77/42");
    let call = facts.call();
    let info = allocation_counter::measure(|| {
        let first = index.candidates(&call, 0, ControlFlow::Break);
        assert_eq!(first, ControlFlow::Break(77));
    });
    assert_eq!(info.count_total, 0);
}
