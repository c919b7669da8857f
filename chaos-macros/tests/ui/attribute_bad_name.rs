#[chaos_core::site("no spaces please")]
fn site() -> Result<(), chaos_core::Injected> {
    Ok(())
}

fn main() {
    site().unwrap();
}
