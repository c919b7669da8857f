//! The id of this process. Audit entries and injections are numbered from 1 in every process, and
//! this id tells them apart.

use std::{process, sync::OnceLock};

/// Returns 64 random bits in hexadecimal, which are constant for the life of the process.
pub(crate) fn process_id() -> &'static str {
    static PROCESS_ID: OnceLock<String> = OnceLock::new();
    PROCESS_ID.get_or_init(|| {
        let mut bytes = [0; 8];
        match getrandom::fill(&mut bytes) {
            Ok(()) => format!("{:016x}", u64::from_ne_bytes(bytes)),
            // The id protects nothing: it is enough that two successive processes differ.
            Err(_) => format!("{:016x}", process::id()),
        }
    })
}
