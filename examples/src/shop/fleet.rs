//! The fleet that the shop takes part in, as its options name it.

use std::{path::PathBuf, time::Duration};

use chaos_core::{Injector, token::TokenKey, wire};
use chaos_fleet::{Etcd, Fleet, Member, Replica, Trust};
use clap::Args;

use crate::Error;

/// A fleet, and which replica of it the shop is.
#[derive(Args, Clone, Debug)]
pub struct FleetArgs {
    /// Take part in this fleet: endpoints of etcd with commas in between, then the fleet's name
    #[arg(long, value_name = "http://HOST:2379/NAME")]
    fleet: Option<String>,
    /// Id of this replica; by default, one from the number of the process
    #[arg(long, value_name = "ID", requires = "fleet")]
    replica: Option<String>,
    /// Label of this replica, which faults may be aimed by; may be repeated
    #[arg(long, value_name = "NAME=VALUE", requires = "fleet")]
    label: Vec<String>,
    /// How long faults go on after the last sign of life of their controller
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
    hold: Duration,
    /// File with the key that must have signed what is aimed at the fleet; without it, who may write to etcd may aim
    #[arg(long, value_name = "FILE", requires = "fleet")]
    fleet_key: Option<PathBuf>,
}

fn time(text: &str) -> Result<Duration, String> {
    wire::duration_from_text(text).map_err(|error| error.to_string())
}

impl FleetArgs {
    /// Takes part in the fleet, if one is named.
    ///
    /// # Errors
    /// Returns an error if an option is not acceptable, or the key cannot be read.
    pub(super) fn join(&self, injector: &Injector) -> Result<Option<Member>, Error> {
        let Some(address) = &self.fleet else {
            return Ok(None);
        };
        let parted = address
            .rsplit_once('/')
            .filter(|(urls, _)| urls.contains("://"));
        let Some((endpoints, name)) = parted else {
            return Err(format!("--fleet {address}: no http://HOST:2379/NAME").into());
        };
        let etcd = Etcd::new(endpoints.split(','))?;
        let own = format!("shop-{}", std::process::id());
        let id = self.replica.as_ref().unwrap_or(&own);
        let mut replica = Replica::new(id.parse()?);
        for label in &self.label {
            let (name, value) = label
                .split_once('=')
                .ok_or_else(|| format!("--label {label}: no NAME=VALUE"))?;
            replica = replica.label(name, value)?;
        }
        let trust = match &self.fleet_key {
            Some(path) => {
                let key = std::fs::read(path);
                let key = key.map_err(|error| format!("{}: {error}", path.display()))?;
                Trust::Key(TokenKey::new(key.trim_ascii())?)
            }
            None => Trust::Store,
        };
        let fleet = Fleet::etcd(etcd, name.parse()?, replica, trust);
        Ok(Some(fleet.hold(self.hold).join(injector)?))
    }
}
