fn main() {
    chaos_core::inject!("no spaces please").unwrap();
}
