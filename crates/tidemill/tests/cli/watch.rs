//! `run --watch`: a run for every change, until it is asked to stop.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStderr, Command, Stdio};

use crate::support::Sandbox;

/// A watching process and what it says.
struct Watcher {
    child: Child,
    said: Lines<BufReader<ChildStderr>>,
}

impl Watcher {
    fn start(sandbox: &Sandbox) -> Self {
        let mut command = sandbox.command(&["run", "--watch", "--every", "300ms"]);
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts");
        let said = BufReader::new(child.stderr.take().expect("standard error is a pipe")).lines();
        Self { child, said }
    }

    /// Reads on until a line holds `part`.
    fn until(&mut self, part: &str) -> String {
        let lines = self.said.by_ref().map(|line| line.expect("a line"));
        lines.into_iter().find(|line| line.contains(part)).unwrap_or_else(|| panic!("it never said `{part}`"))
    }

    fn stop(mut self) {
        let asked = Command::new("kill").arg(self.child.id().to_string()).status().expect("`kill` starts");
        assert!(asked.success());
        assert!(self.child.wait().expect("it ends").success());
    }
}

#[test]
fn a_new_span_starts_a_run_and_so_does_an_edit_of_the_pipeline() {
    let sandbox = Sandbox::taxi(600);
    let trips = sandbox.read("data/trips.csv");
    sandbox.write("data/span-1/trips.csv", &trips);
    sandbox.edit("pipeline.yaml", "data/trips.csv", "\"data/span-{SPAN}/*.csv\"");
    let mut watcher = Watcher::start(&sandbox);
    watcher.until("watching");
    assert_eq!(sandbox.json(&["runs"]).as_array().map(Vec::len), Some(1), "schema.yaml, which it wrote, is no change");

    sandbox.write("data/span-2/trips.csv", &trips);
    let news = watcher.until("running again");
    assert!(news.contains("span-2"), "{news}");
    watcher.until("watching");
    let examples = sandbox.json(&["artifacts", "-n", "100"]);
    let spans = examples
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|record| record["artifact"]["properties"]["span"].as_u64());
    assert!(spans.into_iter().any(|span| span == 2), "{examples:#}");

    // A file that cannot be read is told and waited for; the next edit is taken.
    let pipeline = sandbox.read("pipeline.yaml");
    sandbox.write("pipeline.yaml", "steps: [");
    watcher.until("pipeline.yaml");
    sandbox.write("pipeline.yaml", format!("{pipeline}\n# edited\n"));
    watcher.until("running again");
    watcher.until("watching");
    assert_eq!(sandbox.json(&["runs"]).as_array().map(Vec::len), Some(3));
    watcher.stop();
}
