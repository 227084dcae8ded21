//! CPU time and memory of the process, under the names that Prometheus clients use.

use std::fs;

/// `/proc` counts time in hundredths of a second on every architecture (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// Prometheus text; empty if the system does not provide the numbers.
pub(super) fn render() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let mut text = String::new();
    if let Some(seconds) = cpu_seconds(&read("/proc/self/stat")) {
        text.push_str("# HELP process_cpu_seconds_total Time on processors, of the system and our own, in seconds.\n");
        text.push_str(&format!("# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total {seconds}\n\n"));
    }
    if let Some(bytes) = resident_bytes(&read("/proc/self/status")) {
        text.push_str("# HELP process_resident_memory_bytes Resident memory in bytes.\n");
        text.push_str(&format!(
            "# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes {bytes}\n\n"
        ));
    }
    text
}

/// Fields 14 and 15 of proc(5)'s `stat`; the second may hold spaces and ends in the last parenthesis.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_proc_5_are_read() {
        let stat = "42 (a (b) c) S 1 42 42 0 -1 4194560 1 2 3 4 250 50 0 0 20 0 5 0 100 1 2";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(resident_bytes("Name:\tx\nVmRSS:\t    2048 kB\n"), Some(2 << 20));
        assert_eq!((cpu_seconds(""), resident_bytes("VmRSS: much")), (None, None));
    }
}
