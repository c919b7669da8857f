//! A signed token brings its rules to whoever has the key, whichever library made it.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use chaos_core::{
    Fault, Latency, Matcher, Rule, Text,
    fault::{HeaderEdit, HttpAnswer},
    token::{TokenError, TokenKey},
    wire::{rule_from_value, rule_to_value},
};
use hmac::{Hmac, Mac};
use http::{HeaderName, HeaderValue};
use jwt::{AlgorithmType, Header, SignWithKey, Token, VerifyWithKey};
use serde_json::{Value, json};
use sha2::Sha256;

const SECRET: &[u8] = b"this secret is of 32 bytes, fine";
const OTHER: &[u8] = b"another secret, which is as long";
const MINUTE: Duration = Duration::from_secs(60);
const SECONDS: u64 = 1_800_000_000;

fn now() -> SystemTime {
    // A moment that is no whole second, as most are.
    UNIX_EPOCH + Duration::from_secs(SECONDS) + Duration::from_millis(700)
}

fn key() -> TokenKey {
    TokenKey::new(SECRET).unwrap()
}

fn rule(value: Value) -> Rule {
    rule_from_value(value, None).unwrap()
}

fn down() -> Rule {
    rule(json!({ "id": "down", "site": "http.server", "faults": [{ "status": 503 }] }))
}

fn slow() -> Rule {
    rule(json!({
        "id": "slow",
        "site": "db.*",
        "match": { "labels": { "table": "orders" } },
        "rate": 0.1,
        "ttl": "5s",
        "faults": [{ "latency": { "p50": "20ms", "p99.9": "2s" } }, { "error": "gone" }],
    }))
}

/// A hash under the other library's eyes.
fn hash(secret: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(secret).unwrap()
}

fn accepts(claims: Value) -> Result<chaos_core::token::Token, TokenError> {
    key().verify(claims.sign_with_key(&hash(SECRET)).unwrap(), now())
}

#[test]
fn what_was_signed_is_read() {
    let rules = [down(), slow()];
    let signed = key().sign("ann", MINUTE, &rules, now()).unwrap();
    let token = key().verify(&signed, now()).unwrap();
    assert_eq!(token.subject(), "ann");
    assert_eq!(token.rules(), rules);
    // The lifetime is in whole seconds, never longer than was asked for.
    let end = UNIX_EPOCH + Duration::from_secs(SECONDS + 60);
    assert_eq!(token.expires(), end);
    assert_eq!(token.remaining(), Duration::from_millis(59_300));
    assert_eq!(token.into_rules(), rules);

    // As a header has it.
    let value = HeaderValue::try_from(&signed).unwrap();
    assert!(key().verify(value.as_bytes(), now()).is_ok());
}

#[test]
fn another_library_makes_tokens() {
    let token = accepts(json!({
        "exp": SECONDS + 60,
        "sub": "bob",
        "rules": [rule_to_value(&slow())],
    }));
    let token = token.unwrap();
    assert_eq!(token.subject(), "bob");
    assert_eq!(token.rules(), [slow()]);
}

#[test]
fn another_library_reads_tokens() {
    let signed = key().sign("ann", MINUTE, &[down()], now()).unwrap();
    let token: Token<Header, BTreeMap<String, Value>, _> =
        signed.as_str().verify_with_key(&hash(SECRET)).unwrap();
    assert_eq!(token.header().algorithm, AlgorithmType::Hs256);
    let claims = token.claims();
    assert_eq!(claims["exp"], json!(SECONDS + 60));
    assert_eq!(claims["iat"], json!(SECONDS));
    assert_eq!(claims["sub"], json!("ann"));
    assert_eq!(claims["rules"], json!([rule_to_value(&down())]));

    let wrong: Result<BTreeMap<String, Value>, _> = signed.as_str().verify_with_key(&hash(OTHER));
    assert!(wrong.is_err());
}

