//! A gRPC status: its code, message and details, and how they are sent in headers.
//!
//! HTTP statuses map to codes by the gRPC specification (`http-grpc-status-mapping.md`), and codes
//! to HTTP statuses by `google/rpc/code.proto`.

use std::{fmt, io::ErrorKind, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::headers::may_change;
use crate::error::RuleError;

/// The code of a gRPC status, from 0 to 16.
///
/// ```
/// use chaos_core::fault::GrpcCode;
///
/// let code = GrpcCode::from_name("RESOURCE_EXHAUSTED")?;
/// assert_eq!((code.number(), code.name()), (8, "RESOURCE_EXHAUSTED"));
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrpcCode(u8);

/// The names by code, each with the HTTP status of `code.proto`. The parser, the help and the
/// mapping read this table.
const CODES: &[(&str, u16)] = &[
    ("OK", 200),
    ("CANCELLED", 499),
    ("UNKNOWN", 500),
    ("INVALID_ARGUMENT", 400),
    ("DEADLINE_EXCEEDED", 504),
    ("NOT_FOUND", 404),
    ("ALREADY_EXISTS", 409),
    ("PERMISSION_DENIED", 403),
    ("RESOURCE_EXHAUSTED", 429),
    ("FAILED_PRECONDITION", 400),
    ("ABORTED", 409),
    ("OUT_OF_RANGE", 400),
    ("UNIMPLEMENTED", 501),
    ("INTERNAL", 500),
    ("UNAVAILABLE", 503),
    ("DATA_LOSS", 500),
    ("UNAUTHENTICATED", 401),
];

const ALLOWED: &str = "a gRPC code: 0 to 16, or a name such as UNAVAILABLE";

impl GrpcCode {
    /// The code 0, which is no failure.
    pub const OK: Self = Self(0);

    /// Creates a code from its number.
    ///
    /// # Errors
    /// Returns an error if `code` is above 16.
    pub fn new(code: u8) -> Result<Self, RuleError> {
        if usize::from(code) < CODES.len() {
            return Ok(Self(code));
        }
        let problem = format!("{code} is not a gRPC code");
        Err(RuleError::new("grpc", problem, ALLOWED))
    }

    /// Creates a code from its name, in capitals as in the specification: `UNAVAILABLE`.
    ///
    /// # Errors
    /// Returns an error if there is no such name.
    pub fn from_name(name: &str) -> Result<Self, RuleError> {
        match CODES.iter().position(|(known, _)| *known == name) {
            Some(code) => Ok(Self(code as u8)),
            None => {
                let problem = format!("{name:?} is not a gRPC code");
                Err(RuleError::new("grpc", problem, ALLOWED))
            }
        }
    }

    /// Returns the number, from 0 to 16.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }

    /// Returns the name, in capitals.
    #[must_use]
    pub fn name(self) -> &'static str {
        CODES[usize::from(self.0)].0
    }

    /// Returns the HTTP status for this code.
    pub(crate) fn to_http(self) -> StatusCode {
        let status = StatusCode::from_u16(CODES[usize::from(self.0)].1);
        status.expect("the table holds statuses")
    }

    /// Returns the code for an HTTP status.
    pub(crate) fn from_http(status: StatusCode) -> Self {
        Self(match status.as_u16() {
            400 => 13,
            401 => 16,
            403 => 7,
            404 => 12,
            429 | 502 | 503 | 504 => 14,
            _ => 2,
        })
    }
}

impl From<ErrorKind> for GrpcCode {
    /// Maps an io error to a code as tonic does.
    fn from(kind: ErrorKind) -> Self {
        use ErrorKind as Kind;
        Self(match kind {
            Kind::InvalidInput => 3,
            Kind::TimedOut => 4,
            Kind::NotFound => 5,
            Kind::AlreadyExists => 6,
            Kind::PermissionDenied => 7,
            Kind::ConnectionAborted => 10,
            Kind::UnexpectedEof => 11,
            Kind::BrokenPipe | Kind::WouldBlock | Kind::WriteZero | Kind::Interrupted => 13,
            Kind::ConnectionRefused | Kind::ConnectionReset | Kind::NotConnected => 14,
            Kind::AddrInUse | Kind::AddrNotAvailable => 14,
            Kind::InvalidData => 15,
            _ => 2,
        })
    }
}

impl fmt::Display for GrpcCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// A gRPC status: a code, a message, and details and metadata if there are any.
///
/// ```
/// use chaos_core::{Fault, fault::{GrpcCode, GrpcStatus}};
///
/// let status = GrpcStatus::new(GrpcCode::from_name("UNAVAILABLE")?, "try another replica");
/// let fault = Fault::grpc(status);
/// assert_eq!(fault.name(), "grpc");
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrpcStatus {
    code: GrpcCode,
    message: Arc<str>,
    /// The metadata, and the details under their own name. Most statuses have neither.
    metadata: Option<Arc<HeaderMap>>,
}

/// What a `grpc-message` header must percent-encode: everything but printable ASCII, the percent
/// sign, and spaces, because no header may begin or end with one (RFC 9113, section 8.2.1).
const ENCODED: &AsciiSet = &CONTROLS.add(b'%').add(b' ');

