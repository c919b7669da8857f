//! What processes take of the machine, as Linux tells it.

use std::{error::Error, fs, time::Duration};

pub(crate) struct Usage {
    pub(crate) cpu: Duration,
    pub(crate) kibibytes: u64,
}

impl Usage {
    /// Returns the CPU time and the memory of processes, all together.
    pub(crate) fn of(processes: &[u32]) -> Result<Self, Box<dyn Error>> {
        let mut sum = Self {
            cpu: Duration::ZERO,
            kibibytes: 0,
        };
        for process in processes {
            let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
            // The name of the program may hold spaces; the fields after it are numbers.
            let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
            let number =
                |at: usize| -> Option<u64> { fields.split_whitespace().nth(at)?.parse().ok() };
            // In hundredths of a second: user and system.
            let ticks = number(11).zip(number(12)).ok_or("no CPU time")?;
            sum.cpu += Duration::from_millis(10 * (ticks.0 + ticks.1));
            // In pages of 4 KiB.
            sum.kibibytes += number(21).ok_or("no memory")? * 4;
        }
        Ok(sum)
    }
}
