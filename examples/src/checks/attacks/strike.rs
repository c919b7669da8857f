//! The process of the attacker.

use std::{
    fs::OpenOptions,
    io::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use chaos_core::Clock;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::TlsConnector;

use crate::{
    Error,
    checks::attacks::{attack::Means, report::Report, rows},
};

/// What is attacked.
#[derive(Clone, Debug)]
pub struct Target {
    /// The address of the service.
    pub service: SocketAddr,
    /// The address of the admin port.
    pub port: SocketAddr,
    /// The folder of the victim.
    pub folder: PathBuf,
}

/// Makes the attack named `name` for `time`, and calls `begun` when it begins. Returns the report, in JSON.
///
/// # Errors
/// Returns an error if there is no such attack, or if it cannot begin.
pub async fn strike(
    name: &str,
    target: &Target,
    time: Duration,
    begun: impl FnOnce(),
) -> Result<String, Error> {
    let means = rows::named(name)?.means;
    // It takes a moment to make all requests.
    let flood = match means {
        Means::Flood(flood) | Means::Hold(flood) => Some(flood(target)),
        _ => None,
    };
    begun();
    let clock = Clock::monotonic();
    let holds = matches!(means, Means::Hold(_));
    let mut report = match means {
        Means::Flood(_) | Means::Hold(_) => {
            let flood = flood.ok_or("no requests")?;
            flood.run(time, holds).await
        }
        Means::Handshakes { connections } => handshakes(target, connections, time).await?,
        Means::Write { name } => write(&target.folder.join(name), time).await?,
    };
    report.seconds = clock.now().as_secs_f64();
    Ok(serde_json::to_string(&report)?)
}

async fn handshakes(target: &Target, connections: usize, time: Duration) -> Result<Report, Error> {
    let pem = std::fs::read(target.folder.join("victim.pem"))?;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&pem)?)?;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let (client, name) = (
        TlsConnector::from(Arc::new(config)),
        ServerName::try_from("localhost")?,
    );
    let clock = Clock::monotonic();
    let mut clients = JoinSet::new();
    for _ in 0..connections {
        let (client, name, port, clock) =
            (client.clone(), name.clone(), target.port, clock.clone());
        clients.spawn(async move {
            let mut report = Report::default();
            while clock.now() < time {
                let made = async {
                    client
                        .connect(name.clone(), TcpStream::connect(port).await?)
                        .await
                };
                match timeout(time, made).await {
                    Ok(Ok(_)) => report.done += 1,
                    _ => {
                        report.unanswered += 1;
                        sleep(Duration::from_millis(5)).await;
                    }
                }
            }
            report
        });
    }
    let mut all = Report::default();
    for report in clients.join_all().await {
        all.done += report.done;
        all.unanswered += report.unanswered;
    }
    Ok(all)
}

/// Writes five lines each millisecond, as a busy log does.
async fn write(path: &Path, time: Duration) -> Result<Report, Error> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    let (clock, mut report) = (Clock::monotonic(), Report::default());
    while clock.now() < time {
        for _ in 0..5 {
            file.write_all(b"2026-11-27T00:00:00Z  INFO a request was served\n")?;
            report.done += 1;
        }
        sleep(Duration::from_millis(1)).await;
    }
    Ok(report)
}
