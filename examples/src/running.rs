//! The shop and the greeter as processes, each with a client of its own and an operator's.

use std::{path::Path, time::Duration};

use chaos_core::Clock;
use reqwest::{Client, Method};
use tonic::transport::{Channel, Endpoint};

use crate::{
    Error, admin_client::AdminClient, greeter::proto::greeter_client::GreeterClient,
    program::Program,
};

const FREE_PORTS: [&str; 4] = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];

/// A shop on free ports. It is killed when this is dropped.
#[derive(Debug)]
pub struct RunningShop {
    /// The process.
    pub program: Program,
    /// For requests with more to them than [`get`](Self::get) has.
    pub client: Client,
    /// Where its faults are armed.
    pub admin: AdminClient,
    shop: String,
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
        Self::start_in(binary, args, &[]).await
    }

    /// The same, with variables in its environment.
    ///
    /// # Errors
    /// If it does not come up.
    pub async fn start_in(
        binary: impl AsRef<Path>,
        args: &[&str],
        variables: &[(&str, &str)],
    ) -> Result<Self, Error> {
        let args = [&FREE_PORTS, args].concat();
        Self::up(Program::start_in(binary.as_ref(), &args, variables)?).await
    }

    /// The same by way of another program, whose own arguments come first.
    ///
    /// # Errors
    /// If it does not come up.
    pub async fn start_through(
        program: impl AsRef<Path>,
        before: &[&str],
        args: &[&str],
    ) -> Result<Self, Error> {
        let args = [before, &FREE_PORTS, args].concat();
        Self::up(Program::start(program.as_ref(), &args)?).await
    }

    async fn up(mut program: Program) -> Result<Self, Error> {
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
}

/// A greeter on free ports. It is killed when this is dropped.
#[derive(Debug)]
pub struct RunningGreeter {
    /// The process.
    pub program: Program,
    /// Where its faults are armed.
    pub admin: AdminClient,
    greeter: String,
}

impl RunningGreeter {
    /// Starts the program `binary`, and waits until it serves.
    ///
    /// # Errors
    /// If it does not come up.
    pub async fn start(binary: impl AsRef<Path>) -> Result<Self, Error> {
        Self::start_with(binary, &[]).await
    }

    /// The same, with other arguments.
    ///
    /// # Errors
    /// If it does not come up.
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

    /// Where it is served, without a scheme: `HOST:PORT`.
    #[must_use]
    pub fn address(&self) -> &str {
        self.greeter.trim_start_matches("http://")
    }

    /// A client with a connection of its own; its clones share it.
    ///
    /// # Errors
    /// If the greeter cannot be reached.
    pub async fn client(&self) -> Result<GreeterClient<Channel>, Error> {
        let channel = Endpoint::new(self.greeter.clone())?.connect().await?;
        Ok(GreeterClient::new(channel))
    }
}
