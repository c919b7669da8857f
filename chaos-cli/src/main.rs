//! `chaosctl`, the command line of chaos-http-admin.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    chaos_cli::main()
}
