fn main() {
    chaos_core::inject!("ui.label", id = 7).unwrap();
}
