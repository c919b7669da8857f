//! A service with everything that [`attacks`] aims at: a layer, rule tokens, Envoy
//! headers, an admin port, an audit file, a rules file and a webhook.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "prints its addresses")]

use std::{net::SocketAddr, path::PathBuf};

use axum::{Router, routing::get};
use chaos_core::{inject_async, token::TokenKey};
use chaos_examples::{Error, checks::attacks, log, stop};
use chaos_http_admin::{AccessTokens, Admin, AuditFile, Server, Tls, Webhook};
use chaos_sources::FileSource;
use chaos_tower::{InjectLayer, TokenLayer};
use clap::Parser;
use tokio::net::TcpListener;

/// A service to attack, on two threads
///
/// The environment variable CHAOS_ADMIN_TOKENS holds its access tokens.
#[derive(Debug, Parser)]
struct Args {
    /// Serve no admin port
    #[arg(long)]
    no_port: bool,
    /// Append the audit to this file
    #[arg(long, value_name = "FILE")]
    audit: Option<PathBuf>,
    /// Notify this URL
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,
    /// Rules file to load and to watch
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Serve the admin port with the certificate and the key in this PEM file
    #[arg(long, value_name = "FILE")]
    tls: Option<PathBuf>,
    /// Number of further sites
    #[arg(long, default_value_t = 0)]
    sites: u32,
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Error> {
    let args = Args::parse();
    log::to_stderr()?;
    let injector = chaos_core::global();
    for number in 0..args.sites {
        let _ = injector.site(&format!("more.site{number}"));
    }
    let file = args.rules.as_ref().map(FileSource::new);
    let _watching = file.map(|file| file.watch(injector)).transpose()?;
    let port = if args.no_port {
        None
    } else {
        Some(port(&args)?)
    };

    let tokens = TokenLayer::new(TokenKey::new(attacks::TOKEN_KEY)?).envoy_headers("**".parse()?);
    let router = Router::new()
        .fallback(get(serve))
        .layer(InjectLayer::new("http.server"))
        .layer(tokens);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("service http://{}", listener.local_addr()?);
    if let Some(port) = &port {
        println!("port {}", port.local_addr());
    }
    let serving = axum::serve(listener, router);
    serving.with_graceful_shutdown(stop::asked()).await?;
    Ok(())
}

async fn serve() -> Result<&'static str, String> {
    let read = inject_async!("db.read").await;
    read.map_err(|injected| injected.to_string())?;
    Ok("served\n")
}

/// Opens the admin port.
fn port(args: &Args) -> Result<Server, Error> {
    let injector = chaos_core::global();
    let tokens = AccessTokens::from_env("CHAOS_ADMIN_TOKENS")?;
    let mut admin = Admin::new(injector.clone()).access_tokens(tokens);
    if let Some(path) = &args.audit {
        admin = admin.audit_file(&AuditFile::open(injector, path)?);
    }
    if let Some(url) = &args.webhook {
        admin = admin.webhook(Webhook::json(url)?);
    }
    if let Some(path) = &args.tls {
        let pem = std::fs::read(path)?;
        admin = admin.tls(Tls::from_pem(&pem, &pem)?);
    }
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    Ok(admin.bind(address)?.halt_on(stop::asked()))
}
