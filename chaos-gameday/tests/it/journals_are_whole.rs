//! Whenever the program is gone, its journal can be read.

use std::{fs, time::SystemTime};

use chaos_gameday::{
    Format, Journal, JournalFile, ProbeOutcome, Stage, Status, Verdict, experiment_from,
    journal_schema, report_html, report_markdown,
};
use serde_json::Value;

use crate::{
    experiments_are_read::{LOST_READS, assert_committed, lost_reads},
    support::{END, STAGES, moment, run, whole},
};

/// Fifteen rules of sixteen sites are 240 pairs.
#[test]
fn series_of_sites_are_bounded() {
    let mut journal = whole();
    let sample = journal.details.sites[0].samples[0];
    for n in 0..240 {
        journal.note_site("db.read", &format!("rule-{n}"), sample);
    }
    journal.note_site("http.server", "lost", sample);
    assert_eq!(journal.details.sites.len(), 64);
    let samples = |at: usize| journal.details.sites[at].samples.len();
    assert_eq!((samples(0), samples(63)), (191, 1));
    // A part in which no port has answered yet has no pairs.
    journal.note_pairs(240);
    journal.note_pairs(0);
    assert_eq!(journal.details.sites_left_out, 176);
}

#[test]
fn the_committed_schema_is_that_of_the_types() {
    assert_committed("journal.schema.json", &journal_schema());
}

/// What is on disk after each write, as if the program were killed then.
#[test]
fn a_run_that_is_cut_off_leaves_a_whole_journal() {
    let schema = jsonschema::draft202012::new(&journal_schema()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.json");
    let journal = Journal::new(&lost_reads(), moment(0), "Linux", "here");
    let mut file = JournalFile::create(&path, journal).unwrap();
    let mut writes = 0;
    run(|second, change| {
        file.record(moment(second), change).unwrap();
        // What a write that was cut off left behind is never read.
        fs::write(folder.path().join("journal.json.part"), "{\"chaosl").unwrap();
        writes += 1;
        let text = fs::read_to_string(&path).unwrap();
        let json: Value = serde_json::from_str(&text).unwrap();
        let errors: Vec<_> = schema
            .iter_errors(&json)
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{second}: {errors:?}");
        let read = Journal::from_json(&text).unwrap();
        let passed = STAGES.iter().rev().find(|it| it.2 <= second).unwrap();
        assert_eq!(read.details.ended_in, passed.1);
        if second == END {
            return;
        }
        assert_eq!(
            (read.status, read.details.verdict),
            (Status::Interrupted, None)
        );
        assert_eq!(read.duration, second as f64);
        assert_eq!(read.details.phases.last().unwrap().end, None);
    });
    assert!(writes > 280, "{writes}");
    let read = Journal::from_json(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!((read.status, read.deviated), (Status::Failed, true));
    assert_eq!(read.details.exit_code, Some(11));
    assert_eq!(read.details.phases.len(), STAGES.len());
    assert_eq!(read.details.phases[2].end, Some(120.0));
}

/// The fields of a journal that chaostoolkit-lib 1.44.0 wrote.
#[test]
fn the_fields_are_those_of_chaos_toolkit() {
    let json = serde_json::to_value(whole()).unwrap();
    for field in [
        "chaoslib-version",
        "platform",
        "node",
        "experiment",
        "start",
        "status",
        "deviated",
        "steady_states",
        "run",
        "rollbacks",
        "end",
        "duration",
    ] {
        assert!(json.get(field).is_some(), "{field}");
    }
    for field in ["activity", "output", "status", "start", "end", "duration"] {
        assert!(json["run"][0].get(field).is_some(), "{field}");
    }
    let states = &json["steady_states"];
    assert_eq!(states["before"]["steady_state_met"], true);
    assert_eq!(states["before"]["probes"][0]["tolerance_met"], true);
    // Held, not held, held again.
    let during = states["during"].as_array().unwrap();
    let met: Vec<_> = during
        .iter()
        .map(|it| it["steady_state_met"].as_bool().unwrap())
        .collect();
    assert_eq!(met, [true, false, true]);
    // As it writes of an experiment whose hypothesis does not hold after the method.
    assert_eq!(json["status"], "failed");
    assert_eq!(json["deviated"], true);
    assert_eq!(json["start"], "2026-09-21T14:13:20.000Z");
}

#[test]
fn a_journal_that_cannot_be_written_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing/journal.json");
    let journal = Journal::new(&lost_reads(), moment(0), "Linux", "here");
    assert!(JournalFile::create(&path, journal).is_err());
    assert!(Journal::from_json("{}").is_err());
}

/// Journals are kept, and reports mailed.
#[test]
fn secrets_of_probes_are_in_no_journal() {
    let text = LOST_READS
        .replace("accept: application/json", "authorization: Bearer hunter2")
        .replace("http://127.0.0.1:9090", "http://ann:hunter2@127.0.0.1:9090");
    assert_eq!(text.matches("hunter2").count(), 2);
    let experiment = experiment_from(&text, Format::Yaml).unwrap();
    let journal = Journal::new(&experiment, SystemTime::UNIX_EPOCH, "linux", "here");
    let json = serde_json::to_string(&journal).unwrap();
    assert!(!json.contains("hunter2"), "{json}");
    assert!(json.contains("http://***@127.0.0.1:9090"), "{json}");
    for report in [report_html(&journal), report_markdown(&journal)] {
        assert!(!report.contains("hunter2"), "{report}");
    }
}

/// A run that was stopped by a probe has deviated, whatever its verdict.
#[test]
fn a_probe_that_did_not_hold_has_deviated() {
    let experiment = lost_reads();
    for (outcome, deviated) in [
        (ProbeOutcome::NotHeld("1".into()), true),
        (ProbeOutcome::Unanswered("1".into()), false),
    ] {
        let at = SystemTime::UNIX_EPOCH;
        let mut journal = Journal::new(&experiment, at, "linux", "here");
        // Numbers that no plot can show.
        journal.note_probe("slo", Stage::During, &outcome, Some(1.7e308), (at, at));
        journal.note_probe("slo", Stage::During, &outcome, Some(1e200), (at, at));
        journal.finish(Verdict::Stopped, vec!["x".into()], at);
        assert_eq!(journal.deviated, deviated);
        assert!(report_html(&journal).contains("slo"));
    }
}

/// Of a probe that is asked after the faults, the journal keeps the last answer alone.
#[test]
fn a_probe_that_holds_again_has_deviated() {
    let at = SystemTime::UNIX_EPOCH;
    let mut journal = Journal::new(&lost_reads(), at, "linux", "here");
    let mut note = |stage, outcome| journal.note_probe("slo", stage, &outcome, None, (at, at));
    note(Stage::Before, ProbeOutcome::NotHeld("slow".into()));
    note(Stage::After, ProbeOutcome::NotHeld("slow".into()));
    note(Stage::After, ProbeOutcome::Held);
    journal.finish(Verdict::Stopped, vec!["a guard rail".into()], at);
    assert!(journal.deviated);
}
