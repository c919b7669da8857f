//! The claims of a token: until when, for whom, and which rules. All of them are signed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::{Number, Value, json};

use super::TokenError;
use crate::{
    error::RuleError,
    rule::Rule,
    wire::{rule_to_value, rules_from_json},
};

/// The most rules of a token, more than one request needs.
const MOST_RULES: usize = 16;

/// The longest subject in bytes, longer than a name.
const LONGEST_SUBJECT: usize = 256;

/// The claims that are read. Others are ignored, as RFC 7519 asks for.
#[derive(Deserialize)]
pub(super) struct Claims {
    exp: Number,
    nbf: Option<Number>,
    iat: Option<Number>,
    sub: String,
    rules: Vec<Value>,
}

impl Claims {
    /// Writes the claims as JSON. Times are whole seconds, which every reader understands; the
    /// lifetime is rounded down.
    pub(super) fn written(
        subject: &str,
        lifetime: Duration,
        rules: &[Rule],
        now: SystemTime,
    ) -> Vec<u8> {
        let iat = since_epoch(now).as_secs();
        let exp = iat.saturating_add(lifetime.as_secs());
        let rules: Vec<Value> = rules.iter().map(rule_to_value).collect();
        let claims = json!({ "exp": exp, "iat": iat, "sub": subject, "rules": rules });
        claims.to_string().into_bytes()
    }

    /// Returns whose token it is.
    pub(super) fn subject(&self) -> Result<&str, TokenError> {
        match self.sub.len() {
            1..=LONGEST_SUBJECT => Ok(&self.sub),
            _ => Err(TokenError::Malformed),
        }
    }

    /// Returns when the token expires, in time since 1970, if it is valid at `now`. There is no
    /// leeway: a difference of clocks moves the times by as much.
    pub(super) fn expires(
        &self,
        now: SystemTime,
        longest: Duration,
    ) -> Result<Duration, TokenError> {
        let now = since_epoch(now);
        let exp = time(&self.exp)?;
        let nbf = self.nbf.as_ref().map(time).transpose()?;
        let iat = self.iat.as_ref().map(time).transpose()?;
        // RFC 7519: invalid "on or after" `exp`, and "before" `nbf`.
        if exp <= now {
            return Err(TokenError::Expired);
        }
        if nbf.is_some_and(|nbf| now < nbf) {
            return Err(TokenError::NotYetValid);
        }
        // A token that was issued for a year is not accepted in its last hour either.
        let made = iat.map_or(now, |iat| iat.min(now));
        if exp - made > longest {
            return Err(TokenError::TooLong);
        }
        Ok(exp)
    }

    /// Returns the rules.
    pub(super) fn into_rules(self) -> Result<Vec<Rule>, RuleError> {
        rules_from_value(Value::Array(self.rules))
    }
}

/// Reads the rules of a token from the list that its claim `rules` has. A rule without an id is
/// named for its place: `token-0`, `token-1` ….
///
/// ```
/// use chaos_core::token::rules_from_value;
/// use serde_json::json;
///
/// let rules = rules_from_value(json!([{ "site": "db.read", "faults": [{ "error": "lost" }] }]))?;
/// assert_eq!(rules[0].id().as_str(), "token-0");
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
///
/// # Errors
/// Returns an error if the value is not a list of 1 to 16 rules, if the wire format refuses a rule, or
/// if a rule has a guard rail or the id of an earlier one.
pub fn rules_from_value(rules: Value) -> Result<Vec<Rule>, RuleError> {
    let refuse = |problem| RuleError::new("rules", problem, "a list of 1 to 16 rules");
    let Value::Array(mut rules) = rules else {
        return Err(refuse("not a list".to_owned()));
    };
    if !(1..=MOST_RULES).contains(&rules.len()) {
        return Err(refuse(format!("{} rules", rules.len())));
    }
    for (at, rule) in rules.iter_mut().enumerate() {
        if let Value::Object(rule) = rule {
            let unnamed = || format!("token-{at}").into();
            rule.entry("id").or_insert_with(unnamed);
        }
    }
    let rules = rules_from_json(json!({ "rules": rules }).to_string().as_bytes())?;
    for (at, rule) in rules.iter().enumerate() {
        let here = |error: RuleError| error.under(&format!("rules[{at}]"));
        rule.has_no_guard_rail()
            .map_err(|error| here(error).in_rule(rule.id.as_str()))?;
        if rules[..at].iter().any(|earlier| earlier.id == rule.id) {
            let field = format!("rules[{at}].id");
            let allowed = "an id that no other rule has";
            let error = RuleError::new(field, "an earlier rule has this id", allowed);
            return Err(error.in_rule(rule.id.as_str()));
        }
    }
    Ok(rules)
}

/// Returns the time since 1970; zero on a machine whose clock is before that.
pub(super) fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Reads a NumericDate of RFC 7519: seconds since 1970, which may have a fraction.
fn time(seconds: &Number) -> Result<Duration, TokenError> {
    let whole = seconds.as_u64().map(Duration::from_secs);
    let time = whole.or_else(|| Duration::try_from_secs_f64(seconds.as_f64()?).ok());
    time.ok_or(TokenError::Malformed)
}
