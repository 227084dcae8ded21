//! Memory over many reloads: alone in its process, because the process is what is measured.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use support::{MODEL, Packages, Running, servable};

const BODY: &str = r#"{"instances":[{"fare":12.5,"seconds":600,"company":"Flash"}]}"#;

#[test]
fn hundreds_of_reloads_leave_memory_as_it_was() {
    fn resident_bytes() -> u64 {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
    }
    let packages = Packages::new();
    let (one, two) = (packages.taxi(0.0), packages.taxi(1.0));
    let (server, source) = Running::of(vec![servable(MODEL, 1, &one, &[])]);
    let reload = |version: u64| {
        let path = if version.is_multiple_of(2) { &one } else { &two };
        source.set(vec![servable(MODEL, version, path, &[])]);
        server.poll();
        assert_eq!(server.post("/v1/models/taxi:predict", BODY).0, 200);
        assert_eq!(server.handle.models()[0].latest, Some(version));
    };
    (2..60).for_each(reload);
    let before = resident_bytes();
    (60..260).for_each(reload);
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 8 << 20, "{grown} bytes more after 200 reloads");
    assert!(server.handle.models()[0].versions.len() < 10, "and few old versions are remembered");
}
