//! `kill -9` at any moment, then `run`: green, nothing half-written visible.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::support::Sandbox;

#[test]
fn a_run_killed_after_any_step_is_finished_by_the_next() {
    let sandbox = Sandbox::taxi(3000);
    // The first line names the run, then a line follows each step: killed behind every one of them in turn, while
    // the next is at work. Each run goes on where the one before was killed.
    for lines in 1..=9 {
        let mut child =
            sandbox.command(&["run"]).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts");
        let stderr = BufReader::new(child.stderr.take().expect("standard error is a pipe"));
        for line in stderr.lines().take(lines) {
            line.expect("a line");
        }
        child.kill().expect("it can be killed");
        child.wait().expect("it is gone");
        let runs = sandbox.json(&["runs", "-n", "1"]);
        assert_eq!(runs[0]["state"], "FAILED", "whoever looks learns that nobody works on it any more");
        // What is visible is whole, at every moment.
        let artifacts = sandbox.json(&["artifacts", "-n", "1000"]);
        for record in artifacts.as_array().expect("a list") {
            let digest = record["artifact"]["digest"].as_str().expect("a digest");
            assert_eq!(sandbox.tidemill(&["artifacts", digest]).code, 0);
        }
    }
    let report = sandbox.json(&["run"]);
    assert_eq!(report["state"], "COMPLETE");
    assert_eq!(sandbox.staged(), 0, "what the dead left behind is swept");
    let runs = sandbox.json(&["runs", "-n", "100"]);
    let running = runs.as_array().expect("a list").iter().filter(|run| run["state"] == "RUNNING").count();
    assert_eq!(running, 0, "no run is left as if it still ran");
    assert_eq!(sandbox.tidemill(&["predict", "data/trips.csv"]).code, 0);
}

#[test]
fn two_runs_of_one_pipeline_do_not_meet() {
    let sandbox = Sandbox::taxi(3000);
    let mut first = sandbox.command(&["run"]).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts");
    let mut line = String::new();
    let mut stderr = BufReader::new(first.stderr.take().expect("standard error is a pipe"));
    stderr.read_line(&mut line).expect("a line");
    // The first holds the lock from before its first line to its end; either it is still at work, or it is done.
    let second = sandbox.tidemill(&["run"]);
    assert!(matches!(second.code, 0 | 3), "{second}");
    if second.code == 3 {
        assert!(second.stderr.contains("TM6005"), "{second}");
    }
    std::io::copy(&mut stderr, &mut std::io::sink()).expect("the rest can be read");
    assert!(first.wait().expect("it ends").success());
}
