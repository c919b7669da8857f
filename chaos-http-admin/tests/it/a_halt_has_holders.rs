//! A halt is held by everyone who halted: the status lists them, each halt and each resume is in the
//! audit, and a resume ends the holds of all.

use chaos_core::audit::Actor;
use serde_json::{Value, json};

use crate::support::{document::Document, port::Port};

fn reason(text: &str) -> Value {
    json!({ "reason": text })
}

#[tokio::test]
async fn a_second_halt_by_someone_else_is_listed_and_a_resume_names_whose_holds_it_ended() {
    let port = Port::new();
    port.write("POST", "/v1/resume", reason("nothing to do"))
        .await
        .expect(200);
    let alice = Actor::new("alice").at("10.0.0.7:9").because("enough seen");
    port.injector.as_actor(alice).halt();
    let halted = port
        .write("POST", "/v1/halt", reason("an incident"))
        .await
        .expect(200)
        .json();
    let halted = &halted["halted"];
    // What there was before there were holders: the first halt.
    assert_eq!(
        (&halted["by"], &halted["reason"]),
        (&json!("alice"), &json!("enough seen"))
    );
    let holders = halted["holders"].as_array().unwrap();
    let shown: Vec<_> = holders
        .iter()
        .map(|it| {
            json!([
                it["kind"],
                it["by"],
                it["address"],
                it["reason"],
                it["locked"]
            ])
        })
        .collect();
    assert_eq!(
        shown,
        [
            json!(["person", "alice", "10.0.0.7:9", "enough seen", false]),
            json!(["person", "anyone", null, "an incident", false]),
        ]
    );
    port.write("POST", "/v1/resume", reason("go on"))
        .await
        .expect(200);
    let audit = port.get("/v1/audit").await.expect(200).json();
    let entries = audit["entries"].as_array().unwrap();
    let told: Vec<_> = entries
        .iter()
        .map(|it| json!([it["action"], it["actor"], it["what"]]))
        .collect();
    assert_eq!(
        told,
        [
            json!(["resume", "anyone", null]),
            json!(["halt", "alice", null]),
            json!(["halt", "anyone", "already held by alice at 10.0.0.7:9"]),
            json!([
                "resume",
                "anyone",
                "ended the holds of alice at 10.0.0.7:9, anyone"
            ]),
        ]
    );
}

#[tokio::test]
async fn a_fleet_is_shown_by_its_name_and_a_person_cannot_resume() {
    let (port, document) = (Port::new(), Document::new());
    let alice = Actor::new("alice").because("an incident");
    port.injector.as_actor(alice).halt_for_fleet("shop-prod");
    let status = port.get("/v1/status").await.expect(200);
    document.assert_said(&document.0["paths"]["/v1/status"]["get"], &status);
    let holder = &status.json()["halted"]["holders"][0];
    let shown = ["kind", "fleet", "by", "reason", "locked"].map(|field| &holder[field]);
    let expected = [
        json!("fleet"),
        json!("shop-prod"),
        json!("alice"),
        json!("an incident"),
        json!(true),
    ];
    assert_eq!(shown, expected.each_ref());
    port.write("POST", "/v1/acknowledge", reason("seen"))
        .await
        .expect(200);
    let refused = port
        .write("POST", "/v1/resume", reason("go on"))
        .await
        .expect(409);
    document.assert_said(&document.0["paths"]["/v1/resume"]["post"], &refused);
    let said = "injection stays halted until the fleet `shop-prod` resumes it: an incident";
    assert_eq!(refused.json()["detail"], said);
}
