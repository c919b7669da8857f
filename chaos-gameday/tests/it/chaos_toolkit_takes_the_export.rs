//! What is exported is an experiment of Chaos Toolkit. The file that `chaos validate` of chaostoolkit 1.19 has accepted is
//! committed; CI runs it with the real one.

use chaos_gameday::{Format, chaos_toolkit, experiment_from};

use crate::experiments_are_read::{LOST_READS, assert_committed, lost_reads};

#[test]
fn the_export_is_the_committed_one() {
    assert_committed(
        "../tests/lost-reads.chaostoolkit.json",
        &chaos_toolkit(&lost_reads()).unwrap(),
    );
}

#[test]
fn rules_end_by_themselves_and_none_goes_unnoticed() {
    let export = chaos_toolkit(&lost_reads()).unwrap();
    let method = export["method"].as_array().unwrap();
    let arming: Vec<_> = method
        .iter()
        .filter(|step| step["name"].as_str().unwrap().starts_with("arm "))
        .collect();
    assert_eq!(arming.len(), 2);
    for step in &arming {
        let provider = &step["provider"];
        assert_eq!(provider["method"], "PUT");
        // With another spelling, it would send a form.
        assert_eq!(provider["headers"]["Content-Type"], "application/json");
    }
    // What is left of the phase and five seconds, or its own.
    assert_eq!(arming[0]["provider"]["arguments"]["ttl"], "1m 5s");
    assert_eq!(arming[0]["pauses"]["after"], 60.0);
    assert_eq!(arming[1]["provider"]["arguments"]["ttl"], "2m");
    let probes = &export["steady-state-hypothesis"]["probes"];
    let url = "http://127.0.0.1:9900/v1/rules/lost/injections?at_least=1&within=5";
    assert_eq!(probes[0]["provider"]["url"], url);
    assert!(probes[0]["provider"]["timeout"].as_u64() < Some(5));
    assert_eq!(export["rollbacks"][0]["provider"]["method"], "DELETE");
    for left_out in ["slo", "shoppers", "no worse", "the estimate"] {
        assert!(
            export["description"].as_str().unwrap().contains(left_out),
            "{left_out}"
        );
    }
}

#[test]
fn what_chaos_toolkit_does_not_reach_is_refused() {
    let fleet = "{ fleet: { etcd: [\"http://127.0.0.1:2379\"], name: shop } }";
    for target in [fleet, "{ endpoint: \"unix:/run/shop\" }"] {
        let text = LOST_READS.replacen("{ endpoint: \"http://127.0.0.1:9900\" }", target, 1);
        let experiment = experiment_from(&text, Format::Yaml).unwrap();
        assert_eq!(chaos_toolkit(&experiment).unwrap_err().field(), "target");
    }
}
