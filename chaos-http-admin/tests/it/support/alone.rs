//! Tests of what a process has one of, each in a process of its own.

use std::{env, process::Command};

const ALONE: &str = "CHAOS_TEST_ALONE";

/// Whether this process runs the test `name` alone. If not, the test runs once more in one that does,
/// must pass there, and has nothing left to do here.
#[must_use]
pub(crate) fn is_alone(name: &str) -> bool {
    if env::var_os(ALONE).is_some() {
        return true;
    }
    let mut other = Command::new(env::current_exe().unwrap());
    let output = other
        .args([name, "--exact"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
    false
}
