//! Which process this is: ids count from 1 in each, and whoever compares them must know.

use std::{process, sync::OnceLock};

/// 64 bits by chance, in hexadecimal; the same for as long as the process lives.
pub(crate) fn process_id() -> &'static str {
    static PROCESS_ID: OnceLock<String> = OnceLock::new();
    PROCESS_ID.get_or_init(|| {
        let mut bytes = [0; 8];
        match getrandom::fill(&mut bytes) {
            Ok(()) => format!("{:016x}", u64::from_ne_bytes(bytes)),
            // It guards nothing: it is enough that two runs in a row differ.
            Err(_) => format!("{:016x}", process::id()),
        }
    })
}
