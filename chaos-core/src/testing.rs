//! What tests use: rules that are deleted when their guard is dropped, and every fault at every site.

pub(crate) mod rule_guard;
pub(crate) mod systematic;
