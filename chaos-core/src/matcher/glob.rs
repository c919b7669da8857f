//! Which sites a rule aims at, by name or pattern.

use std::{fmt, str::FromStr};

use crate::{error::RuleError, name::is_site_name};

/// The name of a site, or a pattern over its dot-separated parts: `*` stands for one whole part,
/// and `**` for one or more. A pattern has at most one `**` and at most 256 characters.
///
/// ```
/// use chaos_core::SiteGlob;
///
/// let glob: SiteGlob = "db.*".parse()?;
/// assert!(glob.matches("db.read"));
/// assert!(!glob.matches("db") && !glob.matches("db.read.replica"));
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteGlob(Box<str>);

impl SiteGlob {
    pub(crate) const MAX_LENGTH: usize = 256;

    /// Returns whether the pattern matches the site named `name`.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        fn rest(glob: &str, name: &str) -> bool {
            let (part, glob) = glob
                .split_once('.')
                .map_or((glob, None), |(p, g)| (p, Some(g)));
            let (this, name) = name
                .split_once('.')
                .map_or((name, None), |(n, r)| (n, Some(r)));
            if part != "*" && part != "**" && part != this {
                return false;
            }
            match (glob, name) {
                (None, None) => true,
                (None, Some(_)) => part == "**",
                (Some(_), None) => false,
                (Some(glob), Some(name)) => {
                    rest(glob, name) || part == "**" && rest_after(glob, name)
                }
            }
        }
        /// Lets `**` take one more part, until the rest matches.
        fn rest_after(glob: &str, name: &str) -> bool {
            let mut name = name;
            while let Some((_, shorter)) = name.split_once('.') {
                if rest(glob, shorter) {
                    return true;
                }
                name = shorter;
            }
            false
        }
        rest(&self.0, name)
    }

    /// Returns the only name that the pattern matches; `None` if it has a `*`.
    pub(crate) fn exact(&self) -> Option<&str> {
        (!self.0.contains('*')).then_some(&*self.0)
    }

    /// Returns whether the pattern matches every site that `other` matches.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        fn covers(wide: &[&str], narrow: &[&str]) -> bool {
            match (wide, narrow) {
                ([], []) => true,
                // `**` takes one part or more, whatever the narrow pattern has there.
                (["**", wide @ ..], [_, narrow @ ..]) => {
                    covers(wide, narrow) || covers_on(wide, narrow)
                }
                // One part cannot stand for one or more.
                ([_, ..], ["**", ..]) => false,
                (["*", wide @ ..], [_, narrow @ ..]) => covers(wide, narrow),
                ([this, wide @ ..], [that, narrow @ ..]) => this == that && covers(wide, narrow),
                _ => false,
            }
        }
        fn covers_on(wide: &[&str], narrow: &[&str]) -> bool {
            (1..=narrow.len()).any(|taken| covers(wide, &narrow[taken..]))
        }
        let wide: Vec<&str> = self.0.split('.').collect();
        let narrow: Vec<&str> = other.0.split('.').collect();
        covers(&wide, &narrow)
    }

    /// Returns the pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SiteGlob {
    type Err = RuleError;

    fn from_str(glob: &str) -> Result<Self, RuleError> {
        let part_is_fine = |part: &str| part == "*" || part == "**" || is_site_name(part);
        // A second `**` would add no meaning, only time to match.
        let stars = glob.split('.').filter(|part| *part == "**").count();
        if glob.len() <= Self::MAX_LENGTH && stars <= 1 && glob.split('.').all(part_is_fine) {
            return Ok(Self(glob.into()));
        }
        Err(RuleError::new(
            "site",
            format_args!("{glob:?} is not a site name or pattern"),
            "parts of A-Z a-z 0-9 _ - with dots between them; `*` for one whole part, \
             at most one `**` for one or more; 256 characters",
        ))
    }
}

impl fmt::Display for SiteGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(glob: &str, name: &str) -> bool {
        glob.parse::<SiteGlob>().unwrap().matches(name)
    }

    /// A cover is claimed exactly if no name that the narrow pattern matches escapes the wide one.
    /// The names below have a witness for each pair of patterns.
    #[test]
    fn a_cover_leaves_nothing_out() {
        let globs = [
            "a", "b", "*", "**", "a.b", "a.*", "a.**", "*.b", "**.b", "*.*", "a.*.b", "a.**.b",
        ];
        let names = [
            "a", "b", "x", "a.b", "a.x", "x.b", "x.y", "a.x.b", "a.x.y", "a.x.y.b", "x.y.z.b",
        ];
        for wide in globs {
            for narrow in globs {
                let glob = |text: &str| text.parse::<SiteGlob>().unwrap();
                let escapes = names
                    .iter()
                    .any(|name| hits(narrow, name) && !hits(wide, name));
                let covers = glob(wide).covers(&glob(narrow));
                assert_eq!(covers, !escapes, "{wide} over {narrow}");
            }
        }
    }

    #[test]
    fn stars_stand_for_whole_parts() {
        for (glob, name, expected) in [
            ("db.read", "db.read", true),
            ("db.read", "db.reads", false),
            ("db.*", "db.read", true),
            ("db.*", "db", false),
            ("db.*", "db.read.slow", false),
            ("*.read", "db.read", true),
            ("*", "db", true),
            ("*", "db.read", false),
            ("**", "db", true),
            ("**", "db.read.slow", true),
            ("db.**", "db", false),
            ("db.**", "db.read", true),
            ("db.**", "db.read.slow", true),
            ("**.slow", "db.read.slow", true),
            ("**.slow", "slow", false),
            ("a.**.z", "a.b.z", true),
            ("a.**.z", "a.b.c.d.z", true),
            ("a.**.z", "a.z", false),
            ("a.**.z", "a.b.c", false),
        ] {
            assert_eq!(hits(glob, name), expected, "{glob} over {name}");
        }
    }

    #[test]
    fn bad_patterns_are_refused_with_what_is_allowed() {
        for glob in [
            "", ".", "db.", "db..read", "d*", "db.***", "**.a.**", "db read", "dé",
        ] {
            let error = glob.parse::<SiteGlob>().unwrap_err();
            assert_eq!(error.field(), "site");
            assert!(error.allowed().contains("whole part"), "{error}");
        }
    }
}
