//! A token that is forged, over, too large or no token is refused by name, and nothing of it counts.

use std::{
    error::Error,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use chaos_core::{
    Fault, Rule,
    token::{Token, TokenError, TokenKey},
};
use hmac::{Hmac, Mac};
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::{Sha256, Sha384, Sha512};

const SECRET: &[u8] = b"this secret is of 32 bytes, fine";
const SECONDS: u64 = 1_800_000_000;
const HS256: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(SECONDS)
}

fn key() -> TokenKey {
    TokenKey::new(SECRET).unwrap()
}

fn verify(token: impl AsRef<[u8]>) -> Result<Token, TokenError> {
    key().verify(token, now())
}

fn name(result: Result<Token, TokenError>) -> &'static str {
    result
        .as_ref()
        .map_or_else(TokenError::name, |_| "accepted")
}

fn message(header: &str, claims: &str) -> String {
    format!("{}.{}", BASE64.encode(header), BASE64.encode(claims))
}

macro_rules! signed {
    ($hash:ty, $message:expr) => {{
        let message: String = $message;
        let mut mac = Hmac::<$hash>::new_from_slice(SECRET).unwrap();
        mac.update(message.as_bytes());
        let signature = BASE64.encode(mac.finalize().into_bytes());
        format!("{message}.{signature}")
    }};
}

fn claims() -> Value {
    json!({
        "exp": SECONDS + 60,
        "sub": "ann",
        "rules": [{ "id": "down", "site": "http.server", "faults": [{ "status": 503 }] }],
    })
}

/// The claims of a good token, with one in place of its own; `Null` takes it out.
fn with(claim: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[claim] = value;
    if claims[claim].is_null() {
        claims.as_object_mut().unwrap().remove(claim);
    }
    claims
}

/// What is said of genuine claims.
fn said(claims: impl ToString) -> &'static str {
    name(verify(signed!(Sha256, message(HS256, &claims.to_string()))))
}

#[test]
fn the_tokens_these_tests_start_from_are_good() {
    assert_eq!(said(claims()), "accepted");
}

#[test]
fn a_token_of_another_key_is_forged() {
    let other = TokenKey::new(b"another secret, which is as long").unwrap();
    let rule = Rule::new(
        "r".parse().unwrap(),
        "s".parse().unwrap(),
        Fault::error("e"),
    );
    let token = other.sign("ann", Duration::from_secs(60), &[rule], now());
    assert_eq!(verify(token.unwrap()), Err(TokenError::Forged));
}

#[test]
fn no_other_algorithm_is_taken() {
    let claims = claims().to_string();
    let header = |alg: &str| json!({ "alg": alg, "typ": "JWT" }).to_string();
    let good = signed!(Sha256, message(HS256, &claims));
    let signature = good.rsplit('.').next().unwrap();
    for alg in [
        "none", "None", "HS384", "HS512", "RS256", "ES256", "PS256", "EdDSA", "hs256", "",
    ] {
        let message = message(&header(alg), &claims);
        // Without a signature, with that of another header, and with one that the key itself made.
        assert_eq!(
            verify(format!("{message}.")),
            Err(TokenError::Forged),
            "{alg}"
        );
        let borrowed = format!("{message}.{signature}");
        assert_eq!(verify(borrowed), Err(TokenError::Forged), "{alg}");
        assert_eq!(
            verify(signed!(Sha256, message.clone())),
            Err(TokenError::Forged),
            "{alg}"
        );
    }
    for header in [header("HS384"), header("HS512"), HS256.to_owned()] {
        let message = message(&header, &claims);
        assert_eq!(
            verify(signed!(Sha384, message.clone())),
            Err(TokenError::Forged)
        );
        assert_eq!(verify(signed!(Sha512, message)), Err(TokenError::Forged));
    }
}

