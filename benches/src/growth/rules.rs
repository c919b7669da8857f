//! What a layer adds to a call, by the number of rules at its site. One rule matches and does not fire, unless all
//! match.

use chaos_core::{Matcher, Rate, Rule, Text, Trigger};
use http::{Request, Uri};

use crate::{
    case::Run,
    cases::http::{SITE, TENANT, calls_of, calls_of_layer, with_headers},
    clock::elapsed,
    edits::{cpu, many},
    growth::{Effort, Line, Point},
    rules::{matching, never_firing},
    service::{Plain, opaque},
};

/// The name of a line, and its rule of a number.
type Kind = (&'static str, fn(usize) -> Rule);

/// A call dearer than this is the last of its line: the next takes ten times as long.
const DEAR: f64 = 500_000.0;

/// Rules that take longer than this to be put in force are the last of their line.
const SLOW: std::time::Duration = std::time::Duration::from_secs(5);

pub(super) fn by_path_and_method(effort: Effort) -> Vec<Point> {
    let kinds: [Kind; 5] = [
        ("path", |n| {
            let path = pick(n, "/products/7", |n| format!("/p{n}/7"));
            by(n, Matcher::new().path(route(&path)))
        }),
        ("route", |n| {
            let path = pick(n, "/products/{id}", |n| format!("/p{n}/{{id}}"));
            by(n, Matcher::new().path(route(&path)))
        }),
        ("prefix", |n| {
            let path = pick(n, "/products/", |n| format!("/p{n}/"));
            by(n, Matcher::new().path(Text::prefix(&path)))
        }),
        ("regex", |n| {
            let path = pick(n, "^/products/[0-9]+$", |n| format!("^/p{n}/[0-9]+$"));
            let path = Text::regex(&path).expect("a regular expression");
            by(n, Matcher::new().path(path))
        }),
        ("method", |n| {
            let method = pick(n, "GET", |n| format!("M{n}"));
            by(n, Matcher::new().method(Text::is(&method)))
        }),
    ];
    lines("rules by path and method", &kinds, effort)
}

pub(super) fn by_other_conditions(effort: Effort) -> Vec<Point> {
    let kinds: [Kind; 5] = [
        ("header", |n| {
            by(n, Matcher::new().header(TENANT, Text::is(&tenant(n))))
        }),
        ("query", |n| {
            by(n, Matcher::new().query("tenant", Text::is(&tenant(n))))
        }),
        ("host", |n| {
            let host = pick(n, "shop.example", |n| format!("shop-{n}.example"));
            by(n, Matcher::new().host(Text::is(&host)))
        }),
        ("keyed", |n| {
            let key = "header:x-tenant".parse().expect("a key");
            let rate = Rate::new(1e-18).expect("a share");
            let keyed = Trigger::new().key(key).rate(rate);
            never_firing(&id(n), SITE).trigger(keyed)
        }),
        ("none", |n| never_firing(&id(n), SITE)),
    ];
    lines("rules by other conditions", &kinds, effort)
}

fn id(n: usize) -> String {
    format!("rule-{n}")
}

/// Returns what the call has for the first rule, and another text for each of the others.
fn pick(n: usize, matching: &str, other: fn(usize) -> String) -> String {
    match n {
        0 => matching.to_owned(),
        n => other(n),
    }
}

fn tenant(n: usize) -> String {
    pick(n, "acme", |n| format!("tenant-{n}"))
}

fn route(path: &str) -> Text {
    Text::route(path).expect("a route")
}

fn by(n: usize, matcher: Matcher) -> Rule {
    matching(&id(n), SITE, matcher)
}

fn request() -> Request<()> {
    let mut request = with_headers();
    *request.uri_mut() = Uri::from_static("/products/7?tenant=acme");
    request
}

fn lines(picture: &'static str, kinds: &[Kind], effort: Effort) -> Vec<Point> {
    let mut points = Vec::new();
    let mut base = calls_of(opaque(Plain), request);
    for &(series, rule) in kinds {
        let line = Line { picture, series };
        for count in effort.powers_of_ten(100_000) {
            let injector = many::roomy();
            let mut run = calls_of_layer(&injector, request);
            let rules = (0..count).map(rule).collect();
            // The default policy allows about a hundred expressions.
            injector.set_policy(injector.policy().max_expressions(1 << 30));
            let armed = elapsed(|| {
                injector.replace(rules).expect("the ids differ");
            });
            let point = line.point(count, added(&mut run, &mut base, effort.rounds * 2));
            let is_last = point.y > DEAR || armed > SLOW;
            points.push(point);
            if is_last {
                break;
            }
        }
    }
    points
}

/// Returns what a call of `run` takes beyond one of `base`, in nanoseconds of processor time, for each round.
fn added(run: &mut Run, base: &mut Run, rounds: usize) -> Vec<f64> {
    let mut calls = 1;
    while elapsed(|| run(calls)).as_micros() < 200 {
        calls *= 2;
    }
    let of = |run: &mut Run| cpu::spent(|| run(calls)).0.as_nanos() as f64 / calls as f64;
    (0..rounds).map(|_| of(run) - of(base)).collect()
}
