//! The index against a naive twin, which checks every matcher.

use std::sync::Arc;

use http::HeaderName;
use proptest::{prelude::*, sample::Index as Pick};

use super::*;
use crate::matcher::{
    compiled::CompiledMatcher,
    strategies::{Facts, facts, matcher},
    text::Text,
};

fn candidates(index: &Index, facts: &Facts, from: usize) -> Vec<usize> {
    let mut found = Found::new();
    index.find(&facts.call(), &mut found);
    found.skip_to(from);
    std::iter::from_fn(|| found.next().map(|position| position as usize)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Every matcher that matches is found, in order and once, from the given position on, and
    /// what is known to hold of a matcher holds.
    #[test]
    fn no_matcher_is_left_out(
        matchers in prop::collection::vec(matcher(), 0..=200),
        calls in prop::collection::vec(facts(), 1..8),
        from in any::<Pick>(),
    ) {
        let index = Index::of(matchers.iter());
        let compile = |matcher: &Matcher| CompiledMatcher::new(&Arc::new(matcher.clone()));
        let compiled: Vec<_> = matchers.iter().map(compile).collect();
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

            let known = index.find(&call, &mut Found::new());
            for position in asked.iter().copied() {
                let known = known.get(position).copied().unwrap_or(Known::NOTHING);
                let (compiled, matcher) = (&compiled[position], &matchers[position]);
                let (matches, expected) = (compiled.matches(&call, known), matcher.matches(&call));
                prop_assert_eq!(matches, expected, "{:?}: {:?} on {:?}", known, matcher, facts);
            }

            let from = from.index(matchers.len() + 2);
            let rest: Vec<_> = asked.iter().copied().filter(|at| *at >= from).collect();
            prop_assert_eq!(candidates(&index, facts, from), &*rest);
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

/// A call visits one of many rules that differ by one value, whatever else they share.
#[test]
fn one_of_ten_thousand_is_asked() {
    let user = || HeaderName::from_static("x-user");
    let any_of = |values: [String; 2]| Text::AnyOf(values.map(|v| Text::is(&v)).into());
    let id = |prefix: &str, n: usize| format!("{prefix}{n}");
    type Make = Box<dyn Fn(usize) -> Matcher>;
    let cases: [(&str, Make, Facts); 16] = [
        (
            "values of a query parameter",
            Box::new(move |n| Matcher::new().query("user", Text::is(&id("u", n)))),
            Facts::get("/?page=2&user=u77"),
        ),
        (
            "values of a query parameter on one route",
            Box::new(move |n| {
                let matcher = Matcher::new().path(Text::route("/v1/{id}").unwrap());
                matcher.query("user", Text::is(&id("u", n)))
            }),
            Facts::get("/v1/42?user=%7577"),
        ),
        (
            "hosts",
            Box::new(move |n| Matcher::new().host(Text::is(&id("h", n)))),
            Facts::get("/").header("host", "H77:8080"),
        ),
        (
            "a method, and values of a header",
            Box::new(move |n| {
                let matcher = Matcher::new().method("GET");
                matcher.header(user(), Text::is(&id("u", n)))
            }),
            Facts::get("/").header("x-user", "u77"),
        ),
        (
            "what paths begin with",
            Box::new(move |n| Matcher::new().path(Text::prefix(&id("/v1/p", 10_000 + n)))),
            Facts::get("/v1/p10077/42"),
        ),
        (
            "what gRPC methods begin with",
            Box::new(move |n| Matcher::new().grpc(Text::prefix(&format!("shop{n}.Orders/")))),
            Facts::get("/shop77.Orders/Place").header("content-type", "application/grpc"),
        ),
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

/// A call with more values than can be merged visits every matcher.
#[test]
fn a_call_that_meets_too_many_buckets_visits_every_matcher() {
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
fn only_needed_dimensions_are_looked_up() {
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

    // Four matchers are checked as quickly as one of them is looked up.
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
        let mut found = Found::new();
        index.find(&call, &mut found);
        assert_eq!((found.next(), found.next()), (Some(77), Some(5000)));
    });
    assert_eq!(info.count_total, 0);
}
