//! The sockets of this process.
//!
//! No descriptor of a file is duplicated: to close a duplicate releases all locks (`fcntl`) that the process has on
//! the file, such as those of SQLite.

use std::{
    fs, io,
    os::fd::{IntoRawFd, OwnedFd, RawFd},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::sockopt,
    process::{PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open},
};

/// A socket of this process.
pub(super) struct Descriptor {
    pub(super) number: RawFd,
    /// What identifies the socket, however many descriptors refer to it.
    pub(super) inode: String,
    /// A duplicate.
    pub(super) socket: OwnedFd,
}

impl Descriptor {
    /// Returns whether the peer sends no more, or the connection has been reset.
    pub(super) fn has_ended(&self) -> bool {
        let mut polled = [PollFd::new(&self.socket, PollFlags::RDHUP)];
        let ended = PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR;
        poll(&mut polled, Some(&Timespec::default())).is_ok()
            && polled[0].revents().intersects(ended)
    }
}

/// Returns the sockets among the descriptors of this process.
pub(super) fn descriptors() -> io::Result<impl Iterator<Item = io::Result<Descriptor>>> {
    let this_process = pidfd_open(rustix::process::getpid(), PidfdFlags::empty())?;
    let numbers = fs::read_dir("/proc/self/fd")?.map(|entry| {
        let name = entry?.file_name();
        Ok(name.to_str().and_then(|name| name.parse().ok()))
    });
    Ok(
        numbers.filter_map(move |number: io::Result<Option<RawFd>>| {
            let duplicate = |number| duplicate(&this_process, number).transpose();
            number
                .transpose()?
                .map_or_else(|error| Some(Err(error)), duplicate)
        }),
    )
}

/// Returns the socket with the descriptor of this number; `None` if there is none.
pub(super) fn descriptor(number: RawFd) -> io::Result<Option<Descriptor>> {
    let this_process = pidfd_open(rustix::process::getpid(), PidfdFlags::empty())?;
    duplicate(&this_process, number)
}

fn duplicate(this_process: &OwnedFd, number: RawFd) -> io::Result<Option<Descriptor>> {
    let inode = match fs::read_link(format!("/proc/self/fd/{number}")) {
        Ok(link) => link.into_os_string().into_string().unwrap_or_default(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if !inode.starts_with("socket:[") {
        return Ok(None);
    }
    let socket = match pidfd_getfd(this_process, number, PidfdGetfdFlags::empty()) {
        Ok(socket) => socket,
        // It was closed after it was listed.
        Err(Errno::BADF) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if sockopt::socket_type(&socket) == Err(Errno::NOTSOCK) {
        // The number was reused, for what may be a file with locks: it is not to be closed.
        let _ = socket.into_raw_fd();
        return Ok(None);
    }
    Ok(Some(Descriptor {
        number,
        inode,
        socket,
    }))
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, os::fd::AsRawFd};

    use super::*;

    #[test]
    fn files_are_not_duplicated() {
        let file = fs::File::open("/proc/self/status").unwrap();
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(descriptor(file.as_raw_fd()).unwrap().is_none());
        let found = descriptor(socket.as_raw_fd()).unwrap().unwrap();
        assert!(found.inode.starts_with("socket:["), "{}", found.inode);
        assert!(descriptor(RawFd::MAX).unwrap().is_none());
        let numbers: Vec<_> = descriptors()
            .unwrap()
            .map(|found| found.unwrap().number)
            .collect();
        assert!(numbers.contains(&socket.as_raw_fd()));
        assert!(!numbers.contains(&file.as_raw_fd()));
    }
}
