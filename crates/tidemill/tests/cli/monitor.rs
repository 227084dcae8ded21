//! Monitors from the command line: a planted fault is found, told, explained and acted on.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;

use serde_json::{Value, json};

use crate::support::{Sandbox, Server, rows};

/// A trained project with a history: a day as usual, then half a day of trips most of which lack their miles.
fn with_history() -> Sandbox {
    let sandbox = Sandbox::trained(3000);
    let sample = |seed: &str, out: &str, plant: &[&str]| {
        let args = [&["sample", "taxi", "--rows", "3600", "--span", "1", "--seed", seed, "--out", out], plant].concat();
        let made = sandbox.tidemill(&args);
        assert_eq!(made.code, 0, "{made}");
    };
    sample("8", "data/usual.csv", &[]);
    sample("9", "data/odd.csv", &["--plant", "null-burst"]);
    for (file, from) in [("data/usual.csv", "2026-05-01"), ("data/odd.csv", "2026-05-01T12:00:00Z")] {
        let args = [
            "inference-log",
            "import",
            file,
            "--model",
            "taxi-tips",
            "--from",
            from,
            "--for",
            "12h",
            "--feedback-after",
            "1h",
        ];
        let made = sandbox.tidemill(&args);
        assert_eq!(made.code, 0, "{made}");
    }
    sandbox
}

fn monitor(sandbox: &Sandbox, more: &str) {
    sandbox.write(
        "monitor.yaml",
        format!("version: 1\nmonitor: taxi\nmodel: taxi-tips\nlog: log\nlabels: {{ maturity: 2h }}\n{more}"),
    );
}

#[test]
fn a_history_is_replayed_and_tells_when_it_would_have_alerted() {
    let sandbox = with_history();
    monitor(&sandbox, "");
    let replay = sandbox.json(&["monitor", "replay", "--html", "history.html"]);
    assert_eq!(replay["windows"].as_array().map(Vec::len), Some(24), "{replay}");
    let alerts = replay["alerts"].as_array().expect("a list");
    let missing = alerts.iter().find(|alert| alert["kind"] == "missing").unwrap_or_else(|| panic!("{replay}"));
    assert_eq!(missing["at"], "2026-05-01T14:00:00.000000Z", "after the second odd hour");
    assert!(missing["summary"].as_str().is_some_and(|text| text.contains("trip_miles")), "{missing}");
    assert_eq!(replay["labels"]["unknown"], 0);
    let page = sandbox.read("history.html");
    assert!(page.contains("Columns by window") && page.contains("<svg") && page.contains("roc_auc"));
    assert!(!page.contains("{{") && !page.contains("http"), "the page needs nothing else");
    // Nothing is kept.
    assert!(!sandbox.path(".tidemill/monitors").exists());
}

#[test]
fn state_is_kept_and_alerts_are_explained_acknowledged_and_exported() {
    let sandbox = with_history();
    monitor(&sandbox, "");
    let run = sandbox.json(&["monitor", "run", "--once", "--complete", "--metrics", "tidemill.prom"]);
    assert_eq!(run["matured"], 24, "{run}");
    let again = sandbox.json(&["monitor", "run", "--once", "--complete"]);
    assert_eq!((&again["windows"], &again["alerts"]), (&json!([]), &json!([])));
    let metrics = sandbox.read("tidemill.prom");
    assert!(
        metrics.contains("tidemill_monitor_alert_firing{monitor=\"taxi\",model=\"taxi-tips\",kind=\"missing\"} 1"),
        "{metrics}"
    );
    let status = sandbox.tidemill(&["monitor", "status"]);
    assert!(status.code == 1 && status.stdout.contains("missing"), "{status}");
    let explained = sandbox.tidemill(&["monitor", "explain", "missing"]);
    assert!(explained.code == 0 && explained.stdout.contains("trip_miles"), "{explained}");
    let ack = sandbox.json(&["monitor", "ack", "missing", "--note", "known"]);
    assert_eq!(ack["acknowledged"]["note"], "known");
    let unknown = sandbox.tidemill(&["monitor", "explain", "nothing"]);
    assert_eq!(unknown.code, 2, "{unknown}");
    let window = &sandbox.json(&["monitor", "status", "-n", "1"])["windows"][0];
    assert_eq!(window["performance"]["labelled"], window["performance"]["labelled"].as_u64().expect("a count"));
    assert!(
        window["performance"]["realised"]["roc_auc"]["value"].as_f64().is_some_and(|value| value > 0.8),
        "{window}"
    );

    let export = sandbox.json(&["monitor", "export", "--out", "data/live.parquet"]);
    assert_eq!(export["provenance"]["versions"]["1"], export["provenance"]["rows"]);
    assert!(sandbox.read("data/live.provenance.json").contains("\"monitor\": \"taxi\""));
    let stats = sandbox.json(&["stats", "data/live.parquet"]);
    assert!(stats.to_string().contains("\"label\""), "{stats}");
    // Labels that were not known at a time are left out.
    let early = sandbox.json(&["monitor", "export", "--out", "data/early.parquet", "--as-of", "2026-05-01T06:00:00Z"]);
    let counted = |value: &Value| value["provenance"]["rows"].as_u64().expect("a count");
    assert!(counted(&early) < counted(&export) / 4 + 10, "{early}");
}

