//! Names of fleets, of their documents and of their replicas.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::error::Refusal;

/// The name of a fleet or of a document, or the id of a replica: 1 to 128 of `A-Z a-z 0-9 . _ : -`, as the id of a rule.
/// Each is a part of a key in etcd.
///
/// ```
/// use chaos_fleet::Name;
///
/// let name: Name = "shop-prod".parse()?;
/// assert_eq!(name.as_str(), "shop-prod");
/// assert!("shop/prod".parse::<Name>().is_err());
/// # Ok::<(), chaos_fleet::Refusal>(())
/// ```
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(Arc<str>);

impl Name {
    const LONGEST: usize = 128;
    const ALLOWED: &'static str = "1 to 128 of A-Z a-z 0-9 . _ : -";

    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = Refusal;

    fn from_str(name: &str) -> Result<Self, Refusal> {
        let is_fine = |c: char| c.is_ascii_alphanumeric() || "._:-".contains(c);
        let problem = match name.len() {
            0 => "a name cannot be empty".to_owned(),
            length if length > Self::LONGEST => format!("a name of {length} bytes is too long"),
            _ => match name.chars().find(|c| !is_fine(*c)) {
                Some(bad) => format!("{bad:?} cannot be in a name"),
                None => return Ok(Self(name.into())),
            },
        };
        Err(Refusal::new("name", problem, Self::ALLOWED))
    }
}

impl TryFrom<String> for Name {
    type Error = Refusal;

    fn try_from(name: String) -> Result<Self, Refusal> {
        name.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.as_str().to_owned()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
