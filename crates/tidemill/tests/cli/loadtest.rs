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
        let tls = run(&["http://localhost:1", "--model", "taxi-tips", "--ca", "no-such.pem"]);
        let bare = run(&["http://127.0.0.1:1/score"]);
        format!("{nobody}\n{tls}\n{bare}")
    });
}

#[test]
fn warm_up_requests_are_written_and_answered_before_a_version_is_available() {
    let sandbox = Sandbox::trained(1500);
    let stored = sandbox.json(&["model", "show", "taxi-tips"])["path"].as_str().expect("a path").to_owned();
    let refused = sandbox.tidemill(&["model", "warmup", "taxi-tips"]);
    assert_eq!(refused.code, 2, "{refused}");
    for entry in std::fs::read_dir(&stored).expect("the package").flatten() {
        sandbox.write(
            &format!("models/1/{}", entry.file_name().to_string_lossy()),
            std::fs::read(entry.path()).expect("a file of the package"),
        );
    }
    let written = sandbox.json(&["model", "warmup", "models/1", "--rows", "data/trips.csv", "--records", "20"]);
    assert_eq!(written["records"], 20);
    let file = "models/1/assets.extra/tf_serving_warmup_requests";
    let serve = ["--model_base_path", "models", "--model_name", "taxi"];
    let server = Server::start_with(&sandbox, &serve, &[]);
    assert_eq!(server.get("/v1/models/taxi").1["model_version_status"][0]["state"], "AVAILABLE");
    drop(server);
    // A record that is damaged makes the version broken, and says which.
    let mut bytes = std::fs::read(sandbox.path(file)).expect("the file");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    sandbox.write(file, bytes);
    let server = Server::start_with(&sandbox, &serve, &[]);
    let status = server.get("/v1/models/taxi").1["model_version_status"][0]["status"].to_string();
    assert!(status.contains("record 20: the file is damaged"), "{status}");
}

#[test]
fn load_goes_over_tls_to_servers_that_are_known_and_know_the_client() {
    let sandbox = Sandbox::trained(1500);
    let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).expect("parameters");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_key = rcgen::KeyPair::generate().expect("a key");
    sandbox.write("ca.pem", params.self_signed(&authority_key).expect("an authority").pem());
    let issuer = rcgen::Issuer::new(params, authority_key);
    for name in ["server", "client"] {
        let key = rcgen::KeyPair::generate().expect("a key");
        let names = vec!["localhost".to_owned()];
        let signed = rcgen::CertificateParams::new(names).and_then(|params| params.signed_by(&key, &issuer));
        sandbox.write(&format!("{name}.pem"), signed.expect("a certificate").pem());
        sandbox.write(&format!("{name}-key.pem"), key.serialize_pem());
    }
    let tls = ["--tls_cert", "server.pem", "--tls_key", "server-key.pem", "--tls_client_ca", "ca.pem"];
    let server = Server::start_with(&sandbox, &tls, &[]);
    let port = |address: &str| address.rsplit(':').next().expect("a port").to_owned();
    let (rest, grpc) = (port(&server.url), port(&server.grpc));
    let known = ["--model", "taxi-tips", "--ca", "ca.pem", "--cert", "client.pem", "--key", "client-key.pem"];
    for url in [format!("https://localhost:{rest}"), format!("grpcs://localhost:{grpc}")] {
        let report = loadtest(&sandbox, &url, &known);
        let measured = &report["measured"];
        assert_eq!((measured["ok"].as_u64(), measured["failed"].as_u64()), (Some(50), Some(0)), "{url} {report:#}");
    }
    let url = format!("https://localhost:{rest}");
    for (more, code, part) in [
        (&["--ca", "ca.pem"][..], 3, "CertificateRequired"),
        (&["--cert", "client.pem", "--key", "client-key.pem"], 3, "UnknownIssuer"),
        (&["--ca", "client-key.pem"], 2, "there is no certificate in it"),
    ] {
        let refused = sandbox.tidemill(&[&["loadtest", &url, "--model", "taxi-tips"], more].concat());
        assert_eq!(refused.code, code, "{refused}");
        assert!(refused.stderr.to_lowercase().contains(&part.to_lowercase()), "{refused}");
    }
}
