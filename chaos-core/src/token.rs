//! Tokens: signed rules that travel with one request.
//!
//! A token is checked in this order: its size, its signature, its claims, its times, and last its
//! rules. So no content of a forged token is read, and no rule of an expired one is built.

mod claims;
mod error;
mod jwt;
mod same;

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::Value;

pub use self::{
    claims::rules_from_value,
    error::{TokenError, TokenKeyError},
};
use self::{
    claims::{Claims, since_epoch},
    jwt::Secret,
    same::is_same,
};
use crate::{error::RuleError, rule::Rule};

/// The largest token that is accepted. It is checked before anything else.
const MOST_BYTES: usize = 8 * 1024;

/// The shortest secret, as long as the hash (RFC 7518, section 3.2).
const LEAST_SECRET: usize = 32;

/// Signs tokens and verifies them.
///
/// A token is a JWT, signed with HS256. Its claims:
///
/// | claim | meaning |
/// |---|---|
/// | `exp` | when it expires, in seconds since 1970: at most an hour ([`longest`](Self::longest)) from now, and from `iat` if that is given |
/// | `sub` | whose token it is: 1 to 256 bytes |
/// | `rules` | 1 to 16 rules in the [wire](crate::wire) format; one without an `id` is named `token-0`, `token-1` … for its place |
/// | `nbf` | optional: the time before which it is not valid |
/// | `iat` | optional: when it was issued |
///
/// Other claims are ignored. Times are compared without leeway: on a machine whose clock is wrong
/// by a minute, a token expires a minute early or late.
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// use chaos_core::{Fault, Rule, token::{TokenError, TokenKey}};
///
/// let key = TokenKey::new(b"32 bytes or more, and only you know")?;
/// let rule = Rule::new("down".parse()?, "http.server".parse()?, Fault::status(503)?);
/// let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
///
/// let signed = key.sign("ann@example.com", Duration::from_secs(60), &[rule], now)?;
/// let token = key.verify(&signed, now)?;
/// assert_eq!(token.subject(), "ann@example.com");
/// assert_eq!(token.rules()[0].fault_names(), "status");
///
/// let later = now + Duration::from_secs(60);
/// assert_eq!(key.verify(&signed, later), Err(TokenError::Expired));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct TokenKey {
    /// The first secret signs; each is accepted. There is at least one.
    secrets: Vec<Secret>,
    longest: Duration,
}

impl TokenKey {
    /// The longest lifetime of a token, unless it is set.
    const USUAL: Duration = Duration::from_secs(60 * 60);
    /// The longest lifetime that can be set.
    const CAP: Duration = Duration::from_secs(24 * 60 * 60);

    /// Creates a key from a secret of at least 32 bytes. Anyone who knows the secret can inject faults,
    /// so take it from a random number generator: a sentence of 32 bytes is easier to guess.
    ///
    /// # Errors
    /// Returns an error if `secret` is shorter than 32 bytes.
    pub fn new(secret: &[u8]) -> Result<Self, TokenKeyError> {
        let key = Self {
            secrets: Vec::with_capacity(1),
            longest: Self::USUAL,
        };
        key.also_accepts(secret)
    }

    /// Adds a secret whose tokens are accepted, so that secrets can be rotated one service at a
    /// time. The first secret goes on signing.
    ///
    /// # Errors
    /// Returns an error if `secret` is shorter than 32 bytes.
    pub fn also_accepts(mut self, secret: &[u8]) -> Result<Self, TokenKeyError> {
        if secret.len() < LEAST_SECRET {
            let length = secret.len();
            return Err(TokenKeyError { length });
        }
        self.secrets.push(Secret::new(secret));
        Ok(self)
    }

    /// Sets how long a token may live, up to 24 hours; a longer time is cut to 24 hours. The
    /// default is one hour. With zero, no token is accepted.
    #[must_use]
    pub fn longest(mut self, longest: Duration) -> Self {
        self.longest = longest.min(Self::CAP);
        self
    }

