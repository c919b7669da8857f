//! Measures how soon a halt releases waiting calls; see `benches::release`.
#![expect(clippy::print_stdout, reason = "a program: this is its output")]

fn main() {
    if chaos_core::COMPILED_OUT {
        println!("The sites are compiled out, so no call waits.");
        return;
    }
    // `cargo test --benches` only checks that it runs.
    let rounds = if std::env::args().any(|arg| arg == "--bench") {
        5
    } else {
        1
    };
    println!("{}", benches::release::report(rounds));
}