#[test]
fn mistakes_of_the_file_come_at_once_with_their_places() {
    let sandbox = Sandbox::empty();
    sandbox.write("pipeline.yaml", "version: 1\npipeline: x\nsteps: {}\n");
    sandbox.write(
        "monitor.yaml",
        "version: 1\nmonitor: taxi\nmodel: taxi-tips\nlog: log\nwindow: 5s\nalert: { after: 4, of: 3 }\nperformance: { metric: roc_acu }\nrefrence: training\nreceivers: { team: { to: { slack: { url: nowhere } } } }\n",
    );
    let wrong = sandbox.json(&["monitor", "check"]);
    assert_eq!(wrong["error"]["code"], "TM8001", "{wrong}");
    let places = wrong["error"]["where"].as_array().expect("places");
    let lines: Vec<u64> = places.iter().filter_map(|place| place["line"].as_u64()).collect();
    assert_eq!(lines, [5, 6, 7, 8, 9], "{wrong}");
    assert!(
        wrong.to_string().contains("did you mean `reference`") && wrong.to_string().contains("did you mean `roc_auc`")
    );
    let gone = sandbox.tidemill(&["monitor", "check", "gone.yaml"]);
    assert_eq!(gone.code, 2, "{gone}");
}

/// A receiver that answers with these statuses, and gives what it got.
fn receiver(statuses: Vec<u16>) -> (String, mpsc::Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let (sender, got) = mpsc::channel();
    std::thread::spawn(move || {
        for status in statuses {
            let Ok((mut stream, _)) = listener.accept() else { return };
            let mut bytes = Vec::new();
            let mut piece = [0; 4096];
            let (head, body) = loop {
                let read = stream.read(&mut piece).expect("a request");
                bytes.extend_from_slice(&piece[..read]);
                let text = String::from_utf8_lossy(&bytes).into_owned();
                if let Some((head, body)) = text.split_once("\r\n\r\n") {
                    let length = head
                        .lines()
                        .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok());
                    if length.is_some_and(|length| body.len() >= length) {
                        break (head.to_owned(), body.to_owned());
                    }
                }
                assert!(read > 0, "the request ended too soon");
            };
            stream
                .write_all(format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").as_bytes())
                .expect("an answer");
            let _ = sender.send((head, serde_json::from_str(&body).expect("JSON")));
        }
    });
    (url, got)
}

#[test]
fn receivers_are_told_once_also_after_they_were_down_and_an_action_is_done_once() {
    let sandbox = with_history();
    let (url, got) = receiver(vec![500, 200, 200, 200]);
    monitor(
        &sandbox,
        &format!(
            "alert: {{ owner: ana, runbook: \"https://wiki/x\" }}\nreceivers:\n  hook: {{ kinds: [missing], to: {{ webhook: {{ url: \"{url}\", secret: s }} }} }}\nactions:\n  retrain: {{ on: [missing], do: {{ run: {{ params: {{ rounds: 5 }} }} }} }}\n"
        ),
    );
    let run = sandbox.json(&["monitor", "run", "--once", "--complete"]);
    assert_eq!(run["delivered"]["waiting"], 1, "{run}");
    assert!(run["delivered"]["problems"]["hook"].as_str().is_some_and(|text| text.contains("500")), "{run}");
    got.recv().expect("the first attempt");
    // The cause of the run is on record.
    let acted = &run["actions"][0];
    assert!(acted["action"] == "retrain" && acted["run"].is_string(), "{run}");
    let last = sandbox.json(&["runs", "-n", "1"]);
    assert_eq!(last[0]["id"], acted["run"], "{last}");
    assert!(sandbox.read(".tidemill/monitors/taxi/actions.jsonl").contains("\"action\":\"retrain\""));
    // The second attempt is due some seconds later.
    let mut told = Vec::new();
    while told.is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(300));
        let again = sandbox.json(&["monitor", "run", "--once", "--complete"]);
        assert_eq!(again["actions"], json!([]), "an action is done once");
        told.extend(got.try_iter());
    }
    let (head, body) = &told[0];
    assert!(head.to_lowercase().contains("x-tidemill-signature: sha256="), "{head}");
    assert_eq!((&body["version"], &body["status"]), (&json!("4"), &json!("firing")));
    let alert = &body["alerts"][0];
    assert_eq!(
        alert["labels"],
        json!({ "alertname": "TidemillMissingValues", "severity": "critical", "monitor": "taxi", "model": "taxi-tips", "owner": "ana" })
    );
    assert_eq!(alert["annotations"]["runbook_url"], "https://wiki/x");
    let quiet = sandbox.json(&["monitor", "run", "--once", "--complete"]);
    assert_eq!((&quiet["delivered"]["waiting"], &quiet["delivered"]["delivered"]), (&json!(0), &json!(0)));
    let test = sandbox.tidemill(&["monitor", "test-receiver", "hook"]);
    assert_eq!(test.code, 0, "{test}");
    assert!(sandbox.tidemill(&["monitor", "test-receiver", "hok"]).stderr.contains("did you mean `hook`"));
}

