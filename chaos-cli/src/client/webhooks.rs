//! Tells webhooks what a command does, in the background: one that fails is told again, and never stops the command.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use chaos_core::WithCauses;
use reqwest::{Client, StatusCode, header::CONTENT_TYPE};
use serde_json::Value;
use tokio::{task::JoinSet, time::timeout};

/// The time limit of one attempt.
const ATTEMPT: Duration = Duration::from_secs(10);
/// For how long a message is tried.
const ALL_ATTEMPTS: Duration = Duration::from_secs(5 * 60);
/// How long a program that ends waits for messages under way.
const PATIENCE: Duration = Duration::from_secs(5);

/// The messages under way.
pub(crate) struct Webhooks {
    http: Client,
    /// Each returns why its webhook was not told.
    messages: JoinSet<Result<(), String>>,
}

impl Webhooks {
    pub(crate) fn new(http: Client) -> Self {
        Self {
            http,
            messages: JoinSet::new(),
        }
    }

    /// Begins to tell a webhook.
    pub(crate) fn tell(&mut self, url: String, host: &str, message: &Value) {
        let (http, body) = (self.http.clone(), message.to_string());
        // The rest of the URL may be a secret.
        let host = host.to_owned();
        self.messages.spawn(async move {
            let delivered = deliver(&http, &url, &body).await;
            delivered.map_err(|problem| format!("the webhook at {host} was not told: {problem}"))
        });
    }

    /// Returns why messages have failed since this was asked last.
    #[cfg(feature = "fleet")]
    pub(crate) fn failures(&mut self) -> Vec<String> {
        let mut failures = Vec::new();
        while let Some(done) = self.messages.try_join_next() {
            failures.extend(done.ok().and_then(Result::err));
        }
        failures
    }

    /// Waits for the messages under way, for a while, and returns why some have failed.
    pub(crate) async fn end(&mut self) -> Vec<String> {
        let mut failures = Vec::new();
        let all = async {
            while let Some(done) = self.messages.join_next().await {
                failures.extend(done.ok().and_then(Result::err));
            }
        };
        if timeout(PATIENCE, all).await.is_err() {
            let left = self.messages.len();
            failures.push(format!(
                "webhooks have not been told: messages left: {left}"
            ));
        }
        failures
    }
}

async fn deliver(http: &Client, url: &str, body: &str) -> Result<(), String> {
    let waits = ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(500))
        .with_max_delay(Duration::from_secs(15))
        .with_jitter()
        .without_max_times();
    let mut last = None;
    let attempts = (|| attempt(http, url, body))
        .retry(waits)
        .sleep(tokio::time::sleep)
        .when(|failure: &Attempt| failure.is_retryable)
        .notify(|failure, _| last = Some(failure.problem.clone()));
    match timeout(ALL_ATTEMPTS, attempts).await {
        Ok(outcome) => outcome.map_err(|failure| failure.problem),
        Err(_) => Err(last.unwrap_or_else(|| "it did not answer in time".to_owned())),
    }
}

/// Why an attempt has failed.
struct Attempt {
    is_retryable: bool,
    /// Without the URL, which may hold a secret.
    problem: String,
}

async fn attempt(http: &Client, url: &str, body: &str) -> Result<(), Attempt> {
    let request = http.post(url).timeout(ATTEMPT);
    let request = request.header(CONTENT_TYPE, "application/json");
    let answer = request.body(body.to_owned()).send().await;
    let status = match answer {
        Ok(answer) => answer.status(),
        Err(error) => {
            return Err(Attempt {
                is_retryable: true,
                problem: WithCauses(&error.without_url()).to_string(),
            });
        }
    };
    let asks_to_wait =
        [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(&status);
    match status.is_success() {
        true => Ok(()),
        false => Err(Attempt {
            is_retryable: status.is_server_error() || asks_to_wait,
            problem: format!("it answered {status}"),
        }),
    }
}