impl GrpcStatus {
    /// Creates a status with a message, which may be any text.
    #[must_use]
    pub fn new(code: GrpcCode, message: &str) -> Self {
        Self {
            code,
            message: message.into(),
            metadata: None,
        }
    }

    /// Sets the details: a serialized `google.rpc.Status` in base64, as `grpc-status-details-bin`
    /// carries it, with or without padding.
    ///
    /// # Errors
    /// Returns an error if `base64` is not base64.
    pub fn details(mut self, base64: &str) -> Result<Self, RuleError> {
        let digits = digits_of(base64).map_err(|error| error.at("details"))?;
        self.set(DETAILS, digits);
        Ok(self)
    }

    /// Sets a value of the metadata that is sent with the status, in place of one that is set already. The
    /// value of a name that ends in `-bin` is any bytes in base64, with or without padding; that of any other
    /// name is printable ASCII.
    ///
    /// A call that is not a gRPC call gets none of it.
    ///
    /// ```
    /// use chaos_core::fault::{GrpcCode, GrpcStatus};
    /// use http::HeaderName;
    ///
    /// // gRPC's push-back: a client that retries waits for 100 ms first.
    /// let pushback = HeaderName::from_static("grpc-retry-pushback-ms");
    /// let status = GrpcStatus::new(GrpcCode::from_name("UNAVAILABLE")?, "later");
    /// let status = status.metadata(pushback, "100")?;
    /// assert_eq!(status.to_headers()["grpc-retry-pushback-ms"], "100");
    /// # Ok::<(), chaos_core::RuleError>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error if `name` has other characters than letters, digits, `_`, `-` and `.`; if it is
    /// `grpc-status`, `grpc-message`, `grpc-status-details-bin` or `content-type`, which the status itself
    /// sets; or if it frames the message, as those that [`HeaderEdit`](crate::fault::HeaderEdit) lists do.
    /// Returns an error if `value` is not what its name says, or begins or ends with a space.
    pub fn metadata(mut self, name: HeaderName, value: &str) -> Result<Self, RuleError> {
        const FIELD: &str = "metadata";
        may_change(&name).map_err(|error| error.at(FIELD))?;
        if [STATUS, MESSAGE, DETAILS, header::CONTENT_TYPE].contains(&name) {
            let allowed = "names that the status does not set itself";
            return Err(RuleError::new(
                FIELD,
                format!("{name} is set by the status"),
                allowed,
            ));
        }
        let is_fine = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
        if !name.as_str().bytes().all(is_fine) {
            let allowed = "names of letters, digits, `_`, `-` and `.`";
            return Err(RuleError::new(
                FIELD,
                format!("{name} is no name of metadata"),
                allowed,
            ));
        }
        let value = if name.as_str().ends_with("-bin") {
            let digits = digits_of(value);
            digits.map_err(|_| {
                let problem = format!("{name} is not base64");
                RuleError::new(FIELD, problem, "base64 for a name that ends in `-bin`")
            })?
        } else if value.bytes().all(|b| (b' '..=b'~').contains(&b)) && value.trim() == value {
            value
        } else {
            let allowed = "printable ASCII, or base64 for a name that ends in `-bin`";
            let problem = format!("{value:?} is no value of metadata");
            return Err(RuleError::new(FIELD, problem, allowed));
        };
        self.set(name, value);
        Ok(self)
    }

    fn set(&mut self, name: HeaderName, value: &str) {
        let metadata = self.metadata.get_or_insert_default();
        Arc::make_mut(metadata).insert(name, header_text(value));
    }

    /// Returns the code.
    #[must_use]
    pub fn code(&self) -> GrpcCode {
        self.code
    }

    /// Returns the message.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the details in base64 without padding, if there are any.
    #[must_use]
    pub fn details_base64(&self) -> Option<&str> {
        let details = self.metadata.as_ref()?.get(DETAILS)?;
        details.to_str().ok()
    }

    /// Returns the metadata, which the status is sent with.
    #[cfg(feature = "serde")]
    pub(crate) fn metadata_pairs(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        let all = self.metadata.iter().flat_map(|metadata| metadata.iter());
        all.filter(|(name, _)| **name != DETAILS)
    }

    /// Returns the status and its metadata as headers: those of a response without messages, or the trailers of one
    /// with messages.
    #[must_use]
    pub fn to_headers(&self) -> HeaderMap {
        let mut headers = match &self.metadata {
            Some(metadata) => HeaderMap::clone(metadata),
            None => HeaderMap::with_capacity(3),
        };
        headers.insert(STATUS, HeaderValue::from(u16::from(self.code.0)));
        if !self.message.is_empty() {
            let message = utf8_percent_encode(&self.message, ENCODED).to_string();
            headers.insert(MESSAGE, header_text(&message));
        }
        headers
    }
}

/// Returns base64 without its padding.
fn digits_of(base64: &str) -> Result<&str, RuleError> {
    let digits = base64.trim_end_matches('=');
    let is_digit = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/';
    if digits.bytes().all(is_digit) && digits.len() % 4 != 1 {
        return Ok(digits);
    }
    let allowed = "a serialised google.rpc.Status in base64";
    Err(RuleError::new("", "not base64", allowed))
}

/// Makes a header's value of text that is printable ASCII.
fn header_text(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("printable ASCII")
}
