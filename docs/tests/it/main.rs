//! The tests that the README and the book print.
#![allow(
    clippy::all,
    dead_code,
    unused_imports,
    reason = "a block shows a program and not a module, and its tests run a part of it"
)]

include!(concat!(env!("OUT_DIR"), "/tests.rs"));

/// The printed tests, with a slip in the name of the site of each rule.
mod slips {
    include!(concat!(env!("OUT_DIR"), "/slips.rs"));
}

/// Four of six failed by an assertion that says nothing of the site.
#[test]
fn a_printed_test_with_a_slip_says_so() {
    let slips = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["slips::", "--ignored"])
        .output()
        .unwrap();
    let output = String::from_utf8(slips.stdout).unwrap();
    assert!(!slips.status.success(), "{output}");
    // `---- slips::tests_1::a_slow_price_is_given_up stdout ----`, and what the test has written.
    let failed: Vec<_> = output.split("---- slips::").skip(1).collect();
    for test in &failed {
        assert!(test.contains("; there is no such site, only: "), "{test}");
        let (_, after) = test.split_once("the rule ").unwrap();
        let (slip, nearest) = after.split_once("; there is no such site, only: ").unwrap();
        let meant = nearest.split([',', '\n']).next().unwrap();
        assert!(
            slip.contains(&format!(" at {meant}x has hit 0 calls")),
            "{test}"
        );
    }
    // Each of the pages has some.
    for page in ["readme_", "tests_", "tutorial_"] {
        let has_failed = failed.iter().any(|test| test.starts_with(page));
        assert!(has_failed, "{page}: {output}");
    }
    assert!(failed.len() >= 7, "{output}");
}
