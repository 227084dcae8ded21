//! Endpoint files: checked, planned, applied, followed by a running server, rolled back.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Sandbox, Server, rows};

const FILE: &str = "version: 1
endpoint: rides
owner: rides-team@example.org
models:
  champion: { model: taxi-tips@champion }
  rules: { expression: \"case when payment_type = 'Cash' then 0.05 else 0.6 end\" }
route:
  - { when: \"trip_start_hour >= 22\", to: rules }
  - { to: champion }
fallback: [ rules ]
";

/// A project with a registered model and an endpoint file.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::trained(3000);
    sandbox.write("endpoint.yaml", FILE);
    sandbox
}

/// A request with the row of the data that has the most columns, at this hour.
fn body(sandbox: &Sandbox, hour: u32) -> String {
    let rows = rows(&sandbox.path("data/trips.csv"), 500);
    let mut row = rows.into_iter().max_by_key(serde_json::Map::len).expect("a row");
    row.insert("payment_type".to_owned(), json!("Cash"));
    row.insert("trip_start_hour".to_owned(), json!(hour));
    json!({ "dataframe_records": [row] }).to_string()
}

#[test]
fn mistakes_are_shown_where_they_are_all_at_once() {
    let sandbox = sandbox();
    let checked = sandbox.tidemill(&["endpoint", "check", "endpoint.yaml"]);
    assert_eq!(checked.code, 0, "{checked}");
    assert!(checked.stdout.contains("champion is taxi-tips version 1"), "{checked}");
    let wrong = FILE
        .replace("taxi-tips@champion", "taxi-tip@champion")
        .replace("owner:", "ownr:")
        .replace("{ to: champion }", "{ split: { champion: 90, rules: 20 }, by: rider_id }");
    sandbox.write("wrong.yaml", &wrong);
    let checked = sandbox.tidemill(&["endpoint", "check", "wrong.yaml"]);
    assert_eq!(checked.code, 2, "{checked}");
    for part in ["TM7030", "did you mean `owner`?", "the shares sum to 110, not to 100"] {
        assert!(checked.stderr.contains(part), "{part} in {checked}");
    }
    // What needs the models is found once the rest is right.
    sandbox.write("wrong.yaml", FILE.replace("taxi-tips@champion", "taxi-tip@champion"));
    let checked = sandbox.tidemill(&["endpoint", "check", "wrong.yaml"]);
    assert!(checked.code == 2 && checked.stderr.contains("did you mean `taxi-tips`?"), "{checked}");
    sandbox.write("wrong.yaml", FILE.replace("trip_start_hour", "trip_start_our"));
    let checked = sandbox.tidemill(&["endpoint", "check", "wrong.yaml"]);
    assert!(checked.code == 2 && checked.stderr.contains("no model takes an input `trip_start_our`"), "{checked}");
    assert!(checked.stderr.contains("did you mean `trip_start_hour`?"), "{checked}");
    let served = sandbox.tidemill(&["serve", "wrong.yaml"]);
    assert!(served.code == 2 && served.stderr.contains("trip_start_our"), "{served}");
    let schema: Value = serde_json::from_str(&sandbox.tidemill(&["schema", "endpoint"]).stdout).expect("JSON");
    assert_eq!(schema["title"], "Tidemill endpoint");
}

#[test]
fn what_is_applied_is_kept_and_a_running_server_follows() {
    let sandbox = sandbox();
    let server = Server::start(&sandbox);
    assert_eq!(server.post("/endpoints/rides/invocations", &body(&sandbox, 10)).0, 404);
    let plan = sandbox.json(&["endpoint", "plan", "endpoint.yaml"]);
    assert_eq!((&plan["in_force"], &plan["changes"][0]["key"]), (&Value::Null, &json!("version")), "{plan}");
    let applied = sandbox.json(&["endpoint", "apply", "endpoint.yaml", "--reason", "the first"]);
    assert_eq!((&applied["revision"], &applied["changed"]), (&json!(1), &json!(true)), "{applied}");
    assert_eq!(sandbox.json(&["endpoint", "apply", "endpoint.yaml"])["changed"], json!(false));

    let answers = |path: &str, hour: u32, holds: &dyn Fn(&Value) -> bool| {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let (status, answer) = server.post(path, &body(&sandbox, hour));
            if status == 200 && holds(&answer["predictions"][0]) {
                return answer["predictions"][0].clone();
            }
            assert!(Instant::now() < deadline, "{status} {answer}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let endpoint = "/endpoints/rides/invocations";
    assert_eq!(answers(endpoint, 23, &|_| true), json!(0.05));
    let champion = server.post("/endpoints/taxi-tips/invocations", &body(&sandbox, 10)).1["predictions"][0].clone();
    assert_eq!(answers(endpoint, 10, &|_| true), champion);

    // A single value, without the file.
    let set = sandbox.json(&["endpoint", "set", "rides", "models.champion.threshold=0.0001", "--reason", "cautious"]);
    assert_eq!(set["changes"], json!([{ "key": "models.champion.threshold", "before": null, "after": 0.0001 }]));
    answers(endpoint, 10, &|answer| *answer == json!(1.0));
    let wrong = sandbox.tidemill(&["endpoint", "set", "rides", "models.champion.treshold=1"]);
    assert!(wrong.code == 2 && wrong.stderr.contains("did you mean `threshold`?"), "{wrong}");

    let back = sandbox.json(&["endpoint", "rollback", "rides"]);
    assert_eq!((&back["revision"], &back["action"]), (&json!(3), &json!({ "rollback": { "to": 1 } })), "{back}");
    answers(endpoint, 10, &|answer| *answer == champion);
    let history = sandbox.json(&["endpoint", "history", "rides"]);
    let told: Vec<&Value> = history.as_array().expect("a list").iter().map(|revision| &revision["reason"]).collect();
    assert_eq!(told, [&Value::Null, &json!("cautious"), &json!("the first")]);

    let status = sandbox.json(&["endpoint", "status", "rides", "--url", &server.url]);
    assert_eq!((&status["ready"], &status["models"][0]["answers"]), (&json!(true), &json!("champion/1")), "{status}");
    assert!(status["models"][0]["requests"].as_u64() > Some(2), "{status}");
    let screen = sandbox.tidemill(&["endpoint", "status", "--url", &server.url]);
    assert!(screen.stdout.contains("trip_start_hour >= 22 → rules"), "{screen}");
    let unreachable = sandbox.tidemill(&["endpoint", "status", "--url", "http://127.0.0.1:1"]);
    assert!(unreachable.code == 3 && unreachable.stderr.contains("--offline"), "{unreachable}");

    assert_eq!(sandbox.json(&["endpoint", "remove", "rides"])["revision"], json!(4));
    let deadline = Instant::now() + Duration::from_secs(30);
    while server.post(endpoint, &body(&sandbox, 10)).0 != 404 {
        assert!(Instant::now() < deadline);
    }
    assert_eq!(sandbox.json(&["endpoint", "status", "--offline"]), json!([]));
    let gone = sandbox.tidemill(&["endpoint", "history", "ride"]);
    assert!(gone.code == 2 && gone.stderr.contains("did you mean `rides`?"), "{gone}");
}

#[test]
fn a_file_is_served_without_being_applied_and_its_changes_are_followed() {
    let sandbox = sandbox();
    let log = "log: { folder: logs, exclude: [fare] }\n";
    sandbox.write("endpoint.yaml", format!("{FILE}{log}"));
    let mut server = Server::start_with(&sandbox, &["endpoint.yaml"], &[]);
    let night = || server.post("/endpoints/rides/invocations", &body(&sandbox, 23));
    assert_eq!(night().1["predictions"][0], json!(0.05));
    assert_eq!(sandbox.json(&["endpoint", "status", "--offline"]), json!([]));
    // A file with a mistake changes nothing.
    sandbox.write("endpoint.yaml", FILE.replace("0.05", "0.05 +"));
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(night().1["predictions"][0], json!(0.05));
    sandbox.write("endpoint.yaml", format!("{}{log}", FILE.replace("0.05", "0.07")));
    let deadline = Instant::now() + Duration::from_secs(30);
    while night().1["predictions"][0] != json!(0.07) {
        assert!(Instant::now() < deadline);
    }
    server.terminate();
    let logs: String = std::fs::read_dir(sandbox.path("logs"))
        .expect("a folder of logs")
        .map(|file| std::fs::read_to_string(file.expect("a file").path()).expect("a log"))
        .collect();
    let line: Value = serde_json::from_str(logs.lines().next().expect("a line")).expect("JSON");
    assert_eq!((&line["_route"], &line["fare"]), (&json!("rules"), &Value::Null), "{line}");
}

#[test]
fn an_endpoint_of_rules_needs_no_project() {
    let sandbox = Sandbox::empty();
    sandbox.write(
        "rules.yaml",
        "version: 1\nendpoint: r\ninputs: { x: FP64 }\nmodels: { m: { expression: \"x * 2\" } }\n",
    );
    assert_eq!(sandbox.json(&["endpoint", "check", "rules.yaml"])["outputs"], json!(["value"]));
    let applied = sandbox.tidemill(&["endpoint", "apply", "rules.yaml"]);
    assert!(applied.code == 2 && applied.stderr.contains("--project"), "{applied}");
    let server = Server::start_with(&sandbox, &["rules.yaml"], &[]);
    let (status, answer) = server.post("/v1/models/r:predict", r#"{"instances": [{"x": 4.5}]}"#);
    assert_eq!((status, &answer["predictions"][0]), (200, &json!(9.0)), "{answer}");
}
