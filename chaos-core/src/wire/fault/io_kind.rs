//! The names of `std::io::ErrorKind` in JSON. One table is the parser, the writer and the help.

use std::io::ErrorKind;

const KINDS: &[(&str, ErrorKind)] = &[
    ("addr_in_use", ErrorKind::AddrInUse),
    ("addr_not_available", ErrorKind::AddrNotAvailable),
    ("already_exists", ErrorKind::AlreadyExists),
    ("broken_pipe", ErrorKind::BrokenPipe),
    ("connection_aborted", ErrorKind::ConnectionAborted),
    ("connection_refused", ErrorKind::ConnectionRefused),
    ("connection_reset", ErrorKind::ConnectionReset),
    ("host_unreachable", ErrorKind::HostUnreachable),
    ("interrupted", ErrorKind::Interrupted),
    ("invalid_data", ErrorKind::InvalidData),
    ("invalid_input", ErrorKind::InvalidInput),
    ("network_down", ErrorKind::NetworkDown),
    ("network_unreachable", ErrorKind::NetworkUnreachable),
    ("not_connected", ErrorKind::NotConnected),
    ("not_found", ErrorKind::NotFound),
    ("other", ErrorKind::Other),
    ("out_of_memory", ErrorKind::OutOfMemory),
    ("permission_denied", ErrorKind::PermissionDenied),
    ("resource_busy", ErrorKind::ResourceBusy),
    ("storage_full", ErrorKind::StorageFull),
    ("timed_out", ErrorKind::TimedOut),
    ("unexpected_eof", ErrorKind::UnexpectedEof),
    ("unsupported", ErrorKind::Unsupported),
    ("would_block", ErrorKind::WouldBlock),
    ("write_zero", ErrorKind::WriteZero),
];

pub(crate) fn from_name(name: &str) -> Option<ErrorKind> {
    let found = KINDS.iter().find(|(known, _)| *known == name);
    found.map(|(_, kind)| *kind)
}

/// Returns the name of a kind, or `None` if the table has none, as for a kind that is newer than it.
pub(crate) fn name(kind: ErrorKind) -> Option<&'static str> {
    let found = KINDS.iter().find(|(_, known)| *known == kind);
    found.map(|(name, _)| *name)
}

pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|(name, _)| *name)
}
