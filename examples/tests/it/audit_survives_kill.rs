//! `kill -9` in the middle of writing the audit, two hundred times: the file always parses, and each run
//! is in it from its first entry to its last without a gap.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Read, Seek, SeekFrom},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use chaos_core::{Clock, Injector};
use chaos_examples::Error;
use chaos_http_admin::AuditFile;
use serde_json::Value;

const KILLS: u64 = 200;

#[test]
fn two_hundred_kills_leave_a_file_that_parses() -> Result<(), Error> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("audit.jsonl");
    let clock = Clock::monotonic();
    let (mut read, mut torn, mut lines) = (0, 0, 0);
    let mut runs = BTreeMap::new();
    for kill in 0..KILLS {
        write_and_be_killed(&path, Duration::from_micros(kill * kill % 97 * 400))?;
        let left = fs::metadata(&path)?.len();
        // As it was left, only what the last line lacks may be wrong with it.
        let end = fs::read(&path)?.iter().rposition(|byte| *byte == b'\n');
        let whole = end.map_or(0, |end| end as u64 + 1);
        assert!(whole >= read, "what was whole is torn");
        // To open it is what puts the last line right; who does so writes nothing itself.
        drop(AuditFile::open(&Injector::new(), &path)?);
        let now = fs::metadata(&path)?.len();
        torn += u64::from(now < left);
        // It had its end, or was given one.
        assert!(now >= whole, "a whole line was cut off");
        lines += check(&path, read, &mut runs)?;
        read = now;
        // From time to time anew: the disk may be small.
        if now > 64 * 1024 * 1024 {
            fs::remove_file(&path)?;
            read = 0;
        }
    }
    println!(
        "{lines} lines of {} runs, {torn} torn, in {:?}",
        runs.len(),
        clock.now()
    );
    // It was killed while it wrote, and not before.
    assert!(runs.len() as u64 > KILLS / 2, "{} runs", runs.len());
    Ok(())
}

fn write_and_be_killed(path: &Path, after: Duration) -> Result<(), Error> {
    let scribe = Command::new(env!("CARGO_BIN_EXE_scribe"))
        .arg(path)
        .stdout(Stdio::piped())
        .spawn();
    let mut scribe = scribe?;
    let output = scribe.stdout.take().ok_or("it has an output")?;
    let mut begun = String::new();
    BufReader::new(output).read_line(&mut begun)?;
    assert_eq!(
        begun, "begun\n",
        "it could not open what the one before has left"
    );
    thread::park_timeout(after);
    // SIGKILL, on Unix.
    scribe.kill()?;
    scribe.wait()?;
    Ok(())
}

/// Reads what is new in the file: whole lines of JSON, and of each run the entries in order.
fn check(path: &Path, from: u64, runs: &mut BTreeMap<String, u64>) -> Result<u64, Error> {
    let mut file = fs::File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    assert!(
        text.is_empty() || text.ends_with('\n'),
        "the last line is torn"
    );
    for line in text.lines() {
        let line: Value = serde_json::from_str(line)?;
        let run = line["run"].as_str().ok_or("a line of no run")?;
        let last = runs.entry(run.to_owned()).or_default();
        *last += 1;
        assert_eq!(line["id"], *last, "a gap in run {run}");
        assert_eq!(line["generation"], *last);
        assert!(line.get("missed").is_none());
    }
    Ok(text.lines().count() as u64)
}
