//! Tokens: rules that travel with one request, signed by someone who may.
//!
//! What is checked, in this order: the size, the signature, then the claims, the times, and last the
//! rules. So nothing of a token that is not genuine is read, and nothing of one that is over is
//! made a rule.

mod claims;
mod error;
mod jwt;
mod same;

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

pub use self::error::{TokenError, TokenKeyError};
use self::{
    claims::{Claims, since_epoch},
    jwt::Secret,
    same::is_same,
};
use crate::{error::RuleError, rule::Rule};

/// Larger than a header should be; checked before anything else is.
const MOST_BYTES: usize = 8 * 1024;

/// As long as the hash: RFC 7518 asks for it.
const LEAST_SECRET: usize = 32;

/// Signs tokens, and says which are genuine.
///
/// A token is a JWT, signed with HS256. Its claims:
///
/// | claim | means |
/// |---|---|
/// | `exp` | when it expires, in seconds since 1970; at most an hour from now ([`longest`](Self::longest)) and, with `iat`, from then |
/// | `sub` | whose it is: 1 to 256 bytes |
/// | `rules` | 1 to 16 rules as on the [wire](crate::wire); one without an `id` is `token-0`, `token-1` … for its place |
/// | `nbf` | if there, not valid before |
/// | `iat` | if there, when it was made |
///
/// Claims of other names are ignored. No clock is given leeway: a machine whose clock is wrong by a
/// minute sees a token expire a minute early or late.
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// use chaos_core::{Fault, Rule, TokenError, TokenKey};
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
    /// The first one signs; each of them is accepted. There is at least one.
    secrets: Vec<Secret>,
    longest: Duration,
}

impl TokenKey {
    const USUAL: Duration = Duration::from_secs(60 * 60);
    const CAP: Duration = Duration::from_secs(24 * 60 * 60);

    /// A key of at least 32 bytes, which only those know who may inject faults. Take them from a
    /// source of chance: a sentence is easier to guess than it is long.
    ///
    /// # Errors
    /// If `secret` is shorter than 32 bytes.
    pub fn new(secret: &[u8]) -> Result<Self, TokenKeyError> {
        let key = Self {
            secrets: Vec::with_capacity(1),
            longest: Self::USUAL,
        };
        key.also_accepts(secret)
    }

    /// Accepts tokens of another secret besides, so that secrets can be replaced one service at a
    /// time. The first one goes on signing.
    ///
    /// # Errors
    /// If `secret` is shorter than 32 bytes.
    pub fn also_accepts(mut self, secret: &[u8]) -> Result<Self, TokenKeyError> {
        if secret.len() < LEAST_SECRET {
            let length = secret.len();
            return Err(TokenKeyError { length });
        }
        self.secrets.push(Secret::new(secret));
        Ok(self)
    }

    /// How long a token may live, in place of one hour: at most 24 hours, which is what more comes
    /// to. With zero, no token is accepted.
    #[must_use]
    pub fn longest(mut self, longest: Duration) -> Self {
        self.longest = longest.min(Self::CAP);
        self
    }

    /// Makes a token, for use with any request until `lifetime`, in whole seconds, is over.
    ///
    /// # Errors
    /// What [`verify`](Self::verify) would say of the token now; so if it lives too long, or less
    /// than a second, its subject is empty or longer than 256 bytes, there are no rules or more
    /// than 16, or it would be larger than 8 KiB. [`TokenError::Refused`] also if JSON cannot say a
    /// rule as it is, such as one that answers with a body that is no text.
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
                let error = RuleError::new(field, "JSON cannot say it", "what the wire format has");
                Err(TokenError::Refused(error.in_rule(meant.id.as_str())))
            }
        }
    }

    /// Reads a token, if it is genuine and valid at `now`.
    ///
    /// # Errors
    /// Says which check was the first to fail, in this order: size, signature, claims, times, rules.
    pub fn verify(&self, token: impl AsRef<[u8]>, now: SystemTime) -> Result<Token, TokenError> {
        self.verify_at(token.as_ref(), now)
    }

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

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKey")
            .field("secrets", &self.secrets.len())
            .field("longest", &self.longest)
            .finish()
    }
}

/// A genuine token, read while it was valid.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    subject: Box<str>,
    expires: SystemTime,
    remaining: Duration,
    rules: Vec<Rule>,
}

impl Token {
    /// Whose it is.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// When it expires; its rules may not outlive it, whatever their `ttl`.
    #[must_use]
    pub fn expires(&self) -> SystemTime {
        self.expires
    }

    /// The time from when it was verified until it expires: more than zero, at most 24 hours.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.remaining
    }

    /// Its rules, 1 to 16 of them, with distinct ids.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Its rules, taken out.
    #[must_use]
    pub fn into_rules(self) -> Vec<Rule> {
        self.rules
    }
}
