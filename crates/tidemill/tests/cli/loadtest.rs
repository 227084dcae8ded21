//! Load on the server by the binary itself: every protocol, verdicts, results that stay with the version.

use serde_json::Value;

use crate::support::{Sandbox, Server, golden};

/// A short load at a rate that any machine carries.
fn loadtest(sandbox: &Sandbox, url: &str, more: &[&str]) -> Value {
    let load = ["--rate", "100", "--duration", "500ms", "--warmup", "100ms", "--connections", "4"];
    sandbox.json(&[&["loadtest", url], &load[..], more].concat())
}

#[test]
fn load_over_every_protocol_is_answered_and_recorded() {
    let sandbox = Sandbox::trained(1500);
    let server = Server::start(&sandbox);
    let endpoint = format!("{}/v1/models/taxi-tips/labels/champion:predict", server.url);
    let grpc = format!("grpc://{}", server.grpc);
    let named = ["--model", "taxi-tips"];
    for (url, more) in [
        (&server.url, &["--model", "taxi-tips", "--package", "taxi-tips@champion"][..]),
        (&server.url, &["--model", "taxi-tips", "--protocol", "oip", "--rows", "data/trips.csv"]),
        (&server.url, &["--model", "taxi-tips", "--protocol", "oip", "--rows-per-request", "8"]),
        (&endpoint, &["--record", "taxi-tips@champion"]),
        (&grpc, &named),
        (&grpc, &["--model", "taxi-tips", "--package", "taxi-tips:1", "--no-vary"]),
    ] {
        let report = loadtest(&sandbox, url, more);
        let measured = &report["measured"];
        assert_eq!((measured["ok"].as_u64(), measured["failed"].as_u64()), (Some(50), Some(0)), "{url} {report:#}");
        assert_eq!(report["model"], "taxi-tips");
    }
    let models = sandbox.json(&["models", "taxi-tips"]);
    let tag = models["model"]["versions"][0]["tags"]["loadtest"].as_str().expect("the result is with the version");
    let tag: Value = serde_json::from_str(tag).expect("JSON");
    assert!(tag["latency"]["p99_ms"].as_f64().is_some_and(|p99| p99 > 0.0), "{tag}");
}

#[test]
fn a_bound_that_does_not_hold_is_a_verdict() {
    let sandbox = Sandbox::trained(1500);
    let server = Server::start(&sandbox);
    let load = ["--rate", "20", "--duration", "200ms", "--warmup", "0s", "--connections", "1", "--model", "taxi-tips"];
    let held = sandbox.tidemill(&[&["loadtest", &server.url], &load[..], &["--p99", "1m"]].concat());
    assert_eq!(held.code, 0, "{held}");
    let missed = sandbox.tidemill(&[&["loadtest", &server.url], &load[..], &["--p99", "1us"]].concat());
    assert_eq!(missed.code, 1, "{missed}");
    assert!(missed.stderr.contains("TM7012"), "{missed}");
}

#[test]
fn what_cannot_be_put_under_load_is_said() {
    let sandbox = Sandbox::trained(1500);
    let server = Server::start(&sandbox);
    let run = |args: &[&str]| sandbox.tidemill(&[&["loadtest"], args].concat());
    let unknown = run(&[&server.url, "--model", "taxi-trips"]);
    assert_eq!(unknown.code, 2, "{unknown}");
    assert!(unknown.stderr.contains("404"), "{unknown}");
    let grpc = run(&[&format!("grpc://{}", server.grpc)]);
    assert_eq!(grpc.code, 2, "{grpc}");
    assert!(grpc.stderr.contains("--model"), "{grpc}");
    let no_version = run(&[&server.url, "--model", "taxi-tips", "--record", "taxi-tips"]);
    assert_eq!(no_version.code, 2, "{no_version}");
    drop(server);
    golden("loadtest_wrong", {
        let nobody = run(&["http://127.0.0.1:1", "--model", "taxi-tips"]);
        let tls = run(&["https://localhost", "--model", "taxi-tips"]);
        let bare = run(&["http://127.0.0.1:1/score"]);
        format!("{nobody}\n{tls}\n{bare}")
    });
}