#[test]
fn a_signature_that_is_cut_short_is_forged() {
    let token = signed!(Sha256, message(HS256, &claims().to_string()));
    let (message, signature) = token.rsplit_once('.').unwrap();
    let signature = BASE64.decode(signature).unwrap();
    for length in 0..signature.len() {
        let short = BASE64.encode(&signature[..length]);
        assert_eq!(
            verify(format!("{message}.{short}")),
            Err(TokenError::Forged)
        );
    }
}

/// A regression would show as `Malformed`: the claims and the header are no JSON at all.
#[test]
fn nothing_is_read_before_the_signature_is_checked() {
    for (header, claims) in [("nonsense", "nonsense"), (HS256, "[[[["), ("{", "{}")] {
        let token = format!("{}.{}", message(header, claims), BASE64.encode([7; 32]));
        assert_eq!(verify(token), Err(TokenError::Forged));
    }
    let not_even_base64 = format!("!!.??.{}", BASE64.encode([7; 32]));
    assert_eq!(verify(not_even_base64), Err(TokenError::Forged));
}

#[test]
fn size_comes_before_everything() {
    let padded = |length: usize| {
        let claims = with("padding", json!("a".repeat(length)));
        signed!(Sha256, message(HS256, &claims.to_string()))
    };
    let fits = (1..=8192)
        .rev()
        .map(padded)
        .find(|token| token.len() <= 8192);
    let fits = fits.unwrap();
    assert!(fits.len() > 8100, "{}", fits.len());
    assert_eq!(name(verify(&fits)), "accepted");
    assert_eq!(name(verify(padded(8192))), "oversized");
    assert_eq!(name(verify(vec![b'.'; 8193])), "oversized");
    assert_eq!(name(verify(vec![b'.'; 8192])), "malformed");
    assert_eq!(name(verify(vec![0; 10_000_000])), "oversized");
}

#[test]
fn what_is_no_jwt_is_malformed() {
    let good = signed!(Sha256, message(HS256, &claims().to_string()));
    let (message, signature) = good.rsplit_once('.').unwrap();
    for token in [
        String::new(),
        ".".into(),
        "..x".into(),
        "...".into(),
        "a.b".into(),
        message.into(),
        format!("{good}."),
        format!(".{good}"),
        format!("{good}="),
        format!("{good} "),
        format!("Bearer {good}\n"),
        // A JWE has five parts.
        format!("a.b.c.d.{signature}"),
        format!("{message}.+/+/"),
    ] {
        assert_eq!(name(verify(&token)), "malformed", "{token}");
    }
}

