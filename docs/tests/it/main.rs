//! The tests that the README and the book print.
#![allow(
    dead_code,
    unused_imports,
    reason = "a block shows a program, and its tests run a part of it"
)]

include!(concat!(env!("OUT_DIR"), "/tests.rs"));
