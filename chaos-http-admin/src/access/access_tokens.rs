//! The list of access tokens, read from code, a file or an environment variable.
//!
//! Only the SHA-256 digest of a secret is kept. No error, log line or `Debug` output contains a
//! secret, and the time of a comparison does not depend on the secrets.

use std::{env, error::Error, fmt, io, path::Path, sync::Arc};

use chaos_core::{OneLine, WithCauses};
use sha2::{Digest, Sha256};
use subtle::{ConditionallySelectable, ConstantTimeEq};
use zeroize::{Zeroize, Zeroizing};

use crate::access::{
    private_file::{self, Secrecy},
    role::Role,
};

/// The list of access tokens that a port accepts; see
/// [`Admin::access_tokens`](crate::Admin::access_tokens).
///
/// In a file or an environment variable, a token is written `name:role:secret`. Tokens are
/// separated by line breaks or commas; a `#` begins a comment that ends with the line.
///
/// ```
/// use chaos_http_admin::{AccessTokens, Role};
///
/// let tokens = AccessTokens::new()
///     .token("grafana", Role::Observe, "mlXxLB-1cVWSUkYdOoT4Lg")?
///     .token("ann", Role::Arm, "t9gTZpkXcT0uoBPqM3sPrw")?;
/// assert!(!format!("{tokens:?}").contains("t9gT"));
/// # Ok::<(), chaos_http_admin::AccessTokensError>(())
/// ```
///
/// - The **name** identifies the owner in the audit: 1 to 64 characters of `A-Z a-z 0-9 . _ @ -`.
/// - The **role** is `observe`, `stop` or `arm`; see [`Role`].
/// - The **secret** has 16 to 512 bytes of `A-Z a-z 0-9 - . _ ~ + / =`, the characters that
///   `Authorization: Bearer` can carry. Only its randomness protects it from being guessed:
///   generate it, for example with `openssl rand -hex 16`.
/// - Names and secrets are unique in a list. To rotate a secret without downtime, add the new one
///   under a second name, and remove the old one later.
#[derive(Clone, Default, PartialEq)]
pub struct AccessTokens(Vec<AccessToken>);

/// One access token. `Debug` shows its name and role.
#[derive(Clone, PartialEq)]
pub(crate) struct AccessToken {
    pub(crate) name: Arc<str>,
    pub(crate) role: Role,
    digest: Zeroizing<[u8; 32]>,
}

impl AccessTokens {
    /// Creates an empty list, with which a port refuses every request that needs a token.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a token.
    ///
    /// # Errors
    /// Returns an error if the name or the secret is not of the [form described above](Self), or
    /// the list already contains it.
    pub fn token(
        mut self,
        name: impl AsRef<str>,
        role: Role,
        secret: impl AsRef<str>,
    ) -> Result<Self, AccessTokensError> {
        let place = || format!("access token {}", self.0.len() + 1);
        match self.checked(name.as_ref(), role, secret.as_ref()) {
            Ok(token) => {
                self.0.push(token);
                Ok(self)
            }
            Err(problem) => Err(AccessTokensError::at(place(), problem)),
        }
    }

    /// Reads the tokens in the environment variable `variable`.
    ///
    /// The variable is not removed from the environment, where other code of this process can read
    /// it.
    ///
    /// # Errors
    /// Returns an error if the variable is not set or not UTF-8, contains no token, or contains one
    /// that is not of the [form described above](Self).
    pub fn from_env(variable: &str) -> Result<Self, AccessTokensError> {
        match env::var(variable) {
            Ok(text) => Self::read(variable, &Zeroizing::new(text)),
            Err(env::VarError::NotPresent) => {
                Err(AccessTokensError::at(variable, "the variable is not set"))
            }
            Err(env::VarError::NotUnicode(_)) => {
                Err(AccessTokensError::at(variable, "the text is not UTF-8"))
            }
        }
    }

