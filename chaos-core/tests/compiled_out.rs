//! With the feature `compile-out` nothing is armed, whatever the rules say; without it, something is.
//! A program of its own, as it is built with that feature, too.

use chaos_core::{COMPILED_OUT, Fault, Injected, Injector, Rule, global, inject, site};

#[test]
fn a_site_that_is_compiled_out_is_never_armed_and_not_listed() {
    let injector = Injector::new();
    let rule = || {
        Rule::new(
            "r".parse().unwrap(),
            "out".parse().unwrap(),
            Fault::error("x"),
        )
    };
    injector.put(rule());
    global().put(rule());
    assert_eq!(inject!("out").is_ok(), COMPILED_OUT);
    assert_eq!(
        inject!(injector: injector, "out", id = %7).is_ok(),
        COMPILED_OUT
    );
    assert_eq!(injector.site("out").is_armed(), !COMPILED_OUT);
    let decided = injector.site("out").decide(&chaos_core::Call::new());
    assert_eq!(decided.is_none(), COMPILED_OUT);
    let listed = global().sites().iter().any(|site| site.name() == "out");
    assert_eq!(listed, !COMPILED_OUT);
}

#[site("out.attribute", id = %id)]
fn attribute(id: u64) -> Result<u64, Injected> {
    Ok(id)
}

#[test]
fn nor_is_a_function_with_the_attribute() {
    global().put(Rule::new(
        "f".parse().unwrap(),
        "out.attribute".parse().unwrap(),
        Fault::error("x"),
    ));
    assert_eq!(attribute(7).is_ok(), COMPILED_OUT);
}

#[tokio::test]
async fn nor_is_an_async_one() {
    global().put(Rule::new(
        "a".parse().unwrap(),
        "out.async".parse().unwrap(),
        Fault::error("x"),
    ));
    assert_eq!(
        chaos_core::inject_async!("out.async").await.is_ok(),
        COMPILED_OUT
    );
}