#[test]
fn rules_without_an_id_are_named_for_their_place() {
    let fault = json!([{ "status": 503 }]);
    let token = accepts(json!({
        "exp": SECONDS + 60,
        "sub": "ann",
        "rules": [
            { "site": "a", "faults": fault },
            { "site": "b", "faults": fault, "id": "own" },
            { "site": "c", "faults": fault },
        ],
    }));
    let token = token.unwrap();
    let ids: Vec<_> = token
        .rules()
        .iter()
        .map(|rule| rule.id().as_str())
        .collect();
    assert_eq!(ids, ["token-0", "own", "token-2"]);
}

#[test]
fn claims_that_nobody_knows_are_ignored() {
    let token = accepts(json!({
        "exp": SECONDS + 60,
        "iat": SECONDS - 5,
        "nbf": SECONDS,
        "sub": "ann",
        "rules": [rule_to_value(&down())],
        "iss": "https://issuer.example.com",
        "aud": ["a", "b"],
        "jti": 7,
        "nested": { "deep": [[[]]] },
    }));
    assert_eq!(token.unwrap().rules(), [down()]);
}

#[test]
fn times_may_have_a_fraction() {
    let token = accepts(json!({
        "exp": SECONDS as f64 + 60.5,
        "sub": "ann",
        "rules": [rule_to_value(&down())],
    }));
    assert_eq!(token.unwrap().remaining(), Duration::from_millis(59_800));
}

#[test]
fn secrets_are_replaced_one_service_at_a_time() {
    let (old, new) = (key(), TokenKey::new(OTHER).unwrap());
    let both = TokenKey::new(OTHER).unwrap().also_accepts(SECRET).unwrap();
    let sign = |key: &TokenKey| key.sign("ann", MINUTE, &[down()], now()).unwrap();
    assert!(both.verify(sign(&old), now()).is_ok());
    assert!(both.verify(sign(&new), now()).is_ok());
    // It signs with its first secret alone.
    assert!(new.verify(sign(&both), now()).is_ok());
    assert_eq!(old.verify(sign(&both), now()), Err(TokenError::Forged));
}

#[test]
fn a_short_secret_is_no_key() {
    assert!(TokenKey::new(&[7; 32]).is_ok());
    let error = TokenKey::new(&[7; 31]).unwrap_err().to_string();
    assert!(error.contains("31") && error.contains("32"), "{error}");
    assert!(TokenKey::new(b"").is_err());
    assert!(key().also_accepts(b"short").is_err());
}

#[test]
fn a_key_shows_nothing_of_its_secrets() {
    let key = TokenKey::new(&[0xAB; 40])
        .unwrap()
        .also_accepts(&[b'q'; 40]);
    let shown = format!("{:?}", key.unwrap());
    for part in ["171", "ab, ", "AB", "qq", "113"] {
        assert!(!shown.contains(part), "{shown}");
    }
}

#[test]
fn the_longest_lifetime_is_an_hour_unless_said() {
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    let sign = |key: &TokenKey, lifetime| key.sign("ann", lifetime, &[down()], now());
    let too_long = |result: Result<String, _>| result == Err(TokenError::TooLong);
    let second = Duration::from_secs(1);

    assert!(sign(&key(), hours(1)).is_ok());
    assert!(too_long(sign(&key(), hours(1) + second)));
    assert!(too_long(sign(&key(), Duration::MAX)));
    let day = key().longest(hours(24));
    assert!(sign(&day, hours(24)).is_ok());
    // There is no more than a day.
    assert!(too_long(sign(
        &key().longest(hours(48)),
        hours(24) + second
    )));
    // Who allows less does not accept what others have signed for longer, even near its end.
    let signed = sign(&day, hours(24)).unwrap();
    let near_the_end = now() + hours(24) - 2 * MINUTE;
    assert!(day.verify(&signed, near_the_end).is_ok());
    assert_eq!(
        key().verify(&signed, near_the_end),
        Err(TokenError::TooLong)
    );
    assert!(too_long(sign(&key().longest(Duration::ZERO), second)));
}

