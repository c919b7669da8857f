//! `run`: a port that is lost, and what the journal says of the rules there. Real processes, against a service that is called.

use serde_json::{Value, json};

use crate::support::{
    experiment::{Lab, long},
    relay::Relay,
    wait::until,
};

/// Runs an experiment, and cuts a port off once the run is at a place.
#[track_caller]
fn lose(lab: &Lab, relay: &Relay, fields: Value, place: &str) {
    let child = lab.start(fields, &["--timeout", "1s"]);
    until("the run is there", || lab.place() == place);
    relay.cut();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(14), "{output:?}");
}

#[test]
fn a_port_that_is_lost_is_never_0() {
    let lab = Lab::new();
    let relay = Relay::new(&lab.port.url);
    let mut fields = long();
    fields["target"] = json!({ "endpoint": relay.url });
    let child = lab.start(fields, &["--timeout", "1s"]);
    lab.until_hits_are_seen();
    relay.cut();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(15), "{output:?}");
    assert_eq!(lab.journal()["x-chaos"]["targets"][0]["fate"], "cut_off");
}

/// Of several, it is told which one was lost, and nothing of those where nothing was armed. A pause arms nothing.
#[test]
fn a_port_that_is_lost_before_is_the_only_one_that_is_told() {
    let pause = json!({ "name": "pause", "for": "1m", "rules": [] });
    let mut paused = long();
    paused["phases"].as_array_mut().unwrap().insert(0, pause);
    let mut watched = long();
    watched["observe"] = json!({ "before": "1m", "after": "0s" });
    // The rules of an estimate are gone by then.
    let mut estimated = paused.clone();
    estimated["estimate"] = json!({ "for": "1s", "hits": { "at_least": 1 } });
    for (mut fields, place) in [(watched, "before"), (paused, "pause"), (estimated, "pause")] {
        let (lab, other) = (Lab::new(), Lab::new());
        let relay = Relay::new(&other.port.url);
        fields["target"] = json!({ "endpoints": [lab.port.url, relay.url] });
        lose(&lab, &relay, fields, place);
        let targets = &lab.journal()["x-chaos"]["targets"];
        assert_eq!(targets.as_array().unwrap().len(), 1, "{targets:#}");
        assert_eq!(targets[0]["target"], relay.url);
        assert_eq!(targets[0]["fate"], "silent", "{place}");
    }
}

/// Its rules were in force until they were deleted.
#[test]
fn a_port_that_is_lost_afterwards_has_applied_the_rules() {
    let lab = Lab::new();
    let relay = Relay::new(&lab.port.url);
    let fields = json!({
        "target": { "endpoint": relay.url },
        "observe": { "before": "200ms", "after": "1m" },
    });
    lose(&lab, &relay, fields, "after");
    let target = &lab.journal()["x-chaos"]["targets"][0];
    assert_eq!(target["fate"], "applied", "{target:#}");
    assert!(target["problem"].as_str().is_some(), "{target:#}");
}

/// Its rules are gone, and nobody else has deleted them.
#[test]
fn a_port_that_is_started_again_is_14() {
    let lab = Lab::new();
    let relay = Relay::new(&lab.port.url);
    let mut fields = long();
    fields["target"] = json!({ "endpoint": relay.url });
    let child = lab.start(fields, &[]);
    // So that the next look is all of the other process.
    lab.until_hits_are_seen();
    relay.restart();
    lab.port.injector.clear();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(14), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("it has been started again"), "{printed}");
    assert_eq!(lab.journal()["x-chaos"]["targets"][0]["fate"], "cut_off");
}
