//! A document as it lies in etcd: signed by who has put it, and decided for whom it is meant.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chaos_core::{
    Rule,
    token::{TokenError, TokenKey},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    aim::Decided,
    document::{Document, FleetTerms, LeashKind, read, rules_of},
    error::Refusal,
    name::Name,
};

/// The largest value that is read, in bytes. etcd itself takes at most 1.5 MiB.
pub(crate) const MOST_BYTES: usize = 1024 * 1024;

/// Who may put documents. There are these two ways, and no more.
#[derive(Clone, Debug)]
pub enum Trust {
    /// Anyone who knows a secret of the key may put documents. They are signed with its first secret, and each is accepted.
    Key(TokenKey),
    /// Anyone who may write to etcd may put documents. They are not signed, so one can be put in the name of somebody else.
    Store,
}

/// A document as replicas read it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sealed {
    /// Who has put it.
    pub(crate) by: String,
    pub(crate) reason: Option<String>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) decided: Decided,
    pub(crate) ttl: Duration,
    /// When it ends at the latest, by the clocks of the day.
    pub(crate) ends_at: SystemTime,
    pub(crate) leash: LeashKind,
    pub(crate) fleet: FleetTerms,
    /// How many injections of the limit a replica takes at a time.
    pub(crate) chunk: u64,
}

/// What is signed. The claims are those of RFC 7519 as far as there are such.
#[derive(Deserialize, Serialize)]
struct Claims {
    /// The fleet.
    aud: Name,
    /// The document's name, so that nobody puts it under another.
    jti: Name,
    sub: String,
    iat: u64,
    exp: u64,
    document: Body,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Body {
    rules: Value,
    meant: Decided,
    /// In milliseconds.
    ttl: u64,
    #[serde(default)]
    leash: LeashKind,
    #[serde(default)]
    fleet: FleetTerms,
    chunk: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// What a document is put with.
pub(crate) struct Terms<'t> {
    pub(crate) fleet: &'t Name,
    pub(crate) by: &'t str,
    pub(crate) reason: Option<&'t str>,
    pub(crate) decided: Decided,
    /// The number of replicas that share the limit.
    pub(crate) replicas: usize,
    pub(crate) now: SystemTime,
}

impl Trust {
    /// Returns the value that is put into etcd for a document.
    ///
    /// # Errors
    /// Returns an error if it is larger than replicas read.
    pub(crate) fn seal(&self, document: &Document, terms: Terms<'_>) -> Result<Vec<u8>, Refusal> {
        let iat = seconds(terms.now);
        let limit = document.fleet.limit.unwrap_or(0);
        let shares = u64::try_from(terms.replicas.max(1)).unwrap_or(u64::MAX);
        let claims = Claims {
            aud: terms.fleet.clone(),
            jti: document.name.clone(),
            sub: terms.by.to_owned(),
            iat,
            // A replica whose clock is a little ahead has the whole `ttl`, too.
            exp: iat + document.ttl.as_secs() + Sealed::SLACK,
            document: Body {
                rules: document.written.clone(),
                meant: terms.decided,
                ttl: u64::try_from(document.ttl.as_millis()).unwrap_or(u64::MAX),
                leash: document.leash,
                fleet: document.fleet,
                chunk: (limit / shares.saturating_mul(10)).max(1),
                reason: terms.reason.map(str::to_owned),
            },
        };
        let claims = serde_json::to_value(claims).expect("claims are JSON");
        let value = match self {
            Self::Key(key) => key.sign_claims(&claims).into_bytes(),
            Self::Store => claims.to_string().into_bytes(),
        };
        match value.len() > MOST_BYTES {
            true => Err(too_large(value.len())),
            false => Ok(value),
        }
    }

    /// Reads a value of etcd at the key of the document `name`.
    ///
    /// # Errors
    /// Returns an error that says what is wrong: the signature, the fleet, the name, the time or a field.
    pub(crate) fn open(
        &self,
        value: &[u8],
        fleet: &Name,
        name: &Name,
        now: SystemTime,
    ) -> Result<Sealed, Refusal> {
        if value.len() > MOST_BYTES {
            return Err(too_large(value.len()));
        }
        let claims = match self {
            Self::Key(key) => key.open_claims(value, MOST_BYTES).map_err(unsigned)?,
            Self::Store => serde_json::from_slice(value)
                .map_err(|error| Refusal::new("", format!("no JSON: {error}"), "a document"))?,
        };
        let sealed = Sealed::of(claims, fleet, name)?;
        match sealed.ends_at <= now {
            true => Err(Refusal::new("exp", "it has expired", "a time to come")),
            false => Ok(sealed),
        }
    }
}

impl Sealed {
    /// The difference of two clocks that changes nothing, in seconds.
    pub(crate) const SLACK: u64 = 60;

