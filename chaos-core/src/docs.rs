//! Guides to one purpose each: how injections are observed, and how tests use the crate.

#[doc = include_str!("../docs/being_seen.md")]
pub mod being_seen {}

#[cfg(all(feature = "tokio", feature = "serde", feature = "window"))]
#[doc = include_str!("../docs/in_your_tests.md")]
pub mod in_your_tests {}
