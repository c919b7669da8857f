//! Many rules on one site, and rules in overlays.

use chaos_core::{Injector, Matcher, Overlay, Rate, Rule, Text, Trigger};
use http::{Request, Uri};

use crate::{
    case::Case,
    cases::http::{BARE, BARE_HEADERS, IDLE, SITE, TENANT, bare, layered, request, with_headers},
    rules::{matching, never_firing},
};

const BY_PATH: &str = "layer, 10 rules by path";
const BY_ROUTE: &str = "layer, 10 rules by route";
const BY_HEADER: &str = "layer, 10 rules by header";
const BARE_QUERY: &str = "http service, a query";
const BY_QUERY: &str = "layer, 10 rules by query";
const BY_HOST: &str = "layer, 10 rules by host";

pub(super) fn cases() -> Vec<Case> {
    if chaos_core::COMPILED_OUT {
        return Vec::new();
    }
    let cases = [
        Case::new(BY_PATH, || layered(request, |i| arm(i, 10, by_path)))
            .over(BARE)
            .at_most(500)
            .not_met_yet(),
        Case::new("layer, 10,000 rules by path", || {
            layered(request, |i| arm(i, 10_000, by_path))
        })
        .over(BARE)
        .at_most_twice(BY_PATH),
        Case::new(BY_ROUTE, || layered(request, |i| arm(i, 10, by_route))).over(BARE),
        Case::new("layer, 10,000 rules by route", || {
            layered(request, |i| arm(i, 10_000, by_route))
        })
        .over(BARE)
        .at_most_twice(BY_ROUTE),
        Case::new(BY_HEADER, || {
            layered(with_headers, |i| arm(i, 10, by_header))
        })
        .over(BARE_HEADERS)
        .at_most(700)
        .not_met_yet(),
        Case::new("layer, 10,000 rules by header", || {
            layered(with_headers, |i| arm(i, 10_000, by_header))
        })
        .over(BARE_HEADERS)
        .at_most_twice(BY_HEADER),
        Case::new(BARE_QUERY, || bare(with_query)),
        Case::new(BY_QUERY, || layered(with_query, |i| arm(i, 10, by_query)))
            .over(BARE_QUERY)
            .at_most(800)
            .not_met_yet(),
        Case::new("layer, 10,000 rules by query", || {
            layered(with_query, |i| arm(i, 10_000, by_query))
        })
        .over(BARE_QUERY)
        .at_most_twice(BY_QUERY),
        Case::new(BY_HOST, || layered(with_headers, |i| arm(i, 10, by_host)))
            .over(BARE_HEADERS)
            .at_most(600)
            .not_met_yet(),
        Case::new("layer, 10,000 rules by host", || {
            layered(with_headers, |i| arm(i, 10_000, by_host))
        })
        .over(BARE_HEADERS)
        .at_most_twice(BY_HOST),
        Case::new("layer, one rule with a key, does not fire", || {
            layered(with_headers, |injector| {
                let key = "header:x-tenant".parse().expect("a key");
                let rate = Rate::new(1e-18).expect("a share");
                let keyed = Trigger::new().key(key).rate(rate);
                injector.put(never_firing("never", SITE).trigger(keyed));
            })
        })
        .over(BARE_HEADERS)
        .at_most(600)
        .not_met_yet(),
        Case::new("layer, one rule with a seed, does not fire", || {
            layered(request, |injector| {
                let rate = Rate::new(1e-18).expect("a share");
                let seeded = Trigger::new().seed(42).rate(rate);
                injector.put(never_firing("never", SITE).trigger(seeded));
            })
        })
        .over(BARE)
        .at_most(450),
        Case::new("layer, an overlay elsewhere", || {
            layered(request, |injector| overlaid(injector, "elsewhere.1"))
        })
        .over(BARE)
        .same_as(IDLE),
        // The site must check whether the call is in the overlay.
        Case::new("layer, an overlay here, and a call outside", || {
            layered(request, |injector| overlaid(injector, SITE))
        })
        .over(BARE)
        .at_most(292)
        .not_met_yet(),
    ];
    cases.into_iter().map(|case| case.calls(20_000)).collect()
}

/// Arms `count` rules, one of which matches the request of the bench.
pub(crate) fn arm(injector: &Injector, count: usize, matcher: fn(usize) -> Matcher) {
    let rule = |n| matching(&format!("rule-{n}"), SITE, matcher(n));
    let rules: Vec<Rule> = (0..count).map(rule).collect();
    injector.replace(rules).expect("the ids differ");
}

pub(crate) fn by_path(n: usize) -> Matcher {
    Matcher::new().path(Text::route(&format!("/products/{n}")).expect("a route"))
}

fn by_route(n: usize) -> Matcher {
    let path = match n {
        7 => "/products/{id}".to_owned(),
        n => format!("/p{n}/{{id}}"),
    };
    Matcher::new().path(Text::route(&path).expect("a route"))
}

pub(crate) fn by_header(n: usize) -> Matcher {
    let tenant = match n {
        7 => "acme".to_owned(),
        n => format!("tenant-{n}"),
    };
    Matcher::new().header(TENANT, Text::is(&tenant))
}

fn by_query(n: usize) -> Matcher {
    let user = match n {
        7 => "acme".to_owned(),
        n => format!("user-{n}"),
    };
    Matcher::new().query("user", Text::is(&user))
}

fn by_host(n: usize) -> Matcher {
    let host = match n {
        7 => "shop.example".to_owned(),
        n => format!("shop-{n}.example"),
    };
    Matcher::new().host(Text::is(&host))
}

fn with_query() -> Request<()> {
    let mut request = request();
    *request.uri_mut() = Uri::from_static("/products/7?page=2&user=acme");
    request
}

/// Opens an overlay with a rule on `site`, for as long as the process lives.
fn overlaid(injector: &Injector, site: &str) {
    let overlay = Overlay::new(injector);
    overlay.put(never_firing("never", site));
    std::mem::forget(overlay);
}
