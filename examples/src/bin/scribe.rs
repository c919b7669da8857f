//! Changes rules as fast as its audit file can be written, until it is killed. The test
//! `audit_survives_kill` kills it repeatedly and checks the file.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "prints that it has begun")]

use std::{path::PathBuf, thread, time::Duration};

use chaos_core::{Fault, Injector, Rule, audit::Actor};
use chaos_examples::MainError;
use chaos_http_admin::AuditFile;
use clap::Parser;

/// Changes rules as fast as its audit file can be written, until it is killed
#[derive(Debug, Parser)]
struct Args {
    /// Audit file to append to
    audit: PathBuf,
}

/// The maximum number of entries that are not yet written. The injector keeps twice as many in memory,
/// so none is lost before it is written.
const BEHIND: u64 = 500;

fn main() -> Result<(), MainError> {
    let args = Args::parse();
    let injector = Injector::new();
    let file = AuditFile::open(&injector, args.audit)?;
    println!("begun");
    for number in 1_u64.. {
        // Entries of many lengths. Some are far longer than a page, so that a kill can interrupt
        // their write.
        let length = number.wrapping_mul(number).wrapping_mul(7919) % 40_000;
        let length = usize::try_from(if number % 4 == 0 {
            length
        } else {
            length / 100
        })?;
        let rule = Rule::new("a".parse()?, "db.read".parse()?, Fault::error("lost"));
        let rule = rule.because("é".repeat(length / 2));
        let change = chaos_core::rule::Change::Put(rule);
        injector
            .as_actor(Actor::new("scribe"))
            .apply(change, None)?;
        while injector.audit().last() - file.status().written > BEHIND {
            thread::park_timeout(Duration::from_micros(100));
        }
    }
    Ok(())
}
