//! Longer reading: how to use the crate for one purpose or another.

#[cfg(all(feature = "tokio", feature = "serde"))]
#[doc = include_str!("../docs/in_your_tests.md")]
pub mod in_your_tests {}
