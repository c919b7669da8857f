//! The table of what the library costs; see the crate's front page.

use std::process::ExitCode;

fn main() -> ExitCode {
    benches::main(std::env::args().skip(1))
}
