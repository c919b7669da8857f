//! Access tokens: who may use the port, and for what.
//!
//! A secret is not kept, only its digest; it is in no error, no log and no `Debug`. Comparing takes the
//! same time whether it matches early, late or not at all.

use std::{
    env,
    error::Error,
    fmt,
    fs::File,
    io::{self, Read},
    path::Path,
    sync::Arc,
};

use sha2::{Digest, Sha256};
use subtle::{ConditionallySelectable, ConstantTimeEq};
use zeroize::{Zeroize, Zeroizing};

use crate::access::role::Role;

/// The access tokens that a port knows, for [`Admin::access_tokens`](crate::Admin::access_tokens).
///
/// In a text, a token is `name:role:secret`. There is one to a line, or several with commas in
/// between; `#` begins a comment that ends with its line.
///
/// ```
/// use chaos_http_admin::{Role, AccessTokens};
///
/// let tokens = AccessTokens::new()
///     .token("grafana", Role::Observe, "mlXxLB-1cVWSUkYdOoT4Lg")?
///     .token("ann", Role::Arm, "t9gTZpkXcT0uoBPqM3sPrw")?;
/// assert!(!format!("{tokens:?}").contains("t9gT"));
/// # Ok::<(), chaos_http_admin::AccessTokensError>(())
/// ```
///
/// - The name is what the audit says: 1 to 64 of `A-Z a-z 0-9 . _ @ -`.
/// - The role is one of [`Role`]'s.
/// - The secret has 16 to 512 bytes of `A-Z a-z 0-9 - . _ ~ + / =`, which is what `Authorization: Bearer`
///   can carry. Its length is all that keeps others from guessing it: make it by chance, such as with
///   `openssl rand -hex 16`.
/// - No two have the same name or the same secret. To change a secret without a gap, let two names
///   stand side by side for a while.
#[derive(Clone, Default)]
pub struct AccessTokens(Vec<AccessToken>);

#[derive(Clone)]
pub(crate) struct AccessToken {
    pub(crate) name: Arc<str>,
    pub(crate) role: Role,
    digest: Zeroizing<[u8; 32]>,
}

impl AccessTokens {
    /// The most that is read of a file.
    const MAX_FILE: u64 = 64 * 1024;

    /// None: nobody gets in, until some are added.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    ///
    /// # Errors
    /// If it is not as [above](Self), or its name or secret is there already.
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

    /// Reads those in an environment variable.
    ///
    /// The variable stays as it is, for whoever may read this process's environment.
    ///
    /// # Errors
    /// If it is not set, holds no token, or one that is not as [above](Self).
    pub fn from_env(variable: &str) -> Result<Self, AccessTokensError> {
        match env::var(variable) {
            Ok(text) => Self::read(variable, &Zeroizing::new(text)),
            Err(env::VarError::NotPresent) => Err(AccessTokensError::at(variable, "it is not set")),
            Err(env::VarError::NotUnicode(_)) => {
                Err(AccessTokensError::at(variable, "it is no text"))
            }
        }
    }

