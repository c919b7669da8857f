//! The tables and the pictures of costs are those that the recipes make.

use std::process::Command;

fn passes(task: &str) {
    let xtask = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg(task)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&xtask.stderr);
    assert!(xtask.status.success(), "{said}");
}

#[test]
fn tables_of_costs_are_written_by_the_recipe() {
    passes("check-costs");
}

#[test]
fn pictures_of_costs_are_drawn_by_the_recipe() {
    passes("check-pictures");
}
