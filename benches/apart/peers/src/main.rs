//! Measures this library and its peers in one run, under the harness of the table of costs.
//!
//! A case is called `WHO: TABLE, WHAT`, from which `cargo xtask costs` makes the tables of the book.
#![forbid(unsafe_code)]

mod layers;
mod points;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut cases = points::cases();
    cases.extend(layers::cases());
    benches::run(std::env::args().skip(1), &cases, "peers.json", || {})
}
