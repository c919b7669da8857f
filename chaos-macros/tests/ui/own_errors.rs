use chaos_core::{Injected, inject, site};

#[derive(Debug)]
struct Own;

#[site("ui.not_a_function", err = Own)]
fn not_a_function() -> Result<(), Own> {
    Ok(())
}

#[site("ui.other_error", err = |_| 7)]
fn other_error() -> Result<(), Own> {
    Ok(())
}

#[site("ui.twice", err = |_| Own, err = |_| Own)]
fn twice() -> Result<(), Own> {
    Ok(())
}

#[site("ui.value_twice", value, value)]
fn value_twice() -> Result<(), Injected> {
    Ok(())
}

fn late(id: u8) {
    drop(inject!("ui.late", id = %id, err = ""));
}

fn main() {
    not_a_function().unwrap();
    other_error().unwrap();
    twice().unwrap();
    value_twice().unwrap();
    late(7);
}
