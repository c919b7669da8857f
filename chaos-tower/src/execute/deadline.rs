//! The deadline of a call of a client, which bounds the waits that are injected into it.

use std::{error::Error, fmt, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::{
    runtime::Handle,
    time::{Instant, sleep, timeout_at},
};

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// The units of a timeout of gRPC, in nanoseconds, the shortest first.
const UNITS: [(&str, u64); 6] = [
    ("n", 1),
    ("u", 1_000),
    ("m", 1_000_000),
    ("S", 1_000_000_000),
    ("M", 60_000_000_000),
    ("H", 3_600_000_000_000),
];

/// The most digits of a timeout of gRPC, and the largest number that has so many.
const DIGITS: usize = 8;
const MOST: u64 = 99_999_999;

/// When the timeout of a call ends.
#[derive(Clone, Copy)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    /// Returns the deadline of a call that is made now. Takes a runtime of tokio.
    pub(crate) fn after(time: Duration) -> Self {
        Self(sleep(time).deadline())
    }

    /// Returns the deadline of a gRPC call that is made now, if its request has a timeout.
    pub(crate) fn of_grpc(headers: &HeaderMap) -> Option<Self> {
        let time = grpc_timeout(headers.get(GRPC_TIMEOUT)?)?;
        // Without a runtime, a wait holds the thread.
        Handle::try_current().ok()?;
        Some(Self::after(time))
    }

    #[cfg(feature = "reqwest")]
    pub(crate) fn at(self) -> Instant {
        self.0
    }

    /// Returns what is left of the timeout.
    #[expect(
        clippy::disallowed_methods,
        reason = "clients measure their timeouts by the clock of tokio"
    )]
    pub(crate) fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Makes what is left the timeout of a gRPC call: the client measures it from when it is called.
    pub(crate) fn write_grpc(self, headers: &mut HeaderMap) {
        headers.insert(GRPC_TIMEOUT, grpc_value(self.left()));
    }

    /// Returns the output of `future`, unless there is a deadline and it passes first.
    pub(crate) async fn bound<T>(
        deadline: Option<&Self>,
        future: impl Future<Output = T>,
    ) -> Result<T, DeadlinePassed> {
        match deadline {
            None => Ok(future.await),
            Some(deadline) => timeout_at(deadline.0, future)
                .await
                .map_err(|_| DeadlinePassed),
        }
    }
}

/// That the deadline has passed.
#[derive(Debug)]
pub(crate) struct DeadlinePassed;

impl Error for DeadlinePassed {}

impl fmt::Display for DeadlinePassed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the timeout of the request has passed")
    }
}

/// Reads a timeout as gRPC over HTTP/2 has it: one to eight digits and a unit.
fn grpc_timeout(value: &HeaderValue) -> Option<Duration> {
    let value = value.to_str().ok()?;
    let (digits, unit) = value.split_at(value.len().checked_sub(1)?);
    if digits.len() > DIGITS || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    let (_, nanos) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let (seconds, rest) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    Some(Duration::from_secs(count * seconds) + Duration::from_nanos(count * rest))
}

/// Writes a timeout in the shortest unit in which it has at most eight digits.
fn grpc_value(time: Duration) -> HeaderValue {
    let nanos = time.as_nanos();
    let mut counts = UNITS
        .iter()
        .map(|(name, unit)| (nanos / u128::from(*unit), *name));
    let found = counts.find(|(count, _)| *count <= u128::from(MOST));
    let (count, name) = found.unwrap_or((u128::from(MOST), "H"));
    HeaderValue::try_from(format!("{count}{name}")).expect("digits and a letter are a valid value")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_as_grpc_has_them() {
        let read = |text| grpc_timeout(&HeaderValue::from_static(text));
        for (text, time) in [
            ("7n", Duration::from_nanos(7)),
            ("1500u", Duration::from_micros(1500)),
            ("99999999m", Duration::from_millis(99_999_999)),
            ("1S", Duration::from_secs(1)),
            ("2M", Duration::from_secs(120)),
            ("99999999H", Duration::from_secs(99_999_999 * 3600)),
        ] {
            assert_eq!(read(text), Some(time), "{text}");
        }
        for text in [
            "",
            "S",
            "1",
            "1s",
            "-1S",
            "+1S",
            "1.5S",
            "999999999m",
            "000000001S",
            "1 S",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_left_is_read_back() {
        for time in [
            Duration::ZERO,
            Duration::from_nanos(99_999_999),
            Duration::from_millis(700),
            Duration::from_secs(3600),
            Duration::from_secs(99_999_999 * 3600),
        ] {
            assert_eq!(grpc_timeout(&grpc_value(time)), Some(time));
        }
        let longest = grpc_timeout(&grpc_value(Duration::MAX));
        assert_eq!(longest, Some(Duration::from_secs(99_999_999 * 3600)));
    }
}
