//! How soon a halt lets go whoever waits; see `benches::release`.
#![expect(clippy::print_stdout, reason = "a program: this is its output")]

fn main() {
    if chaos_core::COMPILED_OUT {
        println!("Nothing waits where the sites are compiled out.");
        return;
    }
    // `cargo test --benches` asks only whether it runs at all.
    let rounds = if std::env::args().any(|arg| arg == "--bench") {
        5
    } else {
        1
    };
    println!("{}", benches::release::report(rounds));
}
