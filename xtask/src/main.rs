//! `cargo xtask RECIPE`: what people type and what CI runs are the same lines.
#![forbid(unsafe_code)]
#![expect(clippy::print_stderr, reason = "a program for people")]

use std::process::{Command, ExitCode};

/// Each recipe: its name, what it is for, and its lines. This table is the help.
const RECIPES: &[(&str, &str, &[&str])] = &[
    (
        "check",
        "formatting, clippy and rustdoc, with warnings as errors",
        &[
            "cargo fmt --all -- --check",
            "cargo clippy --workspace --all-targets -- -D warnings",
            "RUSTDOCFLAGS=-Dwarnings cargo doc --workspace --no-deps",
        ],
    ),
    (
        "features",
        "the crates with each set of features, and the promises of compile-out",
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
        "everything that needs no outside program",
        &["cargo test --workspace"],
    ),
    (
        "bench",
        "the table of costs; needs valgrind for the instruction counts",
        &["cargo bench -p benches"],
    ),
    (
        "bench-check",
        "the same, then compiled out; fails where a row is worse than it may be",
        &[
            "cargo bench -p benches --bench overhead -- --check",
            "cargo bench -p benches --bench overhead --features compile-out -- --check",
        ],
    ),
    (
        "storm",
        "wrk against the shop while rules change 200 times a second; needs wrk",
        &[
            "cargo build --release --bins",
            "cargo run --release --bin storm",
        ],
    ),
    (
        "metrics",
        "promtool reads the shop's /metrics; needs promtool, of the Debian package prometheus",
        &[
            "cargo build --release --bins",
            "cargo run --release --bin scrape",
        ],
    ),
    (
        "peers",
        "every fault, seen by curl and by Python's grpcio; needs curl, python3 and its venv",
        &[
            "cargo build --release --bins",
            "python3 -m venv target/grpcio",
            "target/grpcio/bin/python -m pip install --quiet -r examples/tests/grpcio/requirements.txt",
            "cargo run --release --bin peers -- --python target/grpcio/bin/python",
        ],
    ),
    (
        "api",
        "the admin port against its OpenAPI document, by strangers; needs python3 and its venv",
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

/// Runs one line: words, the first of which may set variables.
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
