//! A webhook is told over TLS by a shop that trusts its authority, and by no other.

use std::{fs, sync::Arc, time::Duration};

use chaos_examples::{Error, running::RunningShop};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{PrivateKeyDer, pem::PemObject},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

const LONG: Duration = Duration::from_secs(20);

/// What came, or why nobody wanted to talk.
type Told = Result<String, std::io::Error>;

/// Takes what it is told at this address; whom to trust for it, in PEM.
async fn receiver(told: mpsc::UnboundedSender<Told>) -> Result<(String, String), Error> {
    let mut ca = CertificateParams::new([])?;
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let ours = CertificateParams::new(["localhost".to_owned()])?.signed_by(&key, &ca)?;
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes())?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![ours.der().clone()], key)?;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("https://localhost:{}/", listener.local_addr()?.port());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = match acceptor.accept(stream).await {
                Ok(stream) => stream,
                Err(error) => {
                    let _ = told.send(Err(error));
                    continue;
                }
            };
            let mut message = String::new();
            while !message.ends_with("\"}") {
                let mut part = [0; 4096];
                let read = stream.read(&mut part).await.unwrap_or(0);
                if read == 0 {
                    break;
                }
                message += &String::from_utf8_lossy(&part[..read]);
            }
            let answer = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
            let _ = stream.write_all(answer).await;
            let _ = stream.shutdown().await;
            let _ = told.send(Ok(message));
        }
    });
    Ok((url, ca.pem()))
}

/// A shop that trusts this authority and has just been halted, and the folder that says whom it trusts.
async fn halted(url: &str, trusts: &str) -> Result<(RunningShop, TempDir), Error> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("authorities.pem");
    fs::write(&path, trusts)?;
    let authorities = ("SSL_CERT_FILE", path.to_str().ok_or("a path")?);
    let args = ["--no-traffic", "--webhook", url];
    let shop = RunningShop::start_in(env!("CARGO_BIN_EXE_shop"), &args, &[authorities]).await?;
    shop.admin.halt().await?;
    Ok((shop, folder))
}

#[tokio::test]
async fn whom_the_system_trusts_is_told() -> Result<(), Error> {
    let (told, mut hears) = mpsc::unbounded_channel();
    let (url, trusted) = receiver(told).await?;
    let _shop = halted(&url, &trusted).await?;
    let message = timeout(LONG, hears.recv()).await?.ok_or("a message")??;
    assert!(message.contains(r#""event":"halt""#), "{message}");
    Ok(())
}

#[tokio::test]
async fn and_nobody_else() -> Result<(), Error> {
    let (told, mut hears) = mpsc::unbounded_channel();
    let (url, _) = receiver(told).await?;
    let (_, other) = receiver(mpsc::unbounded_channel().0).await?;
    let _shop = halted(&url, &other).await?;
    let refused = timeout(LONG, hears.recv()).await?.ok_or("an attempt")?;
    let error = refused.err().ok_or("it was told")?.to_string();
    assert!(error.contains("received fatal alert"), "{error}");
    Ok(())
}