    /// Reads claims of the document `name`, whether it has expired or not.
    pub(crate) fn of(claims: Value, fleet: &Name, name: &Name) -> Result<Self, Refusal> {
        let objects = ["", "/document", "/document/meant", "/document/fleet"];
        let claims: Claims = read(claims, &objects)?;
        for (field, signed, expected) in [("aud", &claims.aud, fleet), ("jti", &claims.jti, name)] {
            if signed != expected {
                let problem = format!("it is signed for `{signed}`");
                return Err(Refusal::new(field, problem, format!("`{expected}`")));
            }
        }
        let body = claims.document;
        Ok(Self {
            by: claims.sub,
            reason: body.reason,
            rules: rules_of(&body.rules)?,
            decided: body.meant,
            ttl: Duration::from_millis(body.ttl).min(Document::LONGEST),
            ends_at: UNIX_EPOCH
                .checked_add(Duration::from_secs(claims.exp))
                .ok_or_else(|| Refusal::new("exp", "it is no time", "seconds since 1970"))?,
            leash: body.leash,
            fleet: body.fleet.check()?,
            chunk: body.chunk.max(1),
        })
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

fn too_large(length: usize) -> Refusal {
    let problem = format!("a document of {length} bytes");
    Refusal::new("", problem, format!("at most {MOST_BYTES} bytes"))
}

fn unsigned(error: TokenError) -> Refusal {
    let problem = match error {
        TokenError::Forged => "no known key has signed it",
        TokenError::Oversized => "it is too large",
        _ => "it is not signed",
    };
    Refusal::new(
        "",
        problem,
        "a document that a key of this fleet has signed",
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::aim::Aim;

    const NOW: SystemTime = UNIX_EPOCH;

    fn document() -> Document {
        Document::from_value(json!({
            "name": "lost",
            "rules": [{ "id": "lost", "site": "db.read", "faults": [{ "error": "lost" }] }],
            "ttl": "10m",
            "fleet": { "limit": 1000 },
        }))
        .unwrap()
    }

    fn seal(trust: &Trust) -> Vec<u8> {
        let document = document();
        let terms = Terms {
            fleet: &"shop".parse().unwrap(),
            by: "ann",
            reason: Some("a test"),
            decided: Aim::default().decide(document.name(), &[], None),
            replicas: 50,
            now: NOW,
        };
        trust.seal(&document, terms).unwrap()
    }

    fn key(secret: u8) -> Trust {
        Trust::Key(TokenKey::new(&[secret; 32]).unwrap())
    }

    fn open(
        trust: &Trust,
        value: &[u8],
        fleet: &str,
        name: &str,
        at: u64,
    ) -> Result<Sealed, Refusal> {
        let now = NOW + Duration::from_secs(at);
        trust.open(value, &fleet.parse().unwrap(), &name.parse().unwrap(), now)
    }

    #[test]
    fn what_is_sealed_is_read() {
        for trust in [key(1), Trust::Store] {
            let sealed = open(&trust, &seal(&trust), "shop", "lost", 0).unwrap();
            assert_eq!((&*sealed.by, sealed.chunk), ("ann", 2));
            assert_eq!(sealed.rules, document().rules());
            assert_eq!(sealed.ttl, Duration::from_secs(600));
            assert_eq!(sealed.ends_at, NOW + Duration::from_secs(660));
        }
    }

    #[test]
    fn forged_foreign_expired_and_unsigned_documents_are_refused() {
        let trust = key(1);
        let signed = seal(&trust);
        for (value, fleet, name, at, expected) in [
            (seal(&key(2)), "shop", "lost", 0, "no known key"),
            (seal(&Trust::Store), "shop", "lost", 0, "not signed"),
            (signed.clone(), "other", "lost", 0, "aud"),
            (signed.clone(), "shop", "found", 0, "jti"),
            (signed.clone(), "shop", "lost", 660, "expired"),
            (b"{}".to_vec(), "shop", "lost", 0, "not signed"),
            (
                vec![b'x'; 2 * 1024 * 1024],
                "shop",
                "lost",
                0,
                "2097152 bytes",
            ),
        ] {
            let refusal = open(&trust, &value, fleet, name, at).unwrap_err();
            assert!(
                refusal.to_string().contains(expected),
                "{expected}: {refusal}"
            );
        }
        // A signed text is no plain document.
        assert!(open(&Trust::Store, &signed, "shop", "lost", 0).is_err());
    }

    #[test]
    fn a_token_of_a_request_is_no_document_and_the_other_way_round() {
        let key = TokenKey::new(&[1; 32]).unwrap();
        let token = key.sign("ann", Duration::from_secs(60), document().rules(), NOW);
        let trust = Trust::Key(key.clone());
        assert!(open(&trust, token.unwrap().as_bytes(), "shop", "lost", 0).is_err());
        assert_eq!(key.verify(seal(&trust), NOW), Err(TokenError::Malformed));
    }
}
