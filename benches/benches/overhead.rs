//! Prints the table of the library's costs; see the front page of the crate `benches`.

use std::process::ExitCode;

fn main() -> ExitCode {
    benches::main(std::env::args().skip(1))
}
