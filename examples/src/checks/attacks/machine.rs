//! What the operating system says of a process: its memory, its threads, and its processors.

use std::{
    fmt::Display,
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::Error;

/// The processor of the victim. This process and all others that it starts have another, if there are two.
#[derive(Clone, Debug)]
pub(super) struct Processors {
    victim: Option<String>,
}

impl Processors {
    /// Moves this process to the last of the processors that it may run on, and leaves the first to the victim.
    ///
    /// # Errors
    /// Returns an error if the operating system is not Linux.
    pub(super) fn share() -> Result<Self, Error> {
        let status = read("self", "status")
            .map_err(|error| format!("{error}; the attacks are made on Linux"))?;
        let list = field(&status, "Cpus_allowed_list:").ok_or("no list of processors")?;
        let ends = |c: char| c == ',' || c == '-';
        let (first, last) = (list.split(ends).next(), list.rsplit(ends).next());
        let (Some(first), Some(last)) = (first, last) else {
            return Err("an empty list of processors".into());
        };
        if first == last {
            return Ok(Self { victim: None });
        }
        let this = std::process::id().to_string();
        let moved = Command::new("taskset")
            .args(["-a", "-c", "-p", last, &this])
            .stdout(Stdio::null())
            .status();
        let is_moved = moved.is_ok_and(|status| status.success());
        Ok(Self {
            victim: is_moved.then(|| first.to_owned()),
        })
    }

    /// Returns the words before a command that run it on the victim's processor.
    pub(super) fn for_victim(&self) -> Vec<&str> {
        match &self.victim {
            Some(first) => vec!["taskset", "-c", first],
            None => Vec::new(),
        }
    }
}

fn field<'s>(status: &'s str, name: &str) -> Option<&'s str> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim())
}

fn read(process: impl Display, file: &str) -> Result<String, Error> {
    let path = format!("/proc/{process}/{file}");
    fs::read_to_string(&path).map_err(|error| format!("{path}: {error}").into())
}

/// Returns the most memory that a process has had so far, in bytes.
pub(super) fn peak_memory(process: u32) -> Result<u64, Error> {
    let status = read(process, "status")?;
    let peak = field(&status, "VmHWM:").and_then(|peak| peak.split(' ').next());
    Ok(peak.ok_or("no peak of memory")?.parse::<u64>()? * 1024)
}

/// Returns how many bytes a process has read so far.
pub(super) fn bytes_read(process: u32) -> Result<u64, Error> {
    let io = read(process, "io")?;
    Ok(field(&io, "rchar:").ok_or("no bytes read")?.parse()?)
}

/// A thread of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Thread {
    pub(super) name: String,
    /// How often it has begun to wait for something.
    pub(super) waits: u64,
}

/// Returns the threads of a process.
pub(super) fn threads(process: u32) -> Result<Vec<Thread>, Error> {
    let mut threads = Vec::new();
    for task in fs::read_dir(PathBuf::from(format!("/proc/{process}/task")))? {
        let status = fs::read_to_string(task?.path().join("status"))?;
        let name = field(&status, "Name:").ok_or("no name")?.to_owned();
        let waits = field(&status, "voluntary_ctxt_switches:").ok_or("no switches")?;
        let waits = waits.parse()?;
        threads.push(Thread { name, waits });
    }
    Ok(threads)
}
