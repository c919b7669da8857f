//! The configuration of a webhook: its URL, its format and its signature.

pub(crate) mod delivery;
pub(crate) mod event;
pub(crate) mod folded;
pub(crate) mod message;
pub(crate) mod waiting;

use std::{error::Error, fmt, sync::Arc, time::Duration};

use hmac::{Hmac, Mac};
use reqwest::Url;
use serde_json::Value;
use sha2::Sha256;

use crate::webhook::message::Message;

/// A URL that receives a message when a rule is armed, when it ends (it is disabled, deleted, left
/// out of a new list of rules, or expires), when all injection is halted or resumed, and when a
/// guard rail breaks. See [`Admin::webhook`](crate::Admin::webhook)
/// for how messages are delivered.
///
/// The URL is a secret in many services, so `Debug`, errors and logs show its scheme, host and port
/// only.
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
    /// The name of the service; `None` until the webhook is added to an `Admin`, if nobody has named it.
    service: Option<Arc<str>>,
    signer: Option<Hmac<Sha256>>,
    within: Duration,
}

#[derive(Clone, Copy, Debug)]
enum Format {
    Json,
    Slack,
}

impl Webhook {
    /// The header that carries the signature.
    pub(crate) const SIGNATURE: &str = "x-chaos-signature";

    /// Creates a webhook that receives JSON objects with the fields `event`, `service`, `text`,
    /// `run` and `entry`, and `folded` if the message is about several entries.
    ///
    /// `event` is `arm`, `disarm`, `extend`, `halt`, `resume`, `expire` or `breach`; an edit that arms some
    /// rules and ends others is an `arm`, whose `text` names both. `entry` is the audit entry as `GET
    /// /v1/audit` shows it, with at most 100 changes; `changes_left_out` is the number of further
    /// ones. A message may be delivered twice; `run` and the entry's `id` together identify it.
    ///
    /// When more than eight entries wait for a slow receiver, they are combined into one message. Its
    /// `entry` is the last of them, and its `event` is that of the last, or `arm` if a rule is armed
    /// after them. `folded` describes all of them: the number of `entries`, the id of the `first` and
    /// the time `since` when, the names of up to 100 `actors`, and the rules that were `armed` and
    /// `ended`, each with a `count` and up to 100 ids in `rules`. A rule is counted once, by its last
    /// change; beyond 10,000 rules, each change is counted.
    ///
    /// ```json
    /// {
    ///   "event": "arm",
    ///   "service": "shop",
    ///   "text": "shop: 2 rules (a, b) armed, 1 rule (c) ended since 2026-11-27T09:00:00.000Z, by alice",
    ///   "run": "5f0c7d1e9a3b2c48",
    ///   "entry": { "id": 49, "action": "put", "…": "…" },
    ///   "folded": {
    ///     "entries": 48,
    ///     "first": 2,
    ///     "since": "2026-11-27T09:00:00.000Z",
    ///     "actors": ["alice"],
    ///     "armed": { "count": 2, "rules": ["a", "b"] },
    ///     "ended": { "count": 1, "rules": ["c"] }
    ///   }
    /// }
    /// ```
    ///
    /// # Errors
    /// Returns an error if `url` is not an `http` or `https` URL with a host.
    pub fn json(url: &str) -> Result<Self, WebhookError> {
        Self::to(url, Format::Json)
    }

    /// Creates a webhook that receives `{"text":"…"}` with a message for people, the format of
    /// Slack's incoming webhooks and of services that are compatible with them, such as Mattermost
    /// and Discord.
    ///
    /// No part of the message notifies a channel or a person, or is a link under another name: `&`, `<`
    /// and `>` are escaped, and a space of no width follows each `@` and separates `](`. Other Markdown
    /// is not changed.
    ///
    /// # Errors
    /// Returns an error if `url` is not an `http` or `https` URL with a host.
    pub fn slack(url: &str) -> Result<Self, WebhookError> {
        Self::to(url, Format::Slack)
    }

    fn to(url: &str, format: Format) -> Result<Self, WebhookError> {
        let url: Url = url.parse().map_err(|_| WebhookError(()))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(WebhookError(()));
        }
        Ok(Self {
            url,
            format,
            service: None,
            signer: None,
            within: Duration::from_secs(60),
        })
    }

    /// Sets the name of the service in messages. The default is the injector's
    /// [`service`](chaos_core::Injector::service) when the webhook is added.
    #[must_use]
    pub fn service(mut self, name: impl AsRef<str>) -> Self {
        self.service = Some(name.as_ref().into());
        self
    }

    fn service_name(&self) -> &str {
        self.service.as_deref().unwrap_or("a service")
    }

    /// Sets the name of the service, unless it has one.
    pub(crate) fn service_or(mut self, name: &str) -> Self {
        self.service.get_or_insert_with(|| name.into());
        self
    }

    /// Signs each body with HMAC-SHA256, so that the receiver can verify the sender. The header
    /// `x-chaos-signature` holds `sha256=` and the MAC in hexadecimal, as GitHub's webhooks do in
    /// `X-Hub-Signature-256`.
    #[must_use]
    #[expect(
        clippy::missing_panics_doc,
        reason = "an HMAC accepts a key of any length"
    )]
    pub fn signed_with(mut self, secret: impl AsRef<[u8]>) -> Self {
        let signer = Hmac::new_from_slice(secret.as_ref());
        self.signer = Some(signer.expect("an HMAC accepts a key of any length"));
        self
    }

    /// Sets how long a message is retried before it counts as failed. The default is one minute.
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

    /// Returns the part of the URL that may be shown; what follows it may be a secret.
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
            Format::Json => message.to_json(self.service_name()),
            Format::Slack => message.to_slack(self.service_name()),
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

/// The error for a URL that cannot be that of a webhook. It does not contain the URL, which may
/// contain secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookError(());

impl fmt::Display for WebhookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the URL of the webhook is not valid; allowed: an http or https URL with a host",
        )
    }
}

impl fmt::Debug for WebhookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for WebhookError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_a_url_are_not_shown() {
        let url = "https://user:password@hooks.example:8443/services/T0/B0/token?key=k#f";
        let hook = Webhook::slack(url).unwrap().signed_with("hush");
        assert_eq!(hook.origin(), "https://hooks.example:8443");
        let shown = format!("{hook:?}");
        for secret in ["user", "password", "token", "key", "hush"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }

    #[test]
    fn a_url_is_http_or_https() {
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
    fn a_signature_is_that_of_rfc_4231() {
        // The key and the body are those of RFC 4231, test case 2.
        let hook = Webhook::json("http://x").unwrap().signed_with("Jefe");
        let expected = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let body = b"what do ya want for nothing?";
        assert_eq!(hook.signature(body).as_deref(), Some(expected));
    }
}
