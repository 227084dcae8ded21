//! What a run costs: processor time, memory, wall-clock time.

use serde::{Deserialize, Serialize};

/// What a run has used.
///
/// Processor time and memory are those of this process and of child processes that have ended. Runs that go on at the same
/// time in one process share them.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Cost {
    /// Processor time, of all threads and child processes.
    pub cpu_seconds: f64,
    /// The most memory that the process has used so far.
    pub memory_peak_bytes: u64,
}

/// Counters of the process at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Usage {
    cpu_seconds: f64,
}

/// Ticks a second in `/proc`: the same on every Linux system, whatever the kernel's own rate.
const TICKS: f64 = 100.0;

impl Usage {
    /// The counters now; `None` on a system without `/proc`.
    pub(crate) fn now() -> Option<Self> {
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        Some(Self { cpu_seconds: cpu_ticks(&stat)? as f64 / TICKS })
    }

    /// What was used since.
    pub(crate) fn cost(self) -> Option<Cost> {
        let now = Self::now()?;
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let memory_peak_bytes = peak_kibibytes(&status)? * 1024;
        Some(Cost { cpu_seconds: (now.cpu_seconds - self.cpu_seconds).max(0.0), memory_peak_bytes })
    }
}

/// `utime`, `stime`, `cutime` and `cstime` of `/proc/PID/stat`. The name of the program comes before them, in parentheses,
/// and may have blanks.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let after_name = stat.rsplit_once(')')?.1;
    // The first field after the name is the third.
    let times = after_name.split_whitespace().skip(11).take(4).map(str::parse::<u64>);
    times.sum::<Result<u64, _>>().ok()
}

/// `VmHWM` of `/proc/PID/status`.
fn peak_kibibytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_after_a_name_with_blanks() {
        let stat = "42 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 700 30 5 1 20 0 8 0 1 2 3";
        assert_eq!(cpu_ticks(stat), Some(736));
        assert_eq!(cpu_ticks("42 (a) S 1"), Some(0));
        assert_eq!(peak_kibibytes("VmPeak:\t 9 kB\nVmHWM:\t  1234 kB\n"), Some(1234));
        assert_eq!(peak_kibibytes(""), None);
    }
}
