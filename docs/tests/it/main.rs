//! The tests that the README and the book print.
#![allow(
    clippy::all,
    dead_code,
    unused_imports,
    reason = "a block shows a program and not a module, and its tests run a part of it"
)]

include!(concat!(env!("OUT_DIR"), "/tests.rs"));
