//! The catalogue of errors: what `explain` prints is what happens.

use std::collections::BTreeSet;

use serde_json::Value;
use tidemill_core::{Code, Failure, Kind};

use crate::support::Sandbox;

#[test]
fn explain_prints_what_the_catalogue_decides_for_every_code() {
    let sandbox = Sandbox::empty();
    let pages = sandbox.json(&["explain"]);
    let pages = pages.as_array().expect("a list");
    assert_eq!(pages.len(), Code::ALL.len());
    for (page, code) in pages.iter().zip(Code::ALL) {
        assert_eq!(page["code"], code.id());
        assert_eq!(page["exit_code"], code.exit_code(), "{code}");
        assert_eq!(page["http_status"], code.http_status(), "{code}");
        assert_eq!(page["grpc_status"], code.grpc_status().name(), "{code}");
        assert_eq!(page["retry"], code.retryable(), "{code}");
        // A command that fails with the code ends with its exit code, and its document says whether to try again.
        let failure = Failure::new(*code, "it failed");
        assert_eq!(failure.exit_code(), code.exit_code());
        assert_eq!(failure.to_json()["error"]["retry"], code.retryable(), "{code}");
    }
    let exits: BTreeSet<u8> = Kind::ALL.iter().map(|kind| kind.exit_code()).collect();
    assert_eq!(exits, BTreeSet::from([1, 2, 3, 4, 130]));
    for code in Code::ALL {
        let shown = sandbox.tidemill(&["explain", code.id()]);
        let facts = format!("exit code {} · HTTP {} · gRPC", code.exit_code(), code.http_status());
        assert!(shown.code == 0 && shown.stdout.contains(&facts), "{shown}");
    }
}

/// The code in the document of a command: its own error, or that of a step of a run.
fn code_of(document: &Value) -> Option<&str> {
    let mut steps = document["steps"].as_array().into_iter().flatten();
    let of_step = steps.find_map(|step| step["error"]["code"].as_str().or(step["rejected_with"].as_str()));
    document["error"]["code"].as_str().or(of_step)
}

#[test]
fn commands_end_with_the_exit_code_of_their_error() {
    let taxi = Sandbox::trained(600);
    let empty = Sandbox::empty();
    let bad = Sandbox::taxi(300);
    bad.edit("pipeline.yaml", "component: StatisticsGen", "component: StatistcsGen");
    let settings = Sandbox::taxi(300);
    settings.edit("tidemill.toml", "threads = 0", "threads = many");
    for file in [&taxi, &empty] {
        file.write("ragged.csv", "a,b\n1,2\n3\n");
        file.write("nothing.csv", "");
        file.write("twice.csv", "a,a\n1,2\n");
        file.write("latin.csv", b"a\ncaf\xe9\n");
    }
    let ragged = Sandbox::taxi(300);
    let trips = ragged.read("data/trips.csv");
    ragged.write("data/trips.csv", format!("{trips}1,2\n"));
    let lost = Sandbox::taxi(300);
    std::fs::remove_file(lost.path("data/trips.csv")).expect("the file is there");
    let strict = Sandbox::taxi(600);
    strict.edit("pipeline.yaml", "at_least: 0.9,", "at_least: 0.9999,");
    let held = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = held.local_addr().expect("an address").port().to_string();

    let cases: &[(&Sandbox, &[&str], &str, i32)] = &[
        // The answer is no.
        (&strict, &["run"], "TM5003", 1),
        // Something is wrong with what the user gave.
        (&bad, &["check"], "TM1001", 2),
        (&bad, &["run"], "TM1001", 2),
        (&empty, &["run"], "TM1002", 2),
        (&settings, &["plan"], "TM1003", 2),
        (&taxi, &["init", "taxi", "."], "TM1007", 2),
        (&empty, &["stats", "missing.csv"], "TM2001", 2),
        (&lost, &["run"], "TM2001", 2),
        (&empty, &["stats", "nothing.csv"], "TM2003", 2),
        (&empty, &["stats", "ragged.csv"], "TM2005", 2),
        (&ragged, &["run"], "TM2005", 2),
        (&empty, &["stats", "twice.csv"], "TM2006", 2),
        (&empty, &["stats", "latin.csv"], "TM2007", 2),
        (&taxi, &["sql", "SELECT nothing FROM trips", "trips=data/trips.csv"], "TM2022", 2),
        (&taxi, &["status", "ffffffff"], "TM6003", 2),
        (&taxi, &["models", "unknown"], "TM6003", 2),
        (&taxi, &["features", "show", "unknown"], "TM4012", 2),
        (&taxi, &["explain", "TM0000"], "TM9003", 2),
        (&taxi, &["rnu"], "TM9003", 2),
        // The surroundings.
        (&taxi, &["serve", "--rest-api-port", &port, "--port", "off"], "TM7001", 3),
        (&taxi, &["stats", "data/trips.csv", "--html", "data/trips.csv/page.html"], "TM9001", 3),
        (&taxi, &["loadtest", "http://127.0.0.1:1/v1/models/x:predict"], "TM7010", 3),
    ];
    for (sandbox, args, code, exit) in cases {
        let transcript = sandbox.tidemill(&[*args, &["-o", "json"]].concat());
        let document: Value =
            serde_json::from_str(&transcript.stdout).unwrap_or_else(|error| panic!("{error}: {transcript}"));
        assert_eq!(code_of(&document), Some(*code), "{transcript}");
        assert_eq!(transcript.code, *exit, "{transcript}");
        let explained = sandbox_page(code);
        assert_eq!(explained["exit_code"], *exit, "what `explain {code}` prints is what happens");
    }
}

fn sandbox_page(code: &str) -> Value {
    Sandbox::empty().json(&["explain", code])
}

#[test]
fn a_run_that_another_holds_up_is_worth_a_retry() {
    let sandbox = Sandbox::taxi(300);
    sandbox.tidemill(&["plan"]);
    std::fs::create_dir_all(sandbox.path(".tidemill/locks")).expect("a folder can be made");
    let lock = std::fs::File::create(sandbox.path(".tidemill/locks/taxi-tips.lock")).expect("a file can be made");
    lock.lock().expect("nobody holds it");
    let transcript = sandbox.tidemill(&["run", "-o", "json"]);
    let document: Value = serde_json::from_str(&transcript.stdout).expect("a document");
    assert_eq!((code_of(&document), transcript.code), (Some("TM6005"), 3), "{transcript}");
    assert_eq!(document["error"]["retry"], true);
}