#[test]
fn the_server_takes_feedback_and_people_judge_what_is_uncertain() {
    let sandbox = Sandbox::trained(1500);
    let mut server = Server::start_with(&sandbox, &["--log", "log", "--feedback", "on"], &[]);
    let (_, metadata) = server.get("/v2/models/taxi-tips");
    let inputs = metadata["inputs"].as_array().cloned().unwrap_or_default();
    for (at, row) in rows(&sandbox.path("data/trips.csv"), 40).into_iter().enumerate() {
        let row: serde_json::Map<String, Value> =
            row.into_iter().filter(|(name, _)| inputs.iter().any(|input| input["name"] == **name)).collect();
        let body = json!({ "instances": [row] }).to_string();
        let sent = ureq::post(format!("{}/v1/models/taxi-tips:predict", server.url))
            .header("x-request-id", format!("q{at}"))
            .send(&body);
        assert!(sent.is_ok(), "{sent:?}");
    }
    let (status, answer) = server.post("/v1/feedback", r#"{"request_id": "q0", "label": 1, "actor": "ana"}"#);
    assert_eq!((status, &answer), (202, &json!({ "accepted": 1 })));
    let list = r#"{"feedback": [{"request_id": "q1", "rating": "down", "actor": "ana"}, {"request_id": "q0", "label": 0, "actor": "ben"}]}"#;
    assert_eq!(server.post("/v1/feedback", list).0, 202);
    let (status, wrong) = server.post("/v1/feedback", r#"{"request_id": "q1", "lable": 1}"#);
    assert!(status == 400 && wrong.to_string().contains("lable"), "{wrong}");
    assert_eq!(server.post("/v1/feedback", r#"{"request_id": "q1", "label": 1, "model": "none"}"#).0, 404);
    server.terminate();
    monitor(&sandbox, "");
    sandbox.edit("monitor.yaml", "maturity: 2h", "maturity: 2h, ratings: { up: 1, down: 0 }");
    let status = sandbox.json(&["feedback", "status"]);
    assert_eq!((&status["records"]["records"], &status["labelled"]), (&json!(3), &json!(2)), "{status}");
    assert_eq!((&status["agreement"]["judged_twice"], &status["agreement"]["agreed"]), (&json!(1), &json!(0)));
    let queue = sandbox.json(&["feedback", "queue", "-n", "5"]);
    assert_eq!((&queue[0]["request_id"], &queue[0]["reason"]), (&json!("q0"), &json!("labels disagree")));
    let far = |at: usize| (queue[at]["answer"].as_f64().expect("a number") - 0.5).abs();
    assert!(far(1) <= far(2) && far(2) <= far(3), "{queue}");
    assert_eq!(sandbox.tidemill(&["feedback", "decide", "q0", "1", "--by", "cleo"]).code, 0);
    assert_ne!(sandbox.json(&["feedback", "queue", "-n", "5"])[0]["request_id"], "q0");
    sandbox.write("bad.jsonl", "{\"request_id\": \"q2\", \"label\": 1}\n{\"request_id\": \"q3\"}\n");
    let bad = sandbox.tidemill(&["feedback", "add", "bad.jsonl"]);
    assert!(bad.code == 2 && bad.stderr.contains("line 2 of `bad.jsonl`"), "{bad}");
}
