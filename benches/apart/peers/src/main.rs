//! Measures this library and its peers in one run, under the harness of the table of costs.
//!
//! A case is called `WHO: TABLE, WHAT`, from which `cargo xtask costs` makes the tables of the book.
#![forbid(unsafe_code)]

mod async_points;
mod layers;
mod points;
mod routers;
mod threads;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut cases = points::cases();
    cases.extend(async_points::cases());
    cases.extend(layers::cases());
    cases.extend(routers::cases());
    let is_written = std::env::args().any(|argument| argument == "--write");
    benches::run(std::env::args().skip(1), &cases, "peers.json", || {
        threads::measure(is_written);
    })
}