    /// Signs a token with these rules, for `lifetime` in whole seconds from `now`.
    ///
    /// # Errors
    /// Returns the error that [`verify`](Self::verify) would return for the token at `now`: if the
    /// lifetime is longer than allowed or shorter than a second, the subject is empty or longer
    /// than 256 bytes, there are no rules or more than 16, or the token is larger than 8 KiB.
    /// Returns [`TokenError::Refused`] if JSON cannot represent a rule, such as one that answers
    /// with a body that is not text.
    pub fn sign(
        &self,
        subject: &str,
        lifetime: Duration,
        rules: &[Rule],
        now: SystemTime,
    ) -> Result<String, TokenError> {
        let token = self.secrets[0].sign(&Claims::written(subject, lifetime, rules, now));
        let read = self.verify(&token, now)?;
        let mut pairs = rules.iter().zip(read.rules()).enumerate();
        match pairs.find(|(_, (meant, read))| !is_same(meant, read)) {
            None => Ok(token),
            Some((at, (meant, _))) => {
                let field = format!("rules[{at}]");
                let problem = "JSON cannot represent it";
                let error = RuleError::new(field, problem, "a rule that the wire format has");
                Err(TokenError::Refused(error.in_rule(meant.id.as_str())))
            }
        }
    }

    /// Verifies a token at the time `now`, and reads it.
    ///
    /// # Errors
    /// Returns the first check that failed, in this order: size, signature, claims, times, rules.
    pub fn verify(&self, token: impl AsRef<[u8]>, now: SystemTime) -> Result<Token, TokenError> {
        self.verify_at(token.as_ref(), now)
    }

    /// Signs other claims than those of a token, such as a document for a fleet. They are not checked, and no time is
    /// added to them.
    ///
    /// Claims without the rules of a token are no token: [`verify`](Self::verify) refuses them.
    #[must_use]
    pub fn sign_claims(&self, claims: &Value) -> String {
        self.secrets[0].sign(claims.to_string().as_bytes())
    }

    /// Verifies the signature of claims that [`sign_claims`](Self::sign_claims) has signed, at most `most_bytes` long, and
    /// returns them. What they say, such as when they expire, is for the caller to check.
    ///
    /// # Errors
    /// Returns an error if the text is too long, is no JWT, or no secret of this key has signed it.
    pub fn open_claims(
        &self,
        signed: impl AsRef<[u8]>,
        most_bytes: usize,
    ) -> Result<Value, TokenError> {
        let signed = signed.as_ref();
        match signed.len() > most_bytes {
            true => Err(TokenError::Oversized),
            false => jwt::open(signed, &self.secrets),
        }
    }

    /// Verifies a token; `verify` without its type parameter.
    pub(crate) fn verify_at(&self, token: &[u8], now: SystemTime) -> Result<Token, TokenError> {
        if token.len() > MOST_BYTES {
            return Err(TokenError::Oversized);
        }
        let claims: Claims = jwt::open(token, &self.secrets)?;
        let subject = claims.subject()?.into();
        let expires = claims.expires(now, self.longest)?;
        Ok(Token {
            subject,
            remaining: expires - since_epoch(now),
            expires: UNIX_EPOCH.checked_add(expires).ok_or(TokenError::TooLong)?,
            rules: claims.into_rules().map_err(TokenError::Refused)?,
        })
    }
}

/// Writes how many secrets there are, and none of them.
impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKey")
            .field("secrets", &self.secrets.len())
            .field("longest", &self.longest)
            .finish()
    }
}

/// A token that was verified.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    subject: Box<str>,
    expires: SystemTime,
    remaining: Duration,
    rules: Vec<Rule>,
}

impl Token {
    /// Returns whose token it is.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Returns when the token expires. Its rules end then, whatever their `ttl`.
    #[must_use]
    pub fn expires(&self) -> SystemTime {
        self.expires
    }

    /// Returns the time from the verification until the token expires: above zero, at most 24
    /// hours.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.remaining
    }

    /// Returns the rules, of which there are 1 to 16, with distinct ids.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Returns the rules, consuming the token.
    #[must_use]
    pub fn into_rules(self) -> Vec<Rule> {
        self.rules
    }
}
