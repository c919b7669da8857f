#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, clippy::all, clippy::pedantic)]
//! A crate that forbids unsafe code and denies every warning.

use chaos_core::inject;

fn main() -> Result<(), chaos_core::Injected> {
    inject!("ui.strict", table = "orders")
}
