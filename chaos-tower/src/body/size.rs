//! How many bytes a body has, as far as that is known before it is read.

use http::{HeaderMap, header};
use http_body::SizeHint;

/// Returns how many bytes a body has at most, by its size hint and the headers of its message; `None` if
/// neither says.
pub(crate) fn most_bytes(is_over: bool, hint: &SizeHint, headers: &HeaderMap) -> Option<u64> {
    if is_over {
        return Some(0);
    }
    let length = headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    [hint.upper(), length].into_iter().flatten().min()
}