    /// Reads the tokens in the file at `path`. The file is read once; later changes have no effect,
    /// unlike those of a file that the port follows (`Admin::follow_access_tokens`).
    ///
    /// # Errors
    /// Returns an error if the file cannot be read, is not a regular file, is larger than 64 KiB or
    /// not UTF-8, contains no token, or contains one that is not of the [form described
    /// above](Self).
    ///
    /// On Unix, returns an error if the file's mode allows every user to read or write it. A mounted
    /// Kubernetes secret has such a mode unless its `defaultMode` is `0400` or `0440`.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, AccessTokensError> {
        let path = path.as_ref();
        let place = path.display().to_string();
        let text =
            private_file::read(path, Secrecy::Secret).map_err(|error| AccessTokensError {
                cause: error.cause,
                ..AccessTokensError::at(&place, error.problem)
            })?;
        match std::str::from_utf8(&text) {
            Ok(text) => Self::read(&place, text),
            Err(_) => Err(AccessTokensError::at(place, "the text is not UTF-8")),
        }
    }

    /// Returns the token with this secret.
    pub(crate) fn find(&self, secret: &[u8]) -> Option<&AccessToken> {
        let presented = digest(secret);
        let mut found = u64::MAX;
        // The loop visits every token and has no branch that depends on one, so its duration is
        // constant.
        for (index, token) in (0..).zip(&self.0) {
            let same = token.digest[..].ct_eq(&presented[..]);
            found.conditional_assign(&index, same);
        }
        self.0.get(usize::try_from(found).ok()?)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether the list has a token of this name, role and secret.
    pub(crate) fn contains(&self, token: &AccessToken) -> bool {
        self.0.contains(token)
    }

    /// Returns the names of the tokens that `before` does not have, has in addition, or has with
    /// another role or secret, for the audit; `None` if there is none.
    #[cfg(feature = "follow")]
    pub(crate) fn changes_since(&self, before: &Self) -> Option<String> {
        let named = |list: &Self, name: &str| list.0.iter().any(|token| *token.name == *name);
        let (mut added, mut changed) = (Vec::new(), Vec::new());
        for token in self.0.iter().filter(|token| !before.contains(token)) {
            match named(before, &token.name) {
                true => changed.push(&*token.name),
                false => added.push(&*token.name),
            }
        }
        let removed = before.0.iter().map(|token| &*token.name);
        let removed = removed.filter(|name| !named(self, name)).collect();
        let parts = [("added", added), ("removed", removed), ("changed", changed)];
        let parts = parts.iter().filter(|(_, names)| !names.is_empty());
        let parts: Vec<_> = parts
            .map(|(what, names)| format!("{what} {}", names.join(", ")))
            .collect();
        (!parts.is_empty()).then(|| format!("access tokens: {}", parts.join("; ")))
    }

    fn read(place: &str, text: &str) -> Result<Self, AccessTokensError> {
        let lines = text.lines();
        let code = lines.map(|line| line.split_once('#').map_or(line, |(code, _)| code));
        let entries = code.flat_map(|code| code.split(',')).map(str::trim);
        let mut tokens = Self::new();
        for entry in entries.filter(|entry| !entry.is_empty()) {
            // The error does not quote the text: any part of it may be a misplaced secret.
            let token = tokens.parse(entry).map_err(|problem| {
                let number = tokens.0.len() + 1;
                AccessTokensError::at(format!("{place}, access token {number}"), problem)
            })?;
            tokens.0.push(token);
        }
        match tokens.is_empty() {
            true => Err(AccessTokensError::at(
                place,
                "there is no access token; allowed: `name:role:secret`, separated by lines or commas",
            )),
            false => Ok(tokens),
        }
    }

    fn parse(&self, entry: &str) -> Result<AccessToken, &'static str> {
        let mut parts = entry.splitn(3, ':');
        let (Some(name), Some(role), Some(secret)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err("it is not of the form `name:role:secret`");
        };
        let role = role
            .parse()
            .map_err(|_| "the role is unknown; allowed: observe, stop, arm")?;
        self.checked(name, role, secret)
    }

    fn checked(&self, name: &str, role: Role, secret: &str) -> Result<AccessToken, &'static str> {
        let all = |text: &str, also: &str| {
            text.chars()
                .all(|c| c.is_ascii_alphanumeric() || also.contains(c))
        };
        if !(1..=64).contains(&name.len()) || !all(name, "._@-") {
            return Err("the name is not valid; allowed: 1 to 64 of A-Z a-z 0-9 . _ @ -");
        }
        if secret.len() < 16 {
            return Err("the secret is too short; allowed: 16 to 512 bytes");
        }
        if secret.len() > 512 || !all(secret, "-._~+/=") {
            return Err("the secret is not valid; allowed: 16 to 512 of A-Z a-z 0-9 - . _ ~ + / =");
        }
        if self.0.iter().any(|token| *token.name == *name) {
            return Err("an earlier access token has the same name");
        }
        if self.find(secret.as_bytes()).is_some() {
            return Err("an earlier access token has the same secret");
        }
        Ok(AccessToken {
            name: name.into(),
            role,
            digest: digest(secret.as_bytes()),
        })
    }
}

