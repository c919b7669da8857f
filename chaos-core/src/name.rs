//! Rule ids and site names, and what each may contain.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use http::HeaderValue;

use crate::error::RuleError;

/// The id of a rule: 1 to 128 characters of `A-Z a-z 0-9 . _ : -`, other than `.` and `..`.
///
/// The id is part of a path (`/v1/rules/{id}`) and the value of a header (`x-chaos-fault`), so it
/// may contain only characters that neither has to escape.
///
/// ```
/// use chaos_core::RuleId;
///
/// let id: RuleId = "slow-reads".parse()?;
/// assert_eq!(id.as_str(), "slow-reads");
/// assert!("slow reads".parse::<RuleId>().is_err());
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(Arc<str>);

impl RuleId {
    pub(crate) const MAX_LENGTH: usize = 128;
    const ALLOWED: &'static str = "1 to 128 of A-Z a-z 0-9 . _ : -";

    /// Returns the id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the id as the value of a header, which has to be made. That of a rule in force is
    /// [`ActiveCall::mark`](crate::decision::ActiveCall::mark).
    pub(crate) fn to_header_value(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).expect("an id is the value of a header")
    }
}

impl FromStr for RuleId {
    type Err = RuleError;

    fn from_str(id: &str) -> Result<Self, RuleError> {
        let fine = |b: u8| b.is_ascii_alphanumeric() || b"._:-".contains(&b);
        let problem = match id.len() {
            0 => "an id cannot be empty".to_owned(),
            length if length > Self::MAX_LENGTH => {
                format!("an id of {} characters is too long", id.len())
            }
            // Clients remove these two segments when they normalise a path.
            _ if id == "." || id == ".." => format!("`{id}` cannot be a segment of a path"),
            _ => match id.chars().find(|c| !c.is_ascii() || !fine(*c as u8)) {
                Some(bad) => format!("{bad:?} cannot be in an id"),
                None => return Ok(Self(id.into())),
            },
        };
        Err(RuleError::new("id", problem, Self::ALLOWED))
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Borrow<str> for RuleId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Returns whether `name` can be the name of a site: parts of one or more of `A-Z a-z 0-9 _ -`,
/// with single dots between them.
///
/// The function is `const`, so that a macro's site with an invalid name does not compile.
#[must_use]
pub const fn is_site_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let (mut i, mut part) = (0, 0);
    while i < bytes.len() {
        match bytes[i] {
            b'.' if part == 0 => return false,
            b'.' => part = 0,
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => part += 1,
            _ => return false,
        }
        i += 1;
    }
    part > 0
}
