//! Schedules, triggers and backfills: `up`, `schedules`, `backfill`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

use crate::support::Sandbox;

/// A table of forty rows, another one for each number.
fn trips(number: u32) -> String {
    let rows: String = (0..40).map(|row| format!("{number}.{row},{row}\n")).collect();
    format!("fare,miles\n{rows}")
}

/// A pipeline of two quick steps, with `schedules` below it.
fn project(schedules: &str) -> Sandbox {
    let sandbox = Sandbox::empty();
    for span in 1..=6 {
        sandbox.write(&format!("data/span-{span}.csv"), trips(span));
    }
    sandbox.write(
        "pipeline.yaml",
        format!(
            "version: 1\npipeline: fares\nparams: {{ span: 6 }}\nsteps:\n  examples:\n    component: ExampleGen\n    \
             source: {{ csv: \"data/span-{{SPAN}}.csv\" }}\n    span: \"${{params.span}}\"\n  \
             statistics: {{ component: StatisticsGen }}\n{schedules}"
        ),
    );
    sandbox
}

/// `tidemill up` in the background.
struct Up {
    child: Child,
    lines: Receiver<String>,
}

/// How long a test waits for a line.
const PATIENCE: Duration = Duration::from_mins(2);

/// The lines of a stream, as they come.
pub fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (send, receive) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                return;
            }
        }
    });
    receive
}

/// Waits for a line with `part`.
pub fn until(lines: &Receiver<String>, part: &str) -> String {
    let mut seen = String::new();
    loop {
        let line = lines.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("`{part}` never came ({error}): {seen}"));
        if line.contains(part) {
            return line;
        }
        seen.push_str(&line);
        seen.push('\n');
    }
}

impl Up {
    fn start(sandbox: &Sandbox, more: &[&str]) -> Self {
        let mut command = sandbox.command(&[&["up", "--no-serve"], more].concat());
        command.env("HOOK_SECRET", "tide").stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let lines = lines(child.stderr.take().expect("standard error is a pipe"));
        Self { child, lines }
    }

    fn until(&self, part: &str) -> String {
        until(&self.lines, part)
    }

    fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it is gone");
    }

    fn terminate(mut self) {
        let asked = Command::new("kill").arg(self.child.id().to_string()).status().expect("`kill` starts");
        assert!(asked.success());
        assert!(self.child.wait().expect("it ends").success());
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn history(sandbox: &Sandbox) -> Vec<Value> {
    sandbox.json(&["schedules", "history", "-n", "100000"]).as_array().expect("a list").clone()
}

fn runs(sandbox: &Sandbox) -> Vec<Value> {
    sandbox.json(&["runs", "-n", "100000"]).as_array().expect("a list").clone()
}

#[test]
fn mistakes_in_schedules_are_located() {
    let sandbox = project(
        "schedules:\n  nightly: { cron: \"0 0 30 2 *\" }\n  late: { cron: \"@daily\", zone: Europe/Berln }\n  \
         both: { every: 1h, new_data: true }\n  hook: { webhook: { secret: hunter2 } }\n  \
         other: { every: 1h, params: { spam: 1 } }\n  full: { every: 1h, overlap: { queue: 0 } }\n  circle: { artifact: { pipeline: fares, type: Examples } }\n",
    );
    let check = sandbox.tidemill(&["check"]);
    assert_eq!(check.code, 2, "{check}");
    for part in [
        "matches no day of any year",
        "did you mean `Europe/Berlin`?",
        "a schedule has one trigger",
        "a secret does not belong into a file",
        "the file has no parameter `spam`",
        "the queue holds at least 1 tick",
        "starts itself",
    ] {
        assert!(check.stderr.contains(part), "{part}: {check}");
    }
    let places = sandbox.json(&["check"]);
    assert_eq!(
        (&places["error"]["where"][0]["line"], &places["error"]["where"][0]["column"]),
        (&11.into(), &20.into())
    );
    let none = project("");
    assert!(none.tidemill(&["schedules"]).stdout.contains("has no schedules"));
}

#[test]
fn schedules_show_their_next_ticks_and_are_paused() {
    let sandbox = project(
        "schedules:\n  nightly: { cron: \"30 2 * * *\", zone: Europe/Berlin }\n  arrivals: { new_data: true }\n",
    );
    let shown = sandbox.tidemill(&["schedules"]);
    assert_eq!(shown.code, 0, "{shown}");
    assert!(shown.stdout.contains("30 2 * * * Europe/Berlin") && shown.stdout.contains("never"), "{shown}");
    let list = sandbox.json(&["schedules"]);
    assert_eq!(list[0]["next"].as_array().map(Vec::len), Some(5));
    assert_eq!(list[1]["next"].as_array().map(Vec::len), Some(0));
    assert_eq!(sandbox.tidemill(&["schedules", "pause", "nightly"]).code, 0);
    let list = sandbox.json(&["schedules"]);
    assert!(list[0]["paused_by"].is_string(), "{list}");
    assert_eq!(sandbox.tidemill(&["schedules", "resume", "nightly"]).code, 0);
    assert_eq!(sandbox.json(&["schedules"])[0]["paused_by"], Value::Null);
    let unknown = sandbox.tidemill(&["schedules", "pause", "nightli"]);
    assert!(unknown.code == 2 && unknown.stderr.contains("did you mean `nightly`?"), "{unknown}");
}

#[test]
fn no_tick_is_lost_or_doubled_by_kills() {
    let sandbox = project("schedules:\n  often: { every: 1s, overlap: { queue: 100 }, params: { span: 1 } }\n");
    // Killed at another moment each time: after a tick, at the start of a run, at its end.
    for (turn, part) in ["tick", "started", "tick", "is COMPLETE", "started"].into_iter().enumerate() {
        let up = Up::start(&sandbox, &[]);
        for _ in 0..=turn % 2 {
            up.until(part);
        }
        up.kill();
    }
    let up = Up::start(&sandbox, &[]);
    for _ in 0..3 {
        up.until("is COMPLETE");
    }
    up.terminate();

    let ticks = history(&sandbox);
    let mut times: Vec<jiff::Timestamp> =
        ticks.iter().map(|tick| tick["key"].as_str().expect("a key").parse().expect("a time")).collect();
    times.sort_unstable();
    for pair in times.windows(2) {
        assert_eq!(pair[1].duration_since(pair[0]).as_secs(), 1, "every second is recorded: {pair:?}");
    }
    let mut ended: BTreeMap<i64, usize> = BTreeMap::new();
    for run in runs(&sandbox) {
        let is_abandoned = run["state"] == "FAILED" && run["summary"].is_null();
        if !is_abandoned && run["state"] != "CANCELED" {
            *ended.entry(run["tick"].as_i64().expect("a tick")).or_default() += 1;
        }
    }
    assert!(ended.values().all(|count| *count == 1), "{ended:?}");
    for tick in &ticks {
        let id = tick["id"].as_i64().expect("an id");
        match tick["state"].as_str().expect("a state") {
            "DONE" => assert_eq!(ended.get(&id), Some(&1), "{tick}"),
            "PENDING" => assert_eq!(ended.get(&id), None, "{tick}"),
            other => panic!("{other}: {tick}"),
        }
    }
    assert!(ended.len() >= 3, "{ended:?}");
}

#[test]
fn there_is_one_up_for_a_pipeline() {
    let sandbox = project("schedules:\n  often: { every: 1s }\n");
    let up = Up::start(&sandbox, &[]);
    up.until("tick");
    let second = sandbox.tidemill(&["up", "--no-serve"]);
    assert!(second.code == 3 && second.stderr.contains("another `tidemill up`"), "{second}");
    up.terminate();
}

#[test]
fn signed_requests_start_runs() {
    let sandbox = project(
        "schedules:\n  hook: { webhook: { secret: \"${env.HOOK_SECRET}\" }, overlap: { queue: 9 }, params: { span: 2 } }\n",
    );
    let up = Up::start(&sandbox, &["--hooks", "127.0.0.1:0"]);
    let line = up.until("receiving signed requests");
    let url = line.trim().rsplit(' ').next().expect("an address").to_owned();
    let send = |path: &str, signature: &str, delivery: &str| {
        let request = ureq::post(format!("{url}{path}")).config().http_status_as_error(false).build();
        let request = request.header("X-Hub-Signature-256", signature).header("X-GitHub-Delivery", delivery);
        request.send("{}").expect("an answer").status().as_u16()
    };
    let signed = format!("sha256={}", tidemill_project::signature(b"tide", b"{}"));
    assert_eq!(send("/hooks/hook", "sha256=00", "a"), 401);
    assert_eq!(send("/hooks/hook", "", "a"), 401);
    assert_eq!(send("/hooks/other", &signed, "a"), 404);
    assert_eq!(send("/hooks/hook", &signed, "a"), 202);
    assert_eq!(send("/hooks/hook", &signed, "a"), 202, "sent twice, it counts once");
    up.until("is COMPLETE");
    assert_eq!(send("/hooks/hook", &signed, "b"), 202);
    up.until("is COMPLETE");
    up.terminate();
    let keys: Vec<String> =
        history(&sandbox).iter().map(|tick| tick["key"].as_str().expect("a key").to_owned()).collect();
    assert_eq!(keys, ["b", "a"]);
    assert_eq!(runs(&sandbox)[0]["params"]["span"], 2);
}

#[test]
fn new_data_and_other_pipelines_start_runs() {
    let sandbox = project(
        "schedules:\n  arrivals: { new_data: true, poll: 1s }\n  upstream: { artifact: { pipeline: source, type: Statistics }, poll: 1s }\n",
    );
    let text = sandbox.read("pipeline.yaml");
    let upstream = text.split("schedules:").next().expect("steps").replace("pipeline: fares", "pipeline: source");
    sandbox.write("source.yaml", upstream.replace("span: 6", "span: 5"));
    // The first look only remembers.
    let up = Up::start(&sandbox, &[]);
    std::thread::sleep(Duration::from_secs(4));
    sandbox.write("data/span-6.csv", trips(60));
    let line = up.until("tick");
    assert!(line.contains("arrivals"), "{line}");
    up.until("is COMPLETE");
    let run = sandbox.tidemill(&["run", "source.yaml"]);
    assert_eq!(run.code, 0, "{run}");
    let line = up.until("tick");
    assert!(line.contains("upstream"), "{line}");
    up.until("is COMPLETE");
    up.terminate();
    assert_eq!(history(&sandbox).len(), 2);
}

#[test]
fn a_paused_schedule_skips_and_a_missed_tick_is_caught_up() {
    let sandbox = project(
        "schedules:\n  hourly: { every: 1h, catch_up: all }\n  strict: { every: 1h }\n  paused: { every: 1h, catch_up: all }\n",
    );
    let mut up = Up::start(&sandbox, &[]);
    // Recorded once the schedules are known: then time goes back by three hours in the record.
    std::thread::sleep(Duration::from_secs(1));
    up.child.kill().expect("it can be killed");
    up.child.wait().expect("it is gone");
    assert_eq!(sandbox.tidemill(&["schedules", "pause", "paused"]).code, 0);
    let past = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(3);
    let sql = format!("UPDATE schedules SET last = '{past:.3}'");
    let database = sandbox.path(".tidemill/metadata.db");
    let status = Command::new("python3")
        .args(["-c", "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute(sys.argv[2]); c.commit()"])
        .arg(&database)
        .arg(&sql)
        .status()
        .expect("python3 starts");
    assert!(status.success());
    let up = Up::start(&sandbox, &[]);
    for _ in 0..3 {
        up.until("is COMPLETE");
    }
    up.terminate();
    let states = |name: &str| {
        let ticks = history(&sandbox).into_iter().filter(|tick| tick["schedule"] == name);
        ticks.map(|tick| tick["state"].as_str().expect("a state").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(states("hourly"), ["DONE"; 3]);
    let strict = states("strict");
    assert!(strict.len() == 3 && strict[1..] == ["MISSED"; 2], "{strict:?}");
    assert_eq!(states("paused"), ["SKIPPED"; 3]);
}

#[test]
fn a_backfill_runs_every_span_once_and_goes_on_after_a_kill() {
    let sandbox = project("");
    let dry = sandbox.json(&["backfill", "span=1..6", "--dry-run"]);
    assert_eq!(dry.as_array().map(Vec::len), Some(6));
    let args = ["backfill", "span=1..6", "--parallel", "2"];
    let mut child = sandbox.command(&args).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts");
    let said = lines(child.stderr.take().expect("standard error is a pipe"));
    until(&said, "COMPLETE");
    child.kill().expect("it can be killed");
    child.wait().expect("it is gone");
    let done = sandbox.tidemill(&args);
    assert_eq!(done.code, 0, "{done}");
    assert!(done.stdout.contains("all 6 values have run"), "{done}");
    let mut spans: Vec<i64> = runs(&sandbox)
        .iter()
        .filter(|run| run["state"] == "COMPLETE")
        .filter_map(|run| run["params"]["span"].as_i64())
        .collect();
    spans.sort_unstable();
    assert_eq!(spans, [1, 2, 3, 4, 5, 6]);
    let again = sandbox.tidemill(&args);
    assert!(again.code == 0 && again.stderr.contains("0 of 6 runs are left"), "{again}");
    // A span without data fails, and is run again on request.
    let failed = sandbox.tidemill(&["backfill", "span=6..7"]);
    assert_eq!(failed.code, 1, "{failed}");
    sandbox.write("data/span-7.csv", trips(7));
    assert!(sandbox.tidemill(&["backfill", "span=6..7"]).stderr.contains("0 of 2 runs are left"));
    let retried = sandbox.tidemill(&["backfill", "span=6..7", "--retry-failed"]);
    assert_eq!(retried.code, 0, "{retried}");
    let wrong = sandbox.tidemill(&["backfill", "span=9..1"]);
    assert!(wrong.code == 2 && wrong.stderr.contains("goes backwards"), "{wrong}");
    let unknown = sandbox.tidemill(&["backfill", "spam=1..2"]);
    assert!(unknown.code == 2 && unknown.stderr.contains("did you mean `span`?"), "{unknown}");
}
