//! Numbers of bytes as people write them: `10KiB`, `1.5 MB`, `10KiB/s`.

use bytesize::ByteSize;

use crate::{error::RuleError, wire::refuse};

pub(super) fn size(field: &'static str, text: &str) -> Result<u64, RuleError> {
    let parsed = text.trim().parse::<ByteSize>();
    let size =
        parsed.map_err(|error| refuse(field, format_args!("{text:?} is no size: {error}")))?;
    Ok(size.as_u64())
}

pub(super) fn rate(field: &'static str, text: &str) -> Result<u64, RuleError> {
    let Some(per_second) = text.trim().strip_suffix("/s") else {
        return Err(refuse(field, format_args!("{text:?} does not end in `/s`")));
    };
    size(field, per_second)
}

/// In the largest unit that says it exactly.
pub(super) fn written(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let fits = |(_, shift): &(&str, u32)| bytes != 0 && bytes.is_multiple_of(1 << shift);
    match units.into_iter().find(fits) {
        Some((unit, shift)) => format!("{}{unit}", bytes >> shift),
        None => format!("{bytes}B"),
    }
}
