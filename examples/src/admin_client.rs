//! The admin port of a running program, as its operator uses it.

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::Error;

/// A client of one admin port. Clones share its connections.
#[derive(Clone, Debug)]
pub struct AdminClient {
    client: Client,
    address: String,
}

impl AdminClient {
    /// Of the port at `address`, as programs print it: `http://HOST:PORT`.
    ///
    /// # Errors
    /// If there can be no client at all.
    pub fn new(address: String) -> Result<Self, Error> {
        let client = Client::builder().no_proxy().build()?;
        Ok(Self { client, address })
    }

    /// The address of a path of the port.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }

    /// Asks for something.
    ///
    /// # Errors
    /// If it refuses; with what it says.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Error> {
        let mut request = self.client.request(method, self.url(path));
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await?;
        let status = response.status();
        let body = response.text().await?;
        if !status.is_success() {
            return Err(format!("{path}: {status}: {body}").into());
        }
        // A 204 has no body.
        Ok(serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    /// All metrics, as Prometheus reads them.
    ///
    /// # Errors
    /// If the port does not answer.
    pub async fn metrics(&self) -> Result<String, Error> {
        let metrics = self.client.get(format!("{}/metrics", self.address));
        Ok(metrics.send().await?.error_for_status()?.text().await?)
    }

    /// Makes or replaces a rule.
    ///
    /// # Errors
    /// If it is refused.
    pub async fn put_rule(&self, id: &str, rule: &Value) -> Result<(), Error> {
        let path = format!("/v1/rules/{id}");
        self.ask(Method::PUT, &path, Some(rule)).await.map(drop)
    }

    /// Changes parts of a rule.
    ///
    /// # Errors
    /// If it is refused.
    pub async fn patch_rule(&self, id: &str, patch: &Value) -> Result<(), Error> {
        let path = format!("/v1/rules/{id}");
        self.ask(Method::PATCH, &path, Some(patch)).await.map(drop)
    }

    /// One rule, with what it has counted.
    ///
    /// # Errors
    /// If there is no such rule.
    pub async fn rule(&self, id: &str) -> Result<Value, Error> {
        self.ask(Method::GET, &format!("/v1/rules/{id}"), None)
            .await
    }

    /// How often a rule was injected, as the port says.
    ///
    /// # Errors
    /// If there is no such rule.
    pub async fn injections(&self, id: &str) -> Result<u64, Error> {
        let path = format!("/v1/rules/{id}/injections");
        let number = self.ask(Method::GET, &path, None).await?;
        number
            .as_u64()
            .ok_or_else(|| format!("{number} is no count").into())
    }

    /// Lets the calls go that a rule has paused.
    ///
    /// # Errors
    /// If there is no such rule.
    pub async fn release(&self, id: &str) -> Result<(), Error> {
        let path = format!("/v1/rules/{id}/release");
        self.ask(Method::POST, &path, None).await.map(drop)
    }

    /// Takes a rule out.
    ///
    /// # Errors
    /// If there is no such rule.
    pub async fn delete_rule(&self, id: &str) -> Result<(), Error> {
        let path = format!("/v1/rules/{id}");
        self.ask(Method::DELETE, &path, None).await.map(drop)
    }

    /// Pulls the kill switch.
    ///
    /// # Errors
    /// If the port does not answer.
    pub async fn halt(&self) -> Result<(), Error> {
        let reason = json!({ "reason": "a test" });
        self.ask(Method::POST, "/v1/halt", Some(&reason))
            .await
            .map(drop)
    }

    /// Undoes [`halt`](Self::halt).
    ///
    /// # Errors
    /// If the port does not answer.
    pub async fn resume(&self) -> Result<(), Error> {
        let reason = json!({ "reason": "a test" });
        self.ask(Method::POST, "/v1/resume", Some(&reason))
            .await
            .map(drop)
    }
}