/// Returns the SHA-256 digest. Digests have one length, so comparing them does not reveal the
/// length of a secret.
fn digest(secret: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut sum: [u8; 32] = Sha256::digest(secret).into();
    let digest = Zeroizing::new(sum);
    sum.zeroize();
    digest
}

impl fmt::Debug for AccessTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:…", self.name, self.role)
    }
}

/// The reason why a list of access tokens was refused. It names the position in the list and does
/// not contain any part of the text, which may be a secret.
///
/// `Debug` writes the sentences of the error and of its cause.
pub struct AccessTokensError {
    place: String,
    problem: &'static str,
    cause: Option<io::Error>,
}

impl AccessTokensError {
    fn at(place: impl Into<String>, problem: &'static str) -> Self {
        Self {
            place: place.into(),
            problem,
            cause: None,
        }
    }

    #[cfg(feature = "follow")]
    pub(crate) fn not_followed(path: &Path, error: io::Error) -> Self {
        Self {
            cause: Some(error),
            ..Self::at(
                path.display().to_string(),
                "no thread can be started to follow the file",
            )
        }
    }
}

impl fmt::Display for AccessTokensError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", OneLine(&self.place), self.problem)
    }
}

impl fmt::Debug for AccessTokensError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", WithCauses(self))
    }
}

impl Error for AccessTokensError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_ref().map(|cause| cause as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "
        # who may do what
        ann:arm:aaaaaaaaaaaaaaaa   # on call
        bob:stop:bbbbbbbbbbbbbbbb, eve:observe:eeeeeeee/eeeeee=
    ";

    #[test]
    fn a_list_is_read_and_each_secret_finds_its_owner() {
        let tokens = AccessTokens::read("list", LIST).unwrap();
        for (secret, expected) in [
            ("aaaaaaaaaaaaaaaa", Some(("ann", Role::Arm))),
            ("bbbbbbbbbbbbbbbb", Some(("bob", Role::Stop))),
            ("eeeeeeee/eeeeee=", Some(("eve", Role::Observe))),
            ("aaaaaaaaaaaaaaa", None),
            ("aaaaaaaaaaaaaaaaa", None),
            ("", None),
        ] {
            let found = tokens.find(secret.as_bytes());
            assert_eq!(found.map(|token| (&*token.name, token.role)), expected);
        }
    }

    #[test]
    fn an_error_names_the_position_and_does_not_quote_the_text() {
        for (text, problem) in [
            ("", "there is no access token"),
            ("# ann:arm:SECRETSECRETSECRET", "there is no access token"),
            ("ann:arm", "`name:role:secret`"),
            ("SECRETSECRETSECRET", "`name:role:secret`"),
            ("ann:SECRETSECRETSECRET:arm", "the role"),
            ("ann:ARM:SECRETSECRETSECRET", "the role"),
            ("SECRET SECRET:arm:SECRETSECRETSECRET", "the name"),
            (":arm:SECRETSECRETSECRET", "the name"),
            ("ann:arm:SECRET", "16 to 512 bytes"),
            ("ann:arm:SECRET SECRET SECRET", "16 to 512 of"),
        ] {
            let error = AccessTokens::read("list", text).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(shown.contains(problem), "{text}: {shown}");
            assert!(!shown.contains("SECRET"), "{shown}");
        }
        let twice = format!("{LIST},ann:observe:cccccccccccccccc");
        let error = AccessTokens::read("list", &twice).unwrap_err();
        assert_eq!(
            error.to_string(),
            "list, access token 4: an earlier access token has the same name"
        );
        let shared = format!("{LIST},dan:observe:aaaaaaaaaaaaaaaa");
        let error = AccessTokens::read("list", &shared).unwrap_err();
        assert_eq!(
            error.to_string(),
            "list, access token 4: an earlier access token has the same secret"
        );
    }
}