    /// Reads those in a file. It is read now; later changes of the file change nothing.
    ///
    /// # Errors
    /// If it cannot be read, is larger than 64 KiB, holds no token, or one that is not as [above](Self);
    /// on Unix, if its mode lets every user read or write it. (A mounted Kubernetes secret does, unless
    /// it is given a `defaultMode` such as `0400`.)
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, AccessTokensError> {
        let place = path.as_ref().display().to_string();
        let failed = |error| AccessTokensError {
            cause: Some(error),
            ..AccessTokensError::at(&place, "it cannot be read")
        };
        let mut file = File::open(&path).map_err(failed)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            // Of the file that was opened, whatever its name has come to mean.
            if file.metadata().map_err(failed)?.mode() & 0o006 != 0 {
                let problem = "every user of this machine may read or write it; `chmod 600` helps";
                return Err(AccessTokensError::at(place, problem));
            }
        }
        // Room for all of it at once, so that no copy is left behind by growing.
        let mut text = Zeroizing::new(Vec::with_capacity(Self::MAX_FILE as usize + 1));
        let mut file = (&mut file).take(Self::MAX_FILE + 1);
        file.read_to_end(&mut text).map_err(failed)?;
        if text.len() as u64 > Self::MAX_FILE {
            return Err(AccessTokensError::at(place, "it is larger than 64 KiB"));
        }
        match std::str::from_utf8(&text) {
            Ok(text) => Self::read(&place, text),
            Err(_) => Err(AccessTokensError::at(place, "it is no text")),
        }
    }

    /// Whose secret this is.
    pub(crate) fn find(&self, secret: &[u8]) -> Option<&AccessToken> {
        let presented = digest(secret);
        let mut found = u64::MAX;
        // Through all of them, without a branch that depends on any.
        for (index, token) in (0..).zip(&self.0) {
            let same = token.digest[..].ct_eq(&presented[..]);
            found.conditional_assign(&index, same);
        }
        self.0.get(usize::try_from(found).ok()?)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn read(place: &str, text: &str) -> Result<Self, AccessTokensError> {
        let lines = text.lines();
        let code = lines.map(|line| line.split_once('#').map_or(line, |(code, _)| code));
        let entries = code.flat_map(|code| code.split(',')).map(str::trim);
        let mut tokens = Self::new();
        for entry in entries.filter(|entry| !entry.is_empty()) {
            // Never a word of the text itself: any part of it may be a secret in the wrong place.
            let token = tokens.parse(entry).map_err(|problem| {
                let number = tokens.0.len() + 1;
                AccessTokensError::at(format!("{place}, access token {number}"), problem)
            })?;
            tokens.0.push(token);
        }
        match tokens.is_empty() {
            true => Err(AccessTokensError::at(place, "it holds no access token")),
            false => Ok(tokens),
        }
    }

    fn parse(&self, entry: &str) -> Result<AccessToken, &'static str> {
        let mut parts = entry.splitn(3, ':');
        let (Some(name), Some(role), Some(secret)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err("it is not `name:role:secret`");
        };
        let role = role
            .parse()
            .map_err(|_| "the role is none of observe, stop and arm")?;
        self.checked(name, role, secret)
    }

    fn checked(&self, name: &str, role: Role, secret: &str) -> Result<AccessToken, &'static str> {
        let all = |text: &str, also: &str| {
            text.chars()
                .all(|c| c.is_ascii_alphanumeric() || also.contains(c))
        };
        if !(1..=64).contains(&name.len()) || !all(name, "._@-") {
            return Err("the name is not 1 to 64 of A-Z a-z 0-9 . _ @ -");
        }
        if secret.len() < 16 {
            return Err("the secret is shorter than 16 bytes");
        }
        if secret.len() > 512 || !all(secret, "-._~+/=") {
            return Err("the secret is not up to 512 of A-Z a-z 0-9 - . _ ~ + / =");
        }
        if self.0.iter().any(|token| *token.name == *name) {
            return Err("its name is there already");
        }
        if self.find(secret.as_bytes()).is_some() {
            return Err("its secret is there already");
        }
        Ok(AccessToken {
            name: name.into(),
            role,
            digest: digest(secret.as_bytes()),
        })
    }
}

/// Of equal length whatever is presented, so that comparing tells nothing of the secret's.
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

/// Why a list of access tokens is not taken. It says where, and never what stands there.
#[derive(Debug)]
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
}

impl fmt::Display for AccessTokensError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.problem)
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
        # actor may do what
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
    fn what_is_refused_is_told_by_place_and_never_quoted() {
        for (text, problem) in [
            ("", "holds no access token"),
            ("# ann:arm:SECRETSECRETSECRET", "holds no access token"),
            ("ann:arm", "`name:role:secret`"),
            ("SECRETSECRETSECRET", "`name:role:secret`"),
            ("ann:SECRETSECRETSECRET:arm", "the role"),
            ("ann:ARM:SECRETSECRETSECRET", "the role"),
            ("SECRET SECRET:arm:SECRETSECRETSECRET", "the name"),
            (":arm:SECRETSECRETSECRET", "the name"),
            ("ann:arm:SECRET", "16 bytes"),
            ("ann:arm:SECRET SECRET SECRET", "up to 512"),
        ] {
            let error = AccessTokens::read("list", text).unwrap_err();
            let told = format!("{error} {error:?}");
            assert!(told.contains(problem), "{text}: {told}");
            assert!(!told.contains("SECRET"), "{told}");
        }
        let twice = format!("{LIST},ann:observe:cccccccccccccccc");
        let error = AccessTokens::read("list", &twice).unwrap_err();
        assert_eq!(
            error.to_string(),
            "list, access token 4: its name is there already"
        );
        let shared = format!("{LIST},dan:observe:aaaaaaaaaaaaaaaa");
        let error = AccessTokens::read("list", &shared).unwrap_err();
        assert_eq!(
            error.to_string(),
            "list, access token 4: its secret is there already"
        );
    }
}
