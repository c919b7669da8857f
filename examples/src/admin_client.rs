//! A client of a program's admin API.

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::Error;

/// A client of one admin port. Clones share a connection pool.
#[derive(Clone, Debug)]
pub struct AdminClient {
    client: Client,
    address: String,
}

impl AdminClient {
    /// Creates a client of the port at `address`, in the form `http://HOST:PORT` that the programs
    /// print.
    ///
    /// # Errors
    /// Returns an error if the HTTP client cannot be created.
    pub fn new(address: String) -> Result<Self, Error> {
        let client = Client::builder().no_proxy().build()?;
        Ok(Self { client, address })
    }

    /// Returns the URL of a path on the port.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }

    /// Sends a request, and returns the JSON body of the response, or `null` if it has none.
    ///
    /// # Errors
    /// Returns an error if the request fails, or if the status is not a success; the error then has
    /// the path, the status and the body.
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
        // A 204 response has no body.
        Ok(serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    /// Returns all metrics in the Prometheus text format.
    ///
    /// # Errors
    /// Returns an error if the request fails or the status is not a success.
    pub async fn metrics(&self) -> Result<String, Error> {
        let metrics = self.client.get(format!("{}/metrics", self.address));
        Ok(metrics.send().await?.error_for_status()?.text().await?)
    }

    /// Creates or replaces a rule.
    ///
    /// # Errors
    /// Returns an error if the request fails or the rule is rejected.
    pub async fn put_rule(&self, id: &str, rule: &Value) -> Result<(), Error> {
        let path = format!("/v1/rules/{id}");
        self.ask(Method::PUT, &path, Some(rule)).await.map(drop)
    }

    /// Changes fields of a rule, by a JSON merge patch.
    ///
    /// # Errors
    /// Returns an error if the request fails, if there is no such rule, or if the change is rejected.
    pub async fn patch_rule(&self, id: &str, patch: &Value) -> Result<(), Error> {
        let path = format!("/v1/rules/{id}");
        self.ask(Method::PATCH, &path, Some(patch)).await.map(drop)
    }

    /// Returns one rule with its counters.
    ///
    /// # Errors
    /// Returns an error if the request fails or there is no such rule.
    pub async fn rule(&self, id: &str) -> Result<Value, Error> {
        self.ask(Method::GET, &format!("/v1/rules/{id}"), None)
            .await
    }

    /// Returns the number of injections of a rule.
    ///
    /// # Errors
    /// Returns an error if the request fails, if there is no such rule, or if the response is not a
    /// number.
    pub async fn injections(&self, id: &str) -> Result<u64, Error> {
        let path = format!("/v1/rules/{id}/injections");
        let number = self.ask(Method::GET, &path, None).await?;
        number
            .as_u64()
            .ok_or_else(|| format!("the number of injections is {number}, not an integer").into())
    }

    /// Releases the calls that a rule has paused.
    ///
    /// # Errors
    /// Returns an error if the request fails or there is no such rule.
    pub async fn release(&self, id: &str) -> Result<(), Error> {
        let path = format!("/v1/rules/{id}/release");
        self.ask(Method::POST, &path, None).await.map(drop)
    }

    /// Deletes a rule.
    ///
    /// # Errors
    /// Returns an error if the request fails or there is no such rule.
    pub async fn delete_rule(&self, id: &str) -> Result<(), Error> {
        let path = format!("/v1/rules/{id}");
        self.ask(Method::DELETE, &path, None).await.map(drop)
    }

    /// Halts all injection.
    ///
    /// # Errors
    /// Returns an error if the request fails or is rejected.
    pub async fn halt(&self) -> Result<(), Error> {
        let reason = json!({ "reason": "a test" });
        self.ask(Method::POST, "/v1/halt", Some(&reason))
            .await
            .map(drop)
    }

    /// Resumes injection after a [`halt`](Self::halt).
    ///
    /// # Errors
    /// Returns an error if the request fails or is rejected.
    pub async fn resume(&self) -> Result<(), Error> {
        let reason = json!({ "reason": "a test" });
        self.ask(Method::POST, "/v1/resume", Some(&reason))
            .await
            .map(drop)
    }
}
