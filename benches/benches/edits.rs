//! Measures how long edits of many rules take, and how they affect concurrent calls; see
//! `benches::edits`.
#![expect(clippy::print_stdout, reason = "a program: this is its output")]

fn main() {
    if chaos_core::COMPILED_OUT {
        println!("The sites are compiled out, so there are no rules to measure.");
        return;
    }
    // `cargo test --benches` only checks that it runs.
    let rounds = if std::env::args().any(|arg| arg == "--bench") {
        15
    } else {
        1
    };
    println!("{}", benches::edits::report(rounds));
}
