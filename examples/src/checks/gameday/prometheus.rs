//! A Prometheus that scrapes the shop.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::Stdio,
    time::Duration,
};

use chaos_core::Clock;
use serde_json::Value;
use tokio::{
    process::{Child, Command},
    time::sleep,
};

use crate::Error;

/// The longest time that it may take to begin.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running Prometheus. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Prometheus {
    _child: Child,
    address: String,
    client: reqwest::Client,
}

impl Prometheus {
    /// Starts one with its data in a folder, and waits until it has scraped the port at `admin`.
    pub(super) async fn start(admin: &str, folder: &Path) -> Result<Self, Error> {
        let settings = fs::read_to_string(Path::new(super::FOLDER).join("prometheus.yml"))?;
        let file = folder.join("prometheus.yml");
        fs::write(&file, settings.replace("127.0.0.1:9900", admin))?;
        let data = folder.join("metrics");
        // A run before may have left some.
        let _ = fs::remove_dir_all(&data);
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = free.local_addr()?.to_string();
        drop(free);
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", data.display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        let child = child.map_err(|error| format!("prometheus (Debian's package): {error}"))?;
        let client = reqwest::Client::builder().no_proxy().build()?;
        let prometheus = Self {
            _child: child,
            address,
            client,
        };
        let clock = Clock::monotonic();
        while prometheus.number("up{job=\"shop\"}").await.ok().flatten() != Some(1.0) {
            if clock.now() > PATIENCE {
                return Err("prometheus has not scraped the shop in time".into());
            }
            sleep(Duration::from_millis(200)).await;
        }
        Ok(prometheus)
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Returns the number that a query has, if it has one.
    pub(super) async fn number(&self, query: &str) -> Result<Option<f64>, Error> {
        let url = format!("http://{}/api/v1/query", self.address);
        let asked = self
            .client
            .get(url)
            .query(&[("query", query)])
            .send()
            .await?;
        let answer: Value = serde_json::from_str(&asked.text().await?)?;
        let value = answer["data"]["result"][0]["value"][1].as_str();
        Ok(value.and_then(|value| value.parse().ok()))
    }
}
