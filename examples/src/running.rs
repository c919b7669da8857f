//! The shop and the greeter as child processes, each with a client and an admin client.

use std::{path::Path, time::Duration};

use chaos_core::Clock;
use reqwest::{Client, Method};
use tonic::transport::{Channel, Endpoint};

use crate::{
    Error, admin_client::AdminClient, greeter::proto::greeter_client::GreeterClient,
    program::Program,
};

const FREE_PORTS: [&str; 4] = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];

/// A shop process on free ports. Dropping this kills it.
#[derive(Debug)]
pub struct RunningShop {
    /// The process.
    pub program: Program,
    /// An HTTP client, for requests that [`get`](Self::get) and [`checkout`](Self::checkout) don't
    /// cover.
    pub client: Client,
    /// A client of its admin port.
    pub admin: AdminClient,
    shop: String,
}

/// A complete response of the shop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The rule that the header `x-chaos-fault` names.
    pub fault: Option<String>,
    /// The body.
    pub body: String,
    /// The time from sending the request to receiving the last byte of the body.
    pub took: Duration,
}

impl Answer {
    /// Returns whether the status is 200 and no rule changed the response.
    #[must_use]
    pub fn is_plain_200(&self) -> bool {
        self.status == 200 && self.fault.is_none()
    }

    /// Returns whether this is a 503 that `rule` injected.
    #[must_use]
    pub fn is_503_by(&self, rule: &str) -> bool {
        self.status == 503 && self.fault.as_deref() == Some(rule)
    }
}

impl RunningShop {
    /// Starts the program `binary` without its own traffic, and waits until it serves.
    ///
    /// # Errors
    /// Returns an error if the program cannot be started, or ends before it serves.
    pub async fn start(binary: impl AsRef<Path>) -> Result<Self, Error> {
        Self::start_with(binary, &["--no-traffic"]).await
    }

    /// Starts the program `binary` with `args` besides its ports, and waits until it serves.
    ///
    /// # Errors
    /// Returns an error if the program cannot be started, or ends before it serves.
    pub async fn start_with(binary: impl AsRef<Path>, args: &[&str]) -> Result<Self, Error> {
        Self::start_in(binary, args, &[]).await
    }

    /// Starts the program `binary` with `args` besides its ports and with `variables` in its
    /// environment, and waits until it serves.
    ///
    /// # Errors
    /// Returns an error if the program cannot be started, or ends before it serves.
    pub async fn start_in(
        binary: impl AsRef<Path>,
        args: &[&str],
        variables: &[(&str, &str)],
    ) -> Result<Self, Error> {
        let args = [&FREE_PORTS, args].concat();
        Self::connect(Program::start_in(binary.as_ref(), &args, variables)?).await
    }

    /// Starts the shop through another program, such as `sh` or `unshare`, and waits until it serves.
    /// `before` are that program's arguments up to the shop's path; `args` are the shop's besides its
    /// ports.
    ///
    /// # Errors
    /// Returns an error if the program cannot be started, or ends before the shop serves.
    pub async fn start_through(
        program: impl AsRef<Path>,
        before: &[&str],
        args: &[&str],
    ) -> Result<Self, Error> {
        let args = [before, &FREE_PORTS, args].concat();
        Self::connect(Program::start(program.as_ref(), &args)?).await
    }

    async fn connect(mut program: Program) -> Result<Self, Error> {
        let shop = program.line("shop ").await?;
        let admin = AdminClient::new(program.line("admin ").await?)?;
        let client = Client::builder().no_proxy().build()?;
        Ok(Self {
            program,
            client,
            admin,
            shop,
        })
    }

    /// Returns the URL of a path of the shop.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.shop)
    }

    /// Sends a `GET` request for a path.
    ///
    /// # Errors
    /// Returns an error if there is no complete response.
    pub async fn get(&self, path: &str) -> Result<Answer, Error> {
        self.visit(Method::GET, path).await
    }

    /// Buys a product.
    ///
    /// # Errors
    /// Returns an error if there is no complete response.
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
}

/// A greeter process on free ports. Dropping this kills it.
#[derive(Debug)]
pub struct RunningGreeter {
    /// The process.
    pub program: Program,
    /// A client of its admin port.
    pub admin: AdminClient,
    greeter: String,
}

impl RunningGreeter {
    /// Starts the program `binary` and waits until it serves.
    ///
    /// # Errors
    /// Returns an error if the program cannot be started, or ends before it serves.
    pub async fn start(binary: impl AsRef<Path>) -> Result<Self, Error> {
        Self::start_with(binary, &[]).await
    }

    /// Starts the program `binary` with `args` besides its ports, and waits until it serves.
    ///
    /// # Errors
    /// Returns an error if the program cannot be started, or ends before it serves.
    pub async fn start_with(binary: impl AsRef<Path>, args: &[&str]) -> Result<Self, Error> {
        let mut program = Program::start(binary.as_ref(), &[&FREE_PORTS, args].concat())?;
        let greeter = program.line("greeter ").await?;
        let admin = AdminClient::new(program.line("admin ").await?)?;
        Ok(Self {
            program,
            admin,
            greeter,
        })
    }

    /// Returns the greeter's address without a scheme: `HOST:PORT`.
    #[must_use]
    pub fn address(&self) -> &str {
        self.greeter.trim_start_matches("http://")
    }

    /// Connects a new client. Its clones share the connection.
    ///
    /// # Errors
    /// Returns an error if the greeter cannot be reached.
    pub async fn client(&self) -> Result<GreeterClient<Channel>, Error> {
        let channel = Endpoint::new(self.greeter.clone())?.connect().await?;
        Ok(GreeterClient::new(channel))
    }
}
