//! The host of a request: in lower case and without its port.

use std::borrow::Cow;

use crate::call::bytes::may_be_odd_host;

/// A host, as bytes that matchers can compare.
pub(crate) struct Host<'a>(Cow<'a, [u8]>);

impl<'a> Host<'a> {
    /// Reads a host, with or without a port. Returns `None` if it has other bytes than visible ones of ASCII.
    #[inline(always)]
    pub(super) fn of(host: &'a [u8]) -> Option<Self> {
        match may_be_odd_host(host) {
            true => Self::of_odd(host),
            false => Some(Self(host.into())),
        }
    }

    #[inline(never)]
    fn of_odd(host: &'a [u8]) -> Option<Self> {
        let is_visible = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t');
        if !host.iter().all(is_visible) {
            return None;
        }
        let end = host.iter().rposition(|byte| *byte == b':');
        let (name, port) = host.split_at(end.unwrap_or(host.len()));
        // The colons of an IPv6 address are inside its brackets.
        let name = if port.contains(&b']') { host } else { name };
        Some(Self(match name.iter().any(u8::is_ascii_uppercase) {
            true => name.to_ascii_lowercase().into(),
            false => name.into(),
        }))
    }
}

impl AsRef<[u8]> for Host<'_> {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_read_without_its_port() {
        for (host, expected) in [
            ("shop.example", Some("shop.example")),
            ("Shop.Example:8080", Some("shop.example")),
            ("[::1]", Some("[::1]")),
            ("[::1]:80", Some("[::1]")),
            ("a:b:c", Some("a:b")),
            ("[a:b", Some("[a")),
            ("", Some("")),
            (":", Some("")),
            ("a\u{7f}", None),
            ("ä", None),
        ] {
            let host = Host::of(host.as_bytes());
            let host = host.as_ref().map(Host::as_ref);
            assert_eq!(host, expected.map(str::as_bytes));
        }
    }
}
