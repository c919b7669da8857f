//! The table of attacks, each with the case that it is made from.

use crate::{
    Error,
    checks::attacks::{
        account,
        attack::{
            Attack,
            Means::{Flood, Handshakes, Hold, Write},
        },
        requests::{
            bodies, edits, envoy_headers, halves, long_tokens, megabytes, new_tokens, port,
            previews, refusals, refused_tokens, service, sets,
        },
        rules::{burns, delays, expressions, guard_rails, nowhere, rules_file},
        victim::{ARM, OBSERVE, Setup},
    },
};

const PLAIN: Setup = Setup::DEFAULT;
const WITH_AUDIT: Setup = Setup {
    args: &["--audit", "{}/audit.jsonl"],
    ..PLAIN
};

/// Returns the attacks.
// One attack a row, so that it reads as a table.
#[rustfmt::skip]
pub(super) fn all() -> Vec<Attack> {
    vec![
        Attack::new("C1", "documents_for_strangers", "stranger", Flood(|at| port(at, 240, 20, "GET /openapi.json", ""))),
        Attack::new("C1", "probes_without_a_pause", "stranger", Flood(|at| port(at, 240, 20, "GET /healthz", ""))),
        Attack::new("C1", "guessed_tokens", "stranger", Flood(|at| port(at, 240, 20, "POST /v1/halt", "not-one-of-the-tokens"))),
        Attack::new("C2", "lists_of_ten_thousand_rules", "observe", Flood(|at| port(at, 16, 1, "GET /v1/rules", OBSERVE))).rules(|| nowhere(9_999)),
        Attack::new("C2", "lists_on_250_connections", "observe", Flood(|at| port(at, 250, 1, "GET /v1/rules", OBSERVE))).rules(|| nowhere(9_999)),
        Attack::new("C2", "metrics_of_ten_thousand_rules", "observe", Flood(|at| port(at, 64, 1, "GET /metrics", OBSERVE))).rules(|| nowhere(9_999)),
        Attack::new("C2", "status_without_a_pause", "observe", Flood(|at| port(at, 240, 20, "GET /v1/status", OBSERVE))).rules(|| nowhere(9_999)),
        Attack::new("C2", "previews_of_ten_thousand_calls", "observe", Flood(previews)),
        Attack::new("C3", "rules_of_a_megabyte_and_the_audit", "arm", Flood(megabytes)).victim(WITH_AUDIT).also(account::has_no_gap),
        Attack::new("C3", "sets_of_ten_thousand_rules", "arm", Flood(sets)).victim(WITH_AUDIT).also(account::is_complete),
        Attack::new("C5", "refusals_with_long_paths", "observe", Flood(refusals)).victim(WITH_AUDIT).also(account::is_small),
        Attack::new("C6", "edits_as_fast_as_they_come", "arm", Flood(edits)).victim(WITH_AUDIT).also(account::is_complete),
        Attack::new("C8", "costly_expressions", "arm", Flood(|at| service(at, 1, &format!("GET /{}", "a".repeat(2000))))).rules(expressions).also(account::matching_is_bounded).slows_the_service(),
        Attack::new("C9", "twelve_burns", "arm", Flood(|at| service(at, 4, "GET /hit"))).rules(burns).more_memory(256 << 20).slows_the_service(),
        Attack::new("C10", "thirty_delays", "arm", Flood(|at| service(at, 64, "GET /hit"))).victim(Setup { policy: Some(r#"{"max_delay":"100ms"}"#), ..PLAIN }).rules(delays).also(account::delays_are_bounded),
        Attack::new("C12", "a_log_beside_the_rules", "other program", Write { name: "app.log" }).victim(Setup { rules: Some(rules_file), ..PLAIN }).also(account::rules_are_not_read),
        Attack::new("C14", "few_descriptors", "stranger", Hold(halves)).victim(Setup { files: Some(64), ..PLAIN }),
        Attack::new("C18", "bodies_of_eight_mebibytes", "stranger", Flood(|at| bodies(at, ""))),
        Attack::new("C18", "large_bodies_with_a_token", "arm", Flood(|at| bodies(at, ARM))),
        Attack::new("C19", "event_streams", "observe", Hold(|at| port(at, 250, 1, "GET /v1/events", OBSERVE))),
        Attack::new("F9", "tokens_that_are_all_new", "visitor", Flood(new_tokens)),
        Attack::new("F10", "tokens_with_long_words", "visitor", Flood(long_tokens)),
        Attack::new("F11", "envoy_headers_that_are_all_new", "visitor", Flood(envoy_headers)).victim(Setup { args: &["--sites", "200"], ..PLAIN }),
        Attack::new("F20", "tokens_that_are_refused", "visitor", Flood(refused_tokens)),
        Attack::new("F14", "tls_handshakes", "stranger", Handshakes { connections: 32 }).victim(Setup { tls: true, ..PLAIN }),
        Attack::new("F19", "as_many_guard_rails_as_there_may_be", "arm", Flood(|at| port(at, 4, 1, "GET /v1/rules", ARM))).rules(guard_rails),
    ]
}

/// Returns the attack named `name`.
///
/// # Errors
/// Returns an error if there is none.
pub(super) fn named(name: &str) -> Result<Attack, Error> {
    let attack = all().into_iter().find(|attack| attack.name == name);
    attack.ok_or_else(|| format!("no attack {name}").into())
}
