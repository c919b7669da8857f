//! Where the connections of this process are, by the addresses of their peers.

use std::{
    collections::HashMap,
    io,
    net::IpAddr,
    os::fd::RawFd,
    sync::{Mutex, TryLockError},
    time::{Duration, Instant},
};

use rustix::io::Errno;

use crate::connection::reset::{
    Peer, Place,
    descriptors::{descriptor, descriptors},
    ends, remote,
};

/// The connections that were found by the last pass through all descriptors, which all waits share.
#[derive(Default)]
struct Table {
    connections: HashMap<(IpAddr, u16), Vec<RawFd>>,
    /// When the next pass may be made.
    next: Option<Instant>,
}

static TABLE: Mutex<Option<Table>> = Mutex::new(None);

/// How many times as long as a pass took there is none after it.
const REST: u32 = 9;

/// Finds a connection. Returns `Unknown` if it is to be looked for again.
pub(super) fn find(peer: Peer) -> Place {
    let mut table = match TABLE.try_lock() {
        Ok(table) => table,
        Err(TryLockError::Poisoned(table)) => table.into_inner(),
        // Nobody waits for a pass.
        Err(TryLockError::WouldBlock) => return Place::Unknown,
    };
    let table = table.get_or_insert_default();
    match table.find(peer) {
        Place::Unknown => {}
        known => return known,
    }
    match table.pass() {
        Ok(false) => Place::Unknown,
        Ok(true) => match table.find(peer) {
            Place::Unknown => Place::Nowhere,
            known => known,
        },
        Err(error) if is_passing(&error) => Place::Unknown,
        Err(_) => Place::Nowhere,
    }
}

impl Table {
    /// Finds a connection among those that were there at the last pass.
    fn find(&self, peer: Peer) -> Place {
        let numbers = self.connections.get(&ends(peer.remote));
        let mut found = None;
        for number in numbers.into_iter().flatten() {
            match descriptor(*number) {
                Ok(Some(descriptor)) if peer.is(&descriptor.socket) => {
                    let inode = descriptor.inode;
                    let first = found.get_or_insert_with(|| (*number, inode.clone()));
                    if first.1 != inode {
                        // Nobody knows which of them it is.
                        return Place::Nowhere;
                    }
                }
                _ => {}
            }
        }
        found.map_or(Place::Unknown, |(number, _)| Place::At(number))
    }

    /// Looks through all descriptors, unless that was done just now. Returns whether it has.
    #[expect(
        clippy::disallowed_methods,
        reason = "bounds the work of this process, whatever time a test shows"
    )]
    fn pass(&mut self) -> io::Result<bool> {
        let start = Instant::now();
        if self.next.is_some_and(|next| start < next) {
            return Ok(false);
        }
        self.connections.clear();
        let passed = descriptors().and_then(|mut all| {
            all.try_for_each(|descriptor| {
                let descriptor = descriptor?;
                if let Some(remote) = remote(&descriptor.socket) {
                    let numbers = self.connections.entry(remote).or_default();
                    numbers.push(descriptor.number);
                }
                Ok(())
            })
        });
        let rest = start.elapsed().saturating_mul(REST);
        self.next = Some(Instant::now() + rest.min(Duration::from_secs(1)));
        passed.map(|()| true)
    }
}

/// Whether the system refuses for now: there is no room for another descriptor.
fn is_passing(error: &io::Error) -> bool {
    let passing = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::INTR];
    let code = error.raw_os_error();
    passing
        .iter()
        .any(|errno| code == Some(errno.raw_os_error()))
}