#[test]
fn nothing_is_signed_that_would_not_be_accepted() {
    let sign = |subject: &str, lifetime, rules: &[Rule]| {
        let name = |error: TokenError| error.name();
        key().sign(subject, lifetime, rules, now()).map_err(name)
    };
    let numbered = |count: usize| -> Vec<Rule> {
        let rule = |at| {
            Rule::new(
                format!("r{at}").parse().unwrap(),
                "s".parse().unwrap(),
                Fault::error("e"),
            )
        };
        (0..count).map(rule).collect()
    };
    assert_eq!(sign("", MINUTE, &[down()]), Err("malformed"));
    assert_eq!(sign(&"a".repeat(257), MINUTE, &[down()]), Err("malformed"));
    assert!(sign(&"a".repeat(256), MINUTE, &[down()]).is_ok());
    assert_eq!(
        sign("ann", Duration::from_millis(900), &[down()]),
        Err("expired")
    );
    assert_eq!(sign("ann", MINUTE, &[]), Err("refused"));
    assert!(sign("ann", MINUTE, &numbered(16)).is_ok());
    assert_eq!(sign("ann", MINUTE, &numbered(17)), Err("refused"));
    assert_eq!(sign("ann", MINUTE, &[down(), down()]), Err("refused"));
    let wordy = down().because("a".repeat(1001));
    assert_eq!(sign("ann", MINUTE, &[wordy]), Err("refused"));
    let body = HttpAnswer::new(503).unwrap();
    let body = body.body("a".repeat(8 * 1024), HeaderValue::from_static("text/plain"));
    let large = Rule::new(
        "r".parse().unwrap(),
        "s".parse().unwrap(),
        Fault::answer(body),
    );
    assert_eq!(sign("ann", MINUTE, &[large]), Err("oversized"));
}

fn with_fault(fault: Fault) -> Rule {
    Rule::new("r".parse().unwrap(), "s".parse().unwrap(), fault)
}

#[test]
fn a_rule_that_json_cannot_say_is_not_signed() {
    let binary = HttpAnswer::new(503).unwrap();
    let binary = binary.body(&b"\xff\xfe"[..], HeaderValue::from_static("image/png"));
    let curve = Latency::normal(Duration::from_millis(20), Duration::from_millis(5)).unwrap();
    let padded = Fault::Latency(curve, chaos_core::fault::When::AtLeast);
    for fault in [
        Fault::answer(binary),
        padded,
        Fault::Value("no JSON".into()),
    ] {
        let rules = [down(), with_fault(fault)];
        let error = key().sign("ann", MINUTE, &rules, now()).unwrap_err();
        let TokenError::Refused(error) = error else {
            panic!("{error:?}");
        };
        assert_eq!((error.rule(), error.field()), (Some("r"), "rules[1]"));
    }
}

/// It was refused, because JSON does not say that the id is the place of the macro.
#[test]
fn a_rule_of_the_macro_is_signed() {
    let rule = chaos_rule::rule!({ "site": "http.server", "faults": [{ "status": 503 }] });
    let signed = key().sign("ann", MINUTE, std::slice::from_ref(&rule), now());
    let token = key().verify(signed.unwrap(), now()).unwrap();
    assert_eq!(token.rules(), [rule]);
}

#[test]
fn what_json_says_in_its_own_way_is_signed() {
    let a = HeaderName::from_static("x-a");
    let z = HeaderName::from_static("x-z");
    let one = || HeaderValue::from_static("1");
    let matcher = Matcher::new()
        .path(Text::is("/products/1"))
        .header(z.clone(), Text::is("1"))
        .header(a.clone(), Text::is("2"))
        .label("z", Text::is("1"))
        .label("a", Text::is("2"))
        .query("z", Text::is("1"))
        .query("a", Text::is("2"));
    let edit = HeaderEdit::new().set(z, one()).unwrap();
    let edit = edit.set(a, one()).unwrap();
    let custom = chaos_core::fault::CustomFault::new("own", "{ \"b\": 1, \"a\": 2 }");
    let rule = with_fault(Fault::Headers(edit, chaos_core::Direction::Request))
        .then(Fault::Custom(custom))
        .then(Fault::Value("{ \"left\": 1 }".into()))
        .matching(matcher);
    key().sign("ann", MINUTE, &[rule], now()).unwrap();
}
