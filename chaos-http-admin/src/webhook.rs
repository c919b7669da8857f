//! Where others are told, and in which words.

#[cfg(feature = "webhooks")]
pub(crate) mod delivery;
#[cfg(feature = "webhooks")]
pub(crate) mod message;

use std::{error::Error, fmt, sync::Arc, time::Duration};

use hmac::{Hmac, Mac};
use reqwest::Url;
use serde_json::Value;
use sha2::Sha256;

use crate::webhook::message::Message;

/// An address that is told when a rule is armed, when all faults are halted or resumed, when a rule
/// expires, and when a guard rail breaks. See [`Admin::webhook`](crate::Admin::webhook).
///
/// ```
/// # use chaos_http_admin::{Admin, Webhook, WebhookError};
/// # fn example(admin: Admin) -> Result<Admin, WebhookError> {
/// let slack = Webhook::slack("https://hooks.slack.com/services/T00/B00/XXXX")?;
/// let json = Webhook::json("https://ops.example.com/chaos")?.signed_with("a secret");
/// # Ok(
/// admin.webhook(slack).webhook(json)
/// # )
/// # }
/// ```
#[derive(Clone)]
pub struct Webhook {
    url: Url,
    format: Format,
    service: Arc<str>,
    signer: Option<Hmac<Sha256>>,
    within: Duration,
}

#[derive(Clone, Copy, Debug)]
enum Format {
    Json,
    Slack,
}

impl Webhook {
    /// The header of the signature.
    pub(crate) const SIGNATURE: &str = "x-chaos-signature";

    /// Tells a program: `{"event","service","text","run","entry"}`. The event is `arm`, `halt`,
    /// `resume`, `expire` or `breach`; the entry is what `GET /v1/audit` shows, with a hundred changes
    /// at most, and `changes_left_out` if there were more. `run` and the entry's `id` together tell
    /// a message that comes twice.
    ///
    /// # Errors
    /// If `url` is none of `http` or `https`.
    pub fn json(url: &str) -> Result<Self, WebhookError> {
        Self::to(url, Format::Json)
    }

    /// Tells people: `{"text"}`, as Slack's incoming webhooks take it, and what is compatible with
    /// them.
    ///
    /// # Errors
    /// If `url` is none of `http` or `https`.
    pub fn slack(url: &str) -> Result<Self, WebhookError> {
        Self::to(url, Format::Slack)
    }

    fn to(url: &str, format: Format) -> Result<Self, WebhookError> {
        let url: Url = url.parse().map_err(|_| WebhookError(()))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(WebhookError(()));
        }
        let program = std::env::current_exe().ok();
        let program = program.as_ref().and_then(|path| path.file_stem()?.to_str());
        Ok(Self {
            url,
            format,
            service: program.unwrap_or("a service").into(),
            signer: None,
            within: Duration::from_secs(60),
        })
    }

    /// The name of the service that messages come from; without, that of the program's file.
    #[must_use]
    pub fn service(mut self, name: impl AsRef<str>) -> Self {
        self.service = name.as_ref().into();
        self
    }

    /// Signs each body with HMAC-SHA256, so that the receiver knows whom it is from:
    /// `x-chaos-signature: sha256=` and the sum in hexadecimal.
    #[must_use]
    pub fn signed_with(mut self, secret: impl AsRef<[u8]>) -> Self {
        let signer = Hmac::new_from_slice(secret.as_ref());
        self.signer = Some(signer.expect("a key for an HMAC is of any length"));
        self
    }

    /// For how long a message is tried before it is given up; a minute, unless this says otherwise.
    #[must_use]
    pub fn within(mut self, time: Duration) -> Self {
        self.within = time;
        self
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    pub(crate) fn retry_time(&self) -> Duration {
        self.within
    }

    /// What may be shown of the address: all that follows may be a secret.
    pub(crate) fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    pub(crate) fn kind(&self) -> &'static str {
        match self.format {
            Format::Json => "json",
            Format::Slack => "slack",
        }
    }

    pub(crate) fn body(&self, message: &Message) -> Value {
        match self.format {
            Format::Json => message.to_json(&self.service),
            Format::Slack => message.to_slack(&self.service),
        }
    }

    pub(crate) fn signature(&self, body: &[u8]) -> Option<String> {
        let mut mac = self.signer.clone()?;
        mac.update(body);
        let sum = mac.finalize().into_bytes();
        let hex: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
        Some(format!("sha256={hex}"))
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("to", &self.origin())
            .field("form", &self.format)
            .field("is_signed", &self.signer.is_some())
            .finish_non_exhaustive()
    }
}

/// An address that no webhook can have. It does not say which: there may be secrets in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookError(());

impl fmt::Display for WebhookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the address of a webhook begins with http:// or https:// and names a host")
    }
}

impl Error for WebhookError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_secret_in_an_address_is_not_shown() {
        let url = "https://user:password@hooks.example:8443/services/T0/B0/token?key=k#f";
        let hook = Webhook::slack(url).unwrap().signed_with("hush");
        assert_eq!(hook.origin(), "https://hooks.example:8443");
        let shown = format!("{hook:?}");
        for secret in ["user", "password", "token", "key", "hush"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }

    #[test]
    fn an_address_is_one_of_the_web() {
        for url in [
            "",
            "hooks.slack.com",
            "ftp://x/",
            "file:///etc",
            "data:x",
            "https://",
        ] {
            assert!(Webhook::json(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_signature_is_what_others_make_of_it() {
        // From RFC 4231, test case 2.
        let hook = Webhook::json("http://x").unwrap().signed_with("Jefe");
        let expected = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let body = b"what do ya want for nothing?";
        assert_eq!(hook.signature(body).as_deref(), Some(expected));
    }
}
