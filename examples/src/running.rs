//! The shop as a process, with a customer's client and an operator's.

use std::{path::Path, time::Duration};

use chaos_core::Clock;
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

use crate::{Error, program::Program};

/// A shop on free ports. It is killed when this is dropped.
#[derive(Debug)]
pub struct RunningShop {
    /// The process.
    pub program: Program,
    /// For requests with more to them than [`get`](Self::get) has.
    pub client: Client,
    shop: String,
    admin: String,
}

/// What a customer saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The rule named by `x-chaos-fault`.
    pub fault: Option<String>,
    /// All of the body.
    pub body: String,
    /// From the first byte sent to the last one received.
    pub took: Duration,
}

impl Answer {
    /// Whether it is an answer as if there were no faults.
    #[must_use]
    pub fn is_plain_200(&self) -> bool {
        self.status == 200 && self.fault.is_none()
    }

    /// Whether it is a 503 made by `rule`.
    #[must_use]
    pub fn is_503_by(&self, rule: &str) -> bool {
        self.status == 503 && self.fault.as_deref() == Some(rule)
    }
}

impl RunningShop {
    /// Starts the program `binary`, without its own traffic, and waits until it serves.
    ///
    /// # Errors
    /// If it does not come up.
    pub async fn start(binary: impl AsRef<Path>) -> Result<Self, Error> {
        Self::start_with(binary, &["--no-traffic"]).await
    }

    /// The same, with other arguments.
    ///
    /// # Errors
    /// If it does not come up.
    pub async fn start_with(binary: impl AsRef<Path>, args: &[&str]) -> Result<Self, Error> {
        let free_ports = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
        let mut program = Program::start(binary.as_ref(), &[&free_ports, args].concat())?;
        let shop = program.line("shop ").await?;
        let admin = program.line("admin ").await?;
        let client = Client::builder().no_proxy().build()?;
        Ok(Self {
            program,
            client,
            shop,
            admin,
        })
    }

    /// The address of a path of the shop.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.shop)
    }

    /// Visits a path.
    ///
    /// # Errors
    /// If there is no whole answer.
    pub async fn get(&self, path: &str) -> Result<Answer, Error> {
        self.visit(Method::GET, path).await
    }

    /// Buys a product.
    ///
    /// # Errors
    /// If there is no whole answer.
    pub async fn checkout(&self, product: u32) -> Result<Answer, Error> {
        let path = format!("/checkout/{product}");
        self.visit(Method::POST, &path).await
    }

    async fn visit(&self, method: Method, path: &str) -> Result<Answer, Error> {
        let request = self.client.request(method, self.url(path));
        let clock = Clock::monotonic();
        let response = request.send().await?;
        let fault = response.headers().get("x-chaos-fault");
        let fault = fault
            .and_then(|value| value.to_str().ok())
            .map(String::from);
        Ok(Answer {
            status: response.status().as_u16(),
            fault,
            body: response.text().await?,
            took: clock.now(),
        })
    }

    /// Asks the admin port for something.
    ///
    /// # Errors
    /// If it refuses; with what it says.
    pub async fn admin(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Error> {
        let mut request = self.client.request(method, format!("{}{path}", self.admin));
        if let Some(body) = body {
            request = request.json(body);
        }
        let response: Response = request.send().await?;
        let status = response.status();
        let body = response.text().await?;
        if !status.is_success() {
            return Err(format!("{path}: {status}: {body}").into());
        }
        // A 204 has no body.
        Ok(serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    /// Makes or replaces a rule.
    ///
    /// # Errors
    /// If it is refused.
    pub async fn put_rule(&self, id: &str, rule: &Value) -> Result<(), Error> {
        let path = format!("/v1/rules/{id}");
        self.admin(Method::PUT, &path, Some(rule)).await.map(drop)
    }

    /// Changes parts of a rule.
    ///
    /// # Errors
    /// If it is refused.
    pub async fn patch_rule(&self, id: &str, patch: &Value) -> Result<(), Error> {
        let path = format!("/v1/rules/{id}");
        self.admin(Method::PATCH, &path, Some(patch))
            .await
            .map(drop)
    }

    /// One rule, with what it has counted.
    ///
    /// # Errors
    /// If there is no such rule.
    pub async fn rule(&self, id: &str) -> Result<Value, Error> {
        self.admin(Method::GET, &format!("/v1/rules/{id}"), None)
            .await
    }

    /// How often a rule was injected, as the port says.
    ///
    /// # Errors
    /// If there is no such rule.
    pub async fn injections(&self, id: &str) -> Result<u64, Error> {
        let path = format!("/v1/rules/{id}/injections");
        let number = self.admin(Method::GET, &path, None).await?;
        number
            .as_u64()
            .ok_or_else(|| format!("{number} is no count").into())
    }

    /// Pulls the kill switch.
    ///
    /// # Errors
    /// If the port does not answer.
    pub async fn halt(&self) -> Result<(), Error> {
        let reason = json!({ "reason": "a test" });
        self.admin(Method::POST, "/v1/halt", Some(&reason))
            .await
            .map(drop)
    }

    /// Undoes [`halt`](Self::halt).
    ///
    /// # Errors
    /// If the port does not answer.
    pub async fn resume(&self) -> Result<(), Error> {
        let reason = json!({ "reason": "a test" });
        self.admin(Method::POST, "/v1/resume", Some(&reason))
            .await
            .map(drop)
    }
}
