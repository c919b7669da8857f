//! `cargo xtask RECIPE…` runs the recipes of this repository. CI runs the same ones.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stderr,
    reason = "prints its help and the lines that it runs"
)]

use std::process::{Command, ExitCode};

/// The recipes: each has a name, a purpose and its command lines. The help is made from this table.
const RECIPES: &[(&str, &str, &[&str])] = &[
    (
        "check",
        "checks formatting, clippy and rustdoc; warnings are errors",
        &[
            "cargo fmt --all -- --check",
            "cargo clippy --workspace --all-targets -- -D warnings",
            "RUSTDOCFLAGS=-Dwarnings cargo doc --workspace --no-deps",
        ],
    ),
    (
        "features",
        "checks the crates with each set of features, and tests the guarantees of compile-out",
        &[
            "cargo clippy -p chaos-core --no-default-features -- -D warnings",
            "cargo clippy -p chaos-core --no-default-features --features serde -- -D warnings",
            "cargo clippy -p chaos-core --features serde -- -D warnings",
            "cargo clippy -p chaos-core --features macros -- -D warnings",
            "cargo clippy -p chaos-core --no-default-features --features token -- -D warnings",
            "cargo clippy -p chaos-core --no-default-features --features window -- -D warnings",
            "cargo clippy -p chaos-tower -- -D warnings",
            "cargo clippy -p chaos-tower --no-default-features -- -D warnings",
            "cargo clippy -p chaos-tower --no-default-features --features tonic -- -D warnings",
            "cargo clippy -p chaos-tower --features client,reqwest,reset,tonic -- -D warnings",
            "cargo clippy -p chaos-tower --features compile-out -- -D warnings",
            "cargo clippy -p chaos-http-admin -- -D warnings",
            "cargo clippy -p chaos-http-admin --features webhooks -- -D warnings",
            "cargo clippy -p chaos-sources --no-default-features -- -D warnings",
            "cargo clippy -p chaos-sources --no-default-features --features toml -- -D warnings",
            "cargo clippy -p chaos-sources --no-default-features --features yaml -- -D warnings",
            "cargo clippy -p chaos-http-admin --features metrics -- -D warnings",
            "cargo clippy -p chaos-http-admin --features tls -- -D warnings",
            "cargo test -p chaos-core --no-default-features --test no_tokio",
            "cargo test -p chaos-core --features compile-out --test compiled_out",
            "cargo test -p chaos-tower --features compile-out --test compiled_out",
        ],
    ),
    (
        "test",
        "runs all tests that need no external program",
        &["cargo test --workspace"],
    ),
    (
        "bench",
        "prints the table of costs; needs valgrind for the instruction counts",
        &["cargo bench -p benches"],
    ),
    (
        "bench-check",
        "prints the table of costs, then that with the sites compiled out; fails if a row misses its target",
        &[
            "cargo bench -p benches --bench overhead -- --check",
            "cargo bench -p benches --bench overhead --features compile-out -- --check",
        ],
    ),
    (
        "storm",
        "puts load on the shop while rules change 200 times per second; needs wrk",
        &[
            "cargo build --release --bins",
            "cargo run --release --bin storm",
        ],
    ),
    (
        "metrics",
        "checks the shop's /metrics with promtool; needs promtool (Debian package: prometheus)",
        &[
            "cargo build --release --bins",
            "cargo run --release --bin scrape",
        ],
    ),
    (
        "peers",
        "checks what curl and Python's grpcio observe of each fault; needs curl, and python3 with venv",
        &[
            "cargo build --release --bins",
            "python3 -m venv target/grpcio",
            "target/grpcio/bin/python -m pip install --quiet -r examples/tests/grpcio/requirements.txt",
            "cargo run --release --bin peers -- --python target/grpcio/bin/python",
        ],
    ),
    (
        "api",
        "checks the admin API against its OpenAPI document with independent tools; needs python3 with venv",
        &[
            "cargo build --release --bins",
            "python3 -m venv target/api",
            "target/api/bin/python -m pip install --quiet -r examples/tests/api/requirements.txt",
            "cargo run --release --bin api -- --python target/api/bin/python",
        ],
    ),
];

fn main() -> ExitCode {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    if asked.is_empty() {
        eprintln!("cargo xtask RECIPE…\n");
        for (name, purpose, lines) in RECIPES {
            eprintln!("{name:12} {purpose}");
            for line in *lines {
                eprintln!("             $ {line}");
            }
        }
        return ExitCode::FAILURE;
    }
    for name in &asked {
        let Some((_, _, lines)) = RECIPES.iter().find(|(known, ..)| known == name) else {
            eprintln!("no recipe `{name}`; `cargo xtask` lists them");
            return ExitCode::FAILURE;
        };
        for line in *lines {
            eprintln!("$ {line}");
            if !run(line) {
                eprintln!("failed: {line}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

/// Runs one command line and returns whether it succeeded. Words of the form `NAME=value` at its
/// beginning set environment variables.
fn run(line: &str) -> bool {
    let mut words = line.split_whitespace().peekable();
    let mut variables = Vec::new();
    while let Some(variable) = words.next_if(|word| word.contains('=')) {
        variables.extend(variable.split_once('='));
    }
    let program = words.next().unwrap_or("true");
    let status = Command::new(program).args(words).envs(variables).status();
    status.is_ok_and(|status| status.success())
}
