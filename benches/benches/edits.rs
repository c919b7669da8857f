//! How long edits of many rules take, and what readers notice; see `benches::edits`.
#![expect(clippy::print_stdout, reason = "a program: this is its output")]

fn main() {
    if chaos_core::COMPILED_OUT {
        println!("There is nothing to aim at where the sites are compiled out.");
        return;
    }
    // `cargo test --benches` asks only whether it runs at all.
    let rounds = if std::env::args().any(|arg| arg == "--bench") {
        15
    } else {
        1
    };
    println!("{}", benches::edits::report(rounds));
}
