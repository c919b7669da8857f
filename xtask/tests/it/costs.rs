//! The tables of costs are those that the recipe `costs` writes.

use std::process::Command;

#[test]
fn tables_of_costs_are_written_by_the_recipe() {
    let xtask = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("check-costs")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&xtask.stderr);
    assert!(xtask.status.success(), "{said}");
}
