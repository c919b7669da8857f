//! One admin port, asked over HTTP, HTTPS or a Unix socket.

pub(crate) mod address;
pub(crate) mod answer;
mod event_parser;
pub(crate) mod event_stream;
pub(crate) mod live;
#[cfg(any(feature = "fleet", feature = "gameday"))]
pub(crate) mod outside;
pub(crate) mod request;
pub(crate) mod rule_list;
#[cfg(any(feature = "fleet", feature = "gameday"))]
pub(crate) mod webhooks;

use std::{error::Error, time::Duration};

use reqwest::{Response, header};

use crate::{
    client::{address::Address, answer::Answer, request::Request},
    failure::{Exit, Failure},
};

/// What all requests of a command have in common.
#[derive(Clone, Default)]
pub(crate) struct Access {
    /// The header `Authorization`; it is marked as sensitive.
    pub(crate) token: Option<header::HeaderValue>,
    /// Whether the token may go over plain HTTP to another machine.
    pub(crate) insecure_token: bool,
    /// Authorities that replace those of the system.
    pub(crate) authorities: Option<Vec<reqwest::Certificate>>,
    /// The client's certificate and key.
    pub(crate) identity: Option<reqwest::Identity>,
    /// The longest that a request may take.
    pub(crate) timeout: Duration,
}

/// A client of one port.
pub(crate) struct Client {
    http: reqwest::Client,
    address: Address,
    access: Access,
}

impl Client {
    /// Returns a client, without a connection yet.
    ///
    /// Proxies of the environment are not used, and redirects not followed, so that the token goes to the
    /// address and nowhere else.
    pub(crate) fn new(address: Address, access: &Access) -> Result<Self, Failure> {
        if access.token.is_some() && !access.insecure_token && !address.is_private() {
            let detail = "the token would be sent over plain HTTP to another machine";
            let allowed = "https, a loopback address or a Unix socket; or --insecure-token";
            return Err(Failure::usage(detail).at(address.to_string(), allowed));
        }
        let mut builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(access.timeout)
            .user_agent(concat!("chaosctl/", env!("CARGO_PKG_VERSION")));
        if let Some(authorities) = &access.authorities {
            builder = builder.tls_certs_only(authorities.clone());
        }
        if let Some(identity) = &access.identity {
            builder = builder.identity(identity.clone());
        }
        #[cfg(unix)]
        if let Some(socket) = address.socket() {
            builder = builder.unix_socket(socket);
        }
        let http = builder.build().map_err(|error| {
            let detail = format!("TLS cannot be set up: {}", causes(&error));
            Failure::usage(detail).at(address.to_string(), "valid --ca, --cert and --cert-key")
        })?;
        Ok(Self {
            http,
            address,
            access: access.clone(),
        })
    }

    /// Returns the address as the operator wrote it.
    pub(crate) fn name(&self) -> String {
        self.address.to_string()
    }

    pub(crate) async fn get(&self, path: &[&str]) -> Result<Answer, Failure> {
        self.send(Request::get(path)).await
    }

    /// Sends a request, and reads the whole answer.
    pub(crate) async fn send(&self, request: Request) -> Result<Answer, Failure> {
        let route = request.route();
        let timeout = self.access.timeout + request.wait;
        let response = self.start(request, Some(timeout)).await?;
        Answer::read(response, &route).await
    }

    /// Sends a request whose answer goes on: the head of the answer is waited for, and no longer.
    pub(crate) async fn open(&self, request: Request) -> Result<Response, Failure> {
        let route = request.route();
        let opened = async {
            let response = self.start(request, None).await?;
            match response.status().is_success() {
                true => Ok(response),
                false => Answer::read(response, &route)
                    .await
                    .and(Err(no_answer("the answer is no stream"))),
            }
        };
        let opened = tokio::time::timeout(self.access.timeout, opened).await;
        opened.unwrap_or_else(|_| Err(no_answer("it took too long")))
    }

    async fn start(
        &self,
        request: Request,
        timeout: Option<Duration>,
    ) -> Result<Response, Failure> {
        let url = self.address.url(&request.path, &request.query);
        let mut sent = self.http.request(request.method, url);
        if let Some(timeout) = timeout {
            sent = sent.timeout(timeout);
        }
        if let Some(token) = &self.access.token {
            sent = sent.header(header::AUTHORIZATION, token.clone());
        }
        for (name, value) in request.headers {
            sent = sent.header(name, value);
        }
        if let Some(body) = request.body {
            sent = sent
                .header(header::CONTENT_TYPE, "application/json")
                .body(body.to_string());
        }
        sent.send()
            .await
            .map_err(|error| no_answer(&causes(&error)))
    }
}

/// Returns the failure of an endpoint that has not answered.
pub(crate) fn no_answer(why: &str) -> Failure {
    Failure::new(Exit::NoAnswer, format!("no answer: {why}"))
}

/// Returns what lies behind an error of the client, without the address, which is shown beside it.
pub(crate) fn causes(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it took too long".to_owned();
    }
    let mut text = String::new();
    let mut next = error.source();
    while let Some(cause) = next {
        if !text.is_empty() {
            text += ": ";
        }
        text += &cause.to_string();
        next = cause.source();
    }
    match text.is_empty() {
        true => error.to_string(),
        false => text,
    }
}
