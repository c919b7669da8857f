//! How long a certificate chain is valid, and warnings before it ends.

use std::time::{Duration, SystemTime};

use chaos_core::log::log;
use rustls::pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

use crate::history::entry::time;

/// The time before its end at which a chain is warned of, or a third of its life if that is less.
const WARN_BEFORE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// When all certificates of a chain are valid. A bound is `None` if no certificate has one that can be
/// read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Validity {
    from: Option<SystemTime>,
    until: Option<SystemTime>,
}

impl Validity {
    /// Reads the bounds of all certificates.
    pub(crate) fn of(chain: &[CertificateDer<'_>]) -> Self {
        let bounds = |certificate| {
            let certificate = EndEntityCert::try_from(certificate).ok()?;
            Some((not_before(&certificate), not_after(&certificate)))
        };
        let bounds = chain.iter().filter_map(bounds);
        let (from, until): (Vec<_>, Vec<_>) = bounds.unzip();
        Self {
            from: from.into_iter().flatten().max(),
            until: until.into_iter().flatten().min(),
        }
    }

    /// Returns why clients refuse the chain at the time `now`, or soon will; `None` if they don't.
    pub(crate) fn warning(&self, now: SystemTime) -> Option<String> {
        let (from, until) = (self.from, self.until);
        if let Some(from) = from.filter(|from| now < *from) {
            let from = time(from);
            return Some(format!("the certificate is not valid before {from}"));
        }
        let until = until?;
        let life = from.and_then(|from| until.duration_since(from).ok());
        let before = life.map_or(WARN_BEFORE, |life| WARN_BEFORE.min(life / 3));
        match until.duration_since(now) {
            Err(_) => Some(format!("the certificate expired at {}", time(until))),
            Ok(left) if left < before => {
                Some(format!("the certificate expires at {}", time(until)))
            }
            Ok(_) => None,
        }
    }

    /// Logs the [warning](Self::warning) for the time `now`, if there is one.
    pub(crate) fn warn(&self, now: SystemTime) {
        if let Some(problem) = self.warning(now) {
            log(move || {
                tracing::warn!(target: "chaos", problem, "clients of the admin port refuse its certificate, or soon will");
            });
        }
    }

    /// Returns why clients refuse the chain at the time `now`; `None` if they don't.
    #[cfg(feature = "follow")]
    pub(crate) fn problem(&self, now: SystemTime) -> Option<String> {
        let is_valid =
            self.from.is_none_or(|from| from <= now) && self.until.is_none_or(|until| now <= until);
        self.warning(now).filter(|_| !is_valid)
    }
}

/// Returns the first moment at which a certificate is valid.
///
/// webpki has no accessor for it, and names it in the error for a moment before.
fn not_before(certificate: &EndEntityCert<'_>) -> Option<SystemTime> {
    match verify_at(certificate, Duration::ZERO) {
        Some(webpki::Error::CertNotValidYet { not_before, .. }) => Some(moment(not_before)),
        _ => None,
    }
}

/// Returns the last moment at which a certificate is valid, which webpki names in the error for a moment
/// after.
fn not_after(certificate: &EndEntityCert<'_>) -> Option<SystemTime> {
    match verify_at(certificate, Duration::from_secs(u64::MAX)) {
        Some(webpki::Error::CertExpired { not_after, .. }) => Some(moment(not_after)),
        _ => None,
    }
}

/// Returns why a certificate is refused at this time. Its validity is checked first of all.
fn verify_at(certificate: &EndEntityCert<'_>, since_epoch: Duration) -> Option<webpki::Error> {
    let time = UnixTime::since_unix_epoch(since_epoch);
    let usage = KeyUsage::server_auth();
    let verified = certificate.verify_for_usage(&[], &[], &[], time, usage, None, None);
    verified.err()
}

fn moment(time: UnixTime) -> SystemTime {
    let since = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(time.as_secs()));
    since.unwrap_or(SystemTime::UNIX_EPOCH)
}
