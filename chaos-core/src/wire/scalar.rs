//! Durations, sizes and words, as people write them.

use std::time::Duration;

use bytesize::ByteSize;

use super::shape::Shape;
use crate::{error::RuleError, matcher::glob::SiteGlob};

/// A duration within the bounds of a fault.
pub(super) const DURATION: Shape = Shape::text(
    "a duration such as \"50ms\" or \"30s\", 0s to 24h",
    "duration-with-units",
    DURATION_PATTERN,
);

pub(super) const DURATION_PATTERN: &str = r"^\s*([0-9][0-9.\s]*[A-Za-zµ]+\s*)+$";

pub(super) const SIZE: Shape = Shape::either(&[SIZE_TEXT, Shape::whole(0, u64::MAX)])
    .allowing("a size such as \"1KiB\" or \"1.5 MB\", or a number of bytes");

const SIZE_TEXT: Shape = Shape::text("a size", "size", r"^\s*[0-9.]+\s*[A-Za-z]*\s*$");

pub(super) const BYTES_PER_SECOND: Shape = Shape::text(
    "bytes a second such as \"10KiB/s\", more than 0",
    "bytes-per-second",
    r"^\s*[0-9.]+\s*[A-Za-z]*\s*/s\s*$",
);

pub(super) const SITE: Shape = Shape::text(
    "a site name, or a pattern such as `db.*` (one part) or `db.**` (one or more)",
    "",
    r"^([A-Za-z0-9_-]+|\*)(\.([A-Za-z0-9_-]+|\*))*$|^(([A-Za-z0-9_-]+|\*)\.)*\*\*(\.([A-Za-z0-9_-]+|\*))*$",
)
.at_most(SiteGlob::MAX_LENGTH);

/// Names of headers, for the pattern of a map.
pub(super) const HEADER_NAMES: &str = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$";

/// An error of a value that does not know its field.
pub(super) fn refuse(problem: impl std::fmt::Display) -> RuleError {
    RuleError::new("", problem, "")
}

pub(super) fn duration(text: &str) -> Result<Duration, RuleError> {
    let parsed = humantime::parse_duration(text.trim());
    parsed.map_err(|error| refuse(format_args!("{text:?} is no duration: {error}")))
}

/// Reads a duration as rules write one, such as `5m`, `1h 30m` or `200ms`.
///
/// ```
/// use std::time::Duration;
/// use chaos_core::wire;
///
/// assert_eq!(wire::duration_from_text("1h 30m")?, Duration::from_secs(5400));
/// assert!(wire::duration_from_text("soon").is_err());
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
///
/// # Errors
/// Returns an error without a field if the text is no duration.
pub fn duration_from_text(text: &str) -> Result<Duration, RuleError> {
    duration(text)
}

pub(super) fn duration_text(time: Duration) -> String {
    humantime::format_duration(time).to_string()
}

pub(super) fn size(text: &str) -> Result<u64, RuleError> {
    let parsed = text.trim().parse::<ByteSize>();
    let size = parsed.map_err(|error| refuse(format_args!("{text:?} is no size: {error}")))?;
    Ok(size.as_u64())
}

pub(super) fn bytes_per_second(text: &str) -> Result<u64, RuleError> {
    let Some(size_text) = text.trim().strip_suffix("/s") else {
        return Err(refuse(format_args!("{text:?} does not end in `/s`")));
    };
    size(size_text)
}

/// Writes a size in the largest unit that says it exactly.
pub(super) fn size_text(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let fits = |(_, shift): &(&str, u32)| bytes != 0 && bytes.is_multiple_of(1 << shift);
    match units.into_iter().find(fits) {
        Some((unit, shift)) => format!("{}{unit}", bytes >> shift),
        None => format!("{bytes}B"),
    }
}

/// Converts a number that may not be 0.
pub(super) fn not_zero<N, Z: TryFrom<N>>(number: N) -> Result<Z, RuleError> {
    Z::try_from(number).map_err(|_| refuse("0 is not allowed"))
}

/// Words and what they mean: one table is the parser, the writer and the help.
pub(super) type Words<T> = &'static [(&'static str, T)];

pub(super) fn words<T>(table: Words<T>) -> Vec<&'static str> {
    table.iter().map(|(word, _)| *word).collect()
}

pub(super) fn meaning<T: Copy>(table: Words<T>, text: &str) -> Result<T, RuleError> {
    let found = table.iter().find(|(word, _)| *word == text);
    let unknown = || refuse(format_args!("unknown word {text:?}"));
    Ok(found.ok_or_else(unknown)?.1)
}

/// Returns the word of a meaning that is in the table.
pub(super) fn word<T: PartialEq>(table: Words<T>, meaning: &T) -> Option<&'static str> {
    let found = table.iter().find(|(_, known)| known == meaning);
    found.map(|(word, _)| *word)
}
