//! Changes rules as fast as its audit file follows, until it is killed: what the test of that name does
//! to it two hundred times.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "says that it has begun")]

use std::{path::PathBuf, thread, time::Duration};

use chaos_core::{Actor, Fault, Injector, Rule};
use chaos_examples::Error;
use chaos_http_admin::AuditFile;
use clap::Parser;

/// Changes rules as fast as its audit file follows, until it is killed.
#[derive(Debug, Parser)]
struct Args {
    /// Where it writes who changed what
    audit: PathBuf,
}

/// What the injector remembers is twice this: nothing is forgotten before it is written.
const BEHIND: u64 = 500;

fn main() -> Result<(), Error> {
    let args = Args::parse();
    let injector = Injector::new();
    let file = AuditFile::open(&injector, args.audit)?;
    println!("begun");
    for number in 1_u64.. {
        // Of all lengths, some far longer than a page: those take the system longer to write.
        let length = number.wrapping_mul(number).wrapping_mul(7919) % 40_000;
        let length = usize::try_from(if number % 4 == 0 {
            length
        } else {
            length / 100
        })?;
        let rule = Rule::new("a".parse()?, "db.read".parse()?, Fault::error("lost"));
        let rule = rule.because("é".repeat(length / 2));
        let change = chaos_core::Change::Put(rule);
        injector
            .as_actor(Actor::new("scribe"))
            .apply(change, None)?;
        while injector.audit().last() - file.status().written > BEHIND {
            thread::park_timeout(Duration::from_micros(100));
        }
    }
    Ok(())
}
