//! Idle costs no allocation, futures keep their size, and a rule takes a bounded number of bytes. A program of its
//! own, with an allocator that counts. Instructions are the bench's to check.

use std::{
    mem::{size_of, size_of_val},
    num::{NonZeroU32, NonZeroU64},
};

use chaos_core::{
    Call, Fault, Injected, Injector, Matcher, Policy, Rate, Rule, Text, Trigger, wire,
};
use chaos_core::{inject, inject_async, site};
use http::{HeaderMap, HeaderName, Method, Uri};
use serde_json::json;

fn allocations(work: impl FnOnce()) -> u64 {
    allocation_counter::measure(work).count_total
}

#[test]
fn an_idle_site_allocates_nothing() {
    let pass = |id: u64| inject!("idle.sync", table = "orders", id = %id);
    pass(0).unwrap(); // registers
    assert_eq!(allocations(|| pass(1).unwrap()), 0);
}

#[test]
fn an_idle_async_site_allocates_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let pass = async |id: u64| inject_async!("idle.async", table = "orders", id = %id).await;
    runtime.block_on(async {
        pass(0).await.unwrap(); // registers
        let counts = allocation_counter::measure(|| {
            ready(pass(1)).unwrap();
        });
        assert_eq!(counts.count_total, 0);
    });
}

#[site("idle.attribute", id = %id)]
async fn attribute(id: u64) -> Result<u64, Injected> {
    std::future::ready(()).await;
    Ok(id)
}

#[test]
fn an_idle_function_with_the_attribute_allocates_nothing() {
    ready(attribute(0)).unwrap(); // registers
    assert_eq!(allocations(|| drop(ready(attribute(1)))), 0);
}

/// Polls once; an idle pass is ready at once.
fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut cx) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("an idle pass waits for nothing"),
    }
}

#[test]
fn an_armed_site_that_does_not_fire_allocates_nothing() {
    let injector = Injector::new();
    let site = injector.site("idle.armed");
    let never = Trigger::new().rate(Rate::new(0.0).unwrap());
    let tenant = HeaderName::from_static("x-tenant");
    let matcher = Matcher::new()
        .method(Text::is("GET"))
        .path(Text::route("/products/{id}").unwrap())
        .header(tenant.clone(), Text::is("acme"));
    let fault = Fault::error("never");
    let rule = Rule::new("r".parse().unwrap(), "idle.armed".parse().unwrap(), fault);
    injector.put(rule.matching(matcher).trigger(never));

    let uri: Uri = "/products/7".parse().unwrap();
    let mut headers = HeaderMap::new();
    headers.insert(tenant, "acme".parse().unwrap());
    let call = Call::http(&Method::GET, &uri, &headers);
    assert!(site.decide(&call).is_none()); // makes the stripes of its counts
    assert_eq!(allocations(|| assert!(site.decide(&call).is_none())), 0);
    assert_eq!(injector.counts("r").unwrap().matched, 2);
}

#[test]
fn a_watched_call_allocates_nothing() {
    let injector = Injector::new();
    let site = injector.site("idle.watched");
    let uri: Uri = "/products/7".parse().unwrap();
    let headers = HeaderMap::new();
    let call = Call::http(&Method::GET, &uri, &headers);
    let mut watch = injector.watch(["idle.*".parse().unwrap()]);
    let pass = || {
        assert!(site.decide(&call).is_none());
        site.measure(&call, None).unwrap().end(false);
    };
    // Makes the histogram of this thread, and what the thread keeps.
    (0..10).for_each(|_| pass());
    assert_eq!(allocations(|| (0..1000).for_each(|_| pass())), 0);
    assert_eq!(watch.take()[0].alone.calls, 1010);
}

/// Each call cost two allocations: the dice of the hit, and the exemptions of a site that has set none.
#[test]
fn a_rule_that_is_used_up_allocates_nothing() {
    let headers = HeaderMap::from_iter([(
        HeaderName::from_static("x-user-id"),
        "carol".parse().unwrap(),
    )]);
    let uri: Uri = "/products/7?user=carol".parse().unwrap();
    let call = Call::http(&Method::GET, &uri, &headers);
    let once = || Trigger::new().limit(NonZeroU64::MIN);
    let three = NonZeroU64::new(3).unwrap();
    for (what, trigger) in [
        ("by chance", once()),
        ("a rate", once().rate(Rate::new(0.999_999_999).unwrap())),
        ("a seed", once().seed(7)),
        ("numbered", once().skip(1).every(three)),
        ("a header", once().key("header:x-user-id".parse().unwrap())),
        ("a parameter", once().key("query:user".parse().unwrap())),
        ("one at a time", Trigger::new().max_active(NonZeroU32::MIN)),
    ] {
        let injector = Injector::new();
        let site = injector.site("idle.used_up");
        let fault = Fault::error("once");
        let rule = Rule::new("r".parse().unwrap(), "idle.used_up".parse().unwrap(), fault);
        injector.put(rule.trigger(trigger));
        // The one injection is under way, and the calls behind it are spared.
        let mut begun = None;
        while begun.is_none() {
            begun = site.decide(&call);
        }
        let decide = || assert!(site.decide(&call).is_none());
        (0..6).for_each(|_| decide()); // makes the counts of what was spared
        let allocated = allocations(|| (0..6).for_each(|_| decide()));
        assert_eq!(allocated, 0, "{what}");
        let spared = injector.counts("r").unwrap().overflow.total();
        assert!(spared >= 3, "{what}: {spared}");
    }
}

#[test]
fn sizes_are_pinned() {
    async fn without(id: u64) -> Result<u64, Injected> {
        std::future::ready(()).await;
        Ok(id)
    }
    async fn with(id: u64) -> Result<u64, Injected> {
        inject_async!("idle.size", id = %id).await?;
        std::future::ready(()).await;
        Ok(id)
    }
    assert!(size_of_val(&with(1)) <= size_of_val(&without(1)) + 8);
    assert_eq!(size_of::<Injected>(), 8);
    assert_eq!(size_of::<Result<(), Injected>>(), 8);
}

/// A rule took 3,400 bytes. The policy and the audit bound rules by what they take here.
#[test]
fn a_rule_takes_a_kilobyte_beyond_its_texts() {
    const RULES: usize = 5_000;
    let rule = |n: usize| {
        let path = format!("/products/{n}");
        let faults = json!([{ "latency": "200ms..500ms" }, { "status": 503 }]);
        let (id, calls) = (
            format!("rule-{n}"),
            json!({ "method": "GET", "path": path }),
        );
        json!({ "id": id, "site": "many.rules", "match": calls, "rate": 0.05, "faults": faults })
    };
    let rules: Vec<_> = (0..RULES).map(rule).collect();
    let text =
        |rule: &serde_json::Value, field| rule.pointer(field).unwrap().as_str().unwrap().len();
    let texts = rules
        .iter()
        .flat_map(|rule| ["/id", "/site", "/match/path"].map(|it| text(rule, it)));
    let texts: usize = texts.sum();
    let json = json!({ "rules": rules }).to_string();
    let injector = Injector::new();
    injector.set_policy(Policy::new().max_rules(RULES as u64));
    let _ = injector.site("many.rules");
    let counted = allocation_counter::measure(|| {
        let rules = wire::rules_from_json(json.as_bytes()).unwrap();
        injector.replace(rules).unwrap();
    });
    let beyond = usize::try_from(counted.bytes_current).unwrap() - texts;
    assert!(beyond <= 1024 * RULES, "{} bytes a rule", beyond / RULES);
    assert!(injector.clear() > 0);
}