#[test]
fn a_header_that_asks_for_what_we_do_not_know_is_refused() {
    let with_header = |header: &str| {
        name(verify(signed!(
            Sha256,
            message(header, &claims().to_string())
        )))
    };
    assert_eq!(
        with_header(r#"{"alg":"HS256","kid":"1","typ":"at+jwt","x":{}}"#),
        "accepted"
    );
    assert_eq!(with_header(r#"{"alg":"HS256"}"#), "accepted");
    let unencoded = r#"{"alg":"HS256","b64":false,"crit":["b64"]}"#;
    for header in [
        unencoded,
        "{}",
        "",
        "null",
        r#"["HS256",null]"#,
        r#"{"alg":["HS256"]}"#,
        r#"{"alg":"HS256","alg":"HS256"}"#,
    ] {
        assert_eq!(with_header(header), "malformed", "{header}");
    }
}

#[test]
fn what_a_token_must_say_is_required() {
    for claim in ["exp", "sub", "rules"] {
        assert_eq!(said(with(claim, Value::Null)), "malformed", "{claim}");
    }
    for claims in [
        "",
        "{",
        "null",
        "7",
        "[]",
        "{}",
        r#"[1800000060,null,null,"ann",[{"site":"s","faults":[{"status":503}]}]]"#,
        r#"{"exp":1800000060,"exp":1800000060,"sub":"a","rules":[{"site":"s","faults":[{"status":503}]}]}"#,
    ] {
        assert_eq!(said(claims), "malformed", "{claims}");
    }
    assert_eq!(said(format!("{} x", claims())), "malformed");
    assert_eq!(said(with("sub", json!(""))), "malformed");
    assert_eq!(said(with("sub", json!("a".repeat(257)))), "malformed");
    assert_eq!(said(with("sub", json!(7))), "malformed");
    assert_eq!(said(with("rules", json!({ "site": "s" }))), "malformed");
}

#[test]
fn times_are_numbers() {
    let text = (SECONDS + 60).to_string();
    for claim in ["exp", "nbf", "iat"] {
        for time in [
            json!(text),
            json!(-1),
            json!(-0.5),
            json!(1e300),
            json!([SECONDS]),
            json!(true),
        ] {
            assert_eq!(
                said(with(claim, time.clone())),
                "malformed",
                "{claim} {time}"
            );
        }
    }
    assert_eq!(
        said(claims().to_string().replace("1800000060", "1e999")),
        "malformed"
    );
}

#[test]
fn times_are_kept_to_the_second() {
    let exp = |exp: Value| said(with("exp", exp));
    assert_eq!(exp(json!(0)), "expired");
    assert_eq!(exp(json!(SECONDS - 1)), "expired");
    assert_eq!(exp(json!(SECONDS)), "expired");
    assert_eq!(exp(json!(SECONDS as f64 + 0.5)), "accepted");
    assert_eq!(exp(json!(SECONDS + 3600)), "accepted");
    assert_eq!(exp(json!(SECONDS + 3601)), "too_long");
    assert_eq!(exp(json!(u64::MAX)), "too_long");
    assert_eq!(exp(json!(1e18)), "too_long");

    let nbf = |nbf: Value| said(with("nbf", nbf));
    assert_eq!(nbf(json!(SECONDS)), "accepted");
    assert_eq!(nbf(json!(SECONDS as f64 + 0.5)), "not_yet_valid");
    assert_eq!(nbf(json!(u64::MAX)), "not_yet_valid");

    // With `iat`, a long life is seen even near its end; one in the future changes nothing.
    let iat = |iat: Value| said(with("iat", iat));
    assert_eq!(iat(json!(SECONDS + 60 - 3600)), "accepted");
    assert_eq!(iat(json!(SECONDS + 60 - 3601)), "too_long");
    assert_eq!(iat(json!(0)), "too_long");
    assert_eq!(iat(json!(u64::MAX)), "accepted");
}

#[test]
fn a_clock_far_off_is_no_panic() {
    let token = signed!(Sha256, message(HS256, &claims().to_string()));
    let far = Duration::from_secs(1 << 62);
    let long_ago = UNIX_EPOCH.checked_sub(far).unwrap_or(UNIX_EPOCH);
    assert_eq!(key().verify(&token, long_ago), Err(TokenError::TooLong));
    let far_on = UNIX_EPOCH.checked_add(far).unwrap_or_else(now);
    assert!(key().verify(&token, far_on).is_err());
    let rule = Rule::new(
        "r".parse().unwrap(),
        "s".parse().unwrap(),
        Fault::error("e"),
    );
    for at in [long_ago, far_on] {
        let _ = key().sign("ann", Duration::MAX, std::slice::from_ref(&rule), at);
    }
}

#[test]
fn rules_that_are_none_are_refused_by_name() {
    let rule = |id: &str| json!({ "id": id, "site": "s", "faults": [{ "status": 503 }] });
    let unnamed = json!({ "site": "s", "faults": [{ "status": 503 }] });
    let numbered = |count: usize| (0..count).map(|at| rule(&format!("r{at}"))).collect();
    let regex = json!({ "regex": "a" });
    let many: Vec<_> = (0..257).map(|_| regex.clone()).collect();
    let many = json!({ "site": "s", "match": { "path": many }, "faults": [{ "status": 503 }] });
    assert_eq!(said(with("rules", Value::Array(numbered(16)))), "accepted");
    for (rules, field) in [
        (json!([]), "rules"),
        (Value::Array(numbered(17)), "rules"),
        (json!([7]), "rules[0]"),
        (json!([rule("a"), rule("b"), rule("a")]), "rules[2].id"),
        // An id that someone has taken already.
        (json!([rule("token-1"), unnamed]), "rules[1].id"),
        (json!([rule("no slash/")]), "rules[0].id"),
        (
            json!([rule("a"), { "id": "b", "site": "s", "faults": [] }]),
            "rules[1].faults",
        ),
        (
            json!([{ "site": "s", "rate": 2, "faults": [{ "status": 503 }] }]),
            "rules[0].rate",
        ),
        (
            json!([{ "site": "s", "typo": 2, "faults": [{ "status": 503 }] }]),
            "rules[0].typo",
        ),
        (json!([many]), "rules"),
        // What a guard rail measures are everyone's calls.
        (
            json!([rule("a"), { "site": "http.server", "faults": [{ "status": 503 }], "guards": [{ "error_ratio": 0.1 }] }]),
            "rules[1].guards",
        ),
    ] {
        let claims = with("rules", rules).to_string();
        let error = verify(signed!(Sha256, message(HS256, &claims))).unwrap_err();
        assert_eq!(error.name(), "refused", "{field}: {error}");
        assert!(error.source().is_some());
        let TokenError::Refused(error) = error else {
            unreachable!()
        };
        assert!(error.field().starts_with(field), "{field}: {error}");
    }
}

/// Times are checked before the rules: rules of a token that is over are nobody's.
#[test]
fn rules_of_a_token_that_is_over_are_not_read() {
    let mut claims = with("rules", json!([7]));
    claims["exp"] = json!(SECONDS);
    assert_eq!(said(claims), "expired");
}

#[test]
fn deep_nesting_is_no_panic() {
    for claims in [
        format!("{}{}", "[".repeat(5000), "]".repeat(900)),
        format!("{{\"a\":{}", "[".repeat(5900)),
        format!("{{\"rules\":{}", "[{\"a\":".repeat(900)),
        format!("{{\"rules\":{}{}}}", "[".repeat(2900), "]".repeat(2900)),
    ] {
        assert_eq!(said(&claims), "malformed", "{}", &claims[..20]);
    }
}

proptest! {
    #[test]
    fn random_bytes_are_no_token(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(verify(bytes).is_err());
    }

    #[test]
    fn random_parts_are_no_token(
        header in "[a-zA-Z0-9_-]{0,40}",
        claims in "[a-zA-Z0-9_-]{0,80}",
        signature in "[a-zA-Z0-9_-]{43}",
    ) {
        let token = format!("{header}.{claims}.{signature}");
        prop_assert!(verify(token).is_err());
    }

    /// Whatever is signed with the key, it is read or refused.
    #[test]
    fn signed_nonsense_is_refused(header in any::<bool>(), claims in ".{0,200}") {
        let header = if header { HS256 } else { &claims };
        let token = signed!(Sha256, message(header, &claims));
        prop_assert_eq!(name(verify(token)), "malformed");
    }

    /// One byte of a good token changed, or a piece taken out or put in, and it is none.
    #[test]
    fn a_changed_token_is_none(
        at in any::<prop::sample::Index>(),
        length in 0usize..5,
        put in prop::collection::vec(any::<u8>(), 0..5),
    ) {
        let good = signed!(Sha256, message(HS256, &claims().to_string())).into_bytes();
        let at = at.index(good.len());
        let mut changed = good.clone();
        changed.splice(at..good.len().min(at + length), put);
        prop_assume!(changed != good);
        let said = name(verify(&changed));
        prop_assert!(said == "forged" || said == "malformed", "{}", said);
    }
}
