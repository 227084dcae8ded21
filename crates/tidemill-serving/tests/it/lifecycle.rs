//! Versions coming and going under load, readiness, metrics, shutdown.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::support::{MODEL, Packages, Running, agent, options, parsed, servable};
use serde_json::{Value, json};
use tidemill_core::{Code, Coded as _};
use tidemill_serving::{FolderSource, Server, ServerOptions, StaticSource, V1Dialect, VersionState};

const BODY: &str = r#"{"instances":[{"fare":12.5,"seconds":600,"company":"Flash"}]}"#;
const PREDICT: &str = "/v1/models/taxi:predict";

fn prediction(server: &Running, path: &str) -> f64 {
    let (status, reply) = server.post(path, BODY);
    assert_eq!(status, 200, "{reply}");
    reply["predictions"][0].as_f64().unwrap()
}

/// Hammers the server from some threads while `act` runs; returns how many requests were answered, all of them well.
fn under_load(server: &Running, path: &str, act: impl FnOnce(&AtomicU64)) -> u64 {
    let (done, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let agent = agent();
                while !done.load(Ordering::Relaxed) {
                    let (status, reply) = parsed(agent.post(server.url(path)).send(BODY).unwrap());
                    assert_eq!(status, 200, "{reply}");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        act(&answered);
        done.store(true, Ordering::Relaxed);
    });
    answered.into_inner()
}

/// Waits for more answers, so that something happens between two changes.
fn let_pass(answered: &AtomicU64, requests: u64) {
    let until = answered.load(Ordering::Relaxed) + requests;
    while answered.load(Ordering::Relaxed) < until {
        std::thread::yield_now();
    }
}

#[test]
fn new_versions_take_over_without_a_failed_request() {
    let packages = Packages::new();
    let versions: Vec<_> = (0..8).map(|version| packages.taxi(f64::from(version))).collect();
    let (server, source) = Running::of(vec![servable(MODEL, 1, &versions[0], &["live"])]);
    let before = prediction(&server, PREDICT);
    let act = |answered: &AtomicU64| {
        for (version, path) in versions.iter().enumerate().skip(1) {
            source.set(vec![servable(MODEL, version as u64 + 1, path, &["live"])]);
            server.poll();
            let_pass(answered, 20);
        }
    };
    assert!(under_load(&server, "/v1/models/taxi/labels/live:predict", act) >= 140);
    assert_ne!(prediction(&server, PREDICT), before);
    let status = &server.handle.models()[0];
    assert_eq!((status.latest, &status.labels[..]), (Some(8), &[("live".to_owned(), 8)][..]));
    server.poll();
    let serving = |state: VersionState| state != VersionState::End;
    assert_eq!(server.handle.models()[0].versions.iter().filter(|v| serving(v.state)).count(), 1, "old ones are freed");
}

/// A request whose head is read and whose body is still to come.
fn begun(server: &Running) -> TcpStream {
    let mut stream = TcpStream::connect(server.handle.local_addr()).unwrap();
    let length = BODY.len();
    write!(
        stream,
        "POST {PREDICT} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n"
    )
    .unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

/// Sends the body; the prediction.
fn finished(mut stream: TcpStream) -> f64 {
    stream.write_all(BODY.as_bytes()).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 200 OK"), "{reply}");
    let body: Value = serde_json::from_str(reply.split_once("\r\n\r\n").unwrap().1).unwrap();
    body["predictions"][0].as_f64().unwrap()
}

#[test]
fn requests_in_flight_finish_on_the_version_they_began_with() {
    let packages = Packages::new();
    let versions: Vec<_> = (0..3).map(|version| packages.taxi(f64::from(version))).collect();
    for unload_first in [false, true] {
        let source = StaticSource::new(vec![servable(MODEL, 1, &versions[0], &[])]);
        let options = tidemill_serving::ServerOptions { unload_first, ..options() };
        let server = Running::start(options, Arc::new(source.clone()));
        let first = prediction(&server, PREDICT);
        let (one, other) = (begun(&server), begun(&server));
        source.set(vec![servable(MODEL, 2, &versions[1], &[])]);
        server.runtime.block_on(server.handle.poll_now());
        if unload_first {
            assert_eq!(server.post(PREDICT, BODY).0, 404, "the new version waits for the memory of the old one");
        } else {
            server.poll();
            assert_ne!(prediction(&server, PREDICT), first);
        }
        assert_eq!(finished(one), first);
        assert_eq!(finished(other), first);
        while server.post(PREDICT, BODY).0 != 200 {
            server.runtime.block_on(server.handle.poll_now());
        }
        assert_ne!(prediction(&server, PREDICT), first);
        server.poll();
        let left = server.handle.models()[0].versions.iter().filter(|one| one.state != VersionState::End).count();
        assert_eq!(left, 1, "the old version is out of memory");
    }
}

#[test]
fn a_folder_is_polled_for_new_versions() {
    let base = tempfile::tempdir().unwrap();
    crate::support::write_taxi(&base.path().join("123"), tidemill_model::Task::Binary, 0.0);
    let source = FolderSource::new(MODEL, base.path());
    let mut options = options();
    options.poll_interval = Duration::from_millis(20);
    let server = Running::start(options, Arc::new(source));
    let before = prediction(&server, PREDICT);
    let staged = base.path().join("124.tmp");
    crate::support::write_taxi(&staged, tidemill_model::Task::Binary, 2.0);
    std::fs::rename(staged, base.path().join("124")).unwrap();
    while server.handle.models()[0].latest != Some(124) {
        std::thread::yield_now();
    }
    assert_ne!(prediction(&server, PREDICT), before);
    // All at once: a folder that is there and empty would mean that the versions are withdrawn.
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::rename(base.path(), elsewhere.path().join("gone")).unwrap();
    server.poll();
    assert_eq!(server.get("/v1/models/taxi").0, 200, "a source that fails takes nothing away");
    let metrics = agent().get(server.url("/metrics")).call().unwrap().body_mut().read_to_string().unwrap();
    assert!(metrics.contains("tidemill_source_errors_total"), "{metrics}");
}

#[test]
fn a_broken_version_is_reported_and_the_old_one_serves() {
    let packages = Packages::new();
    let (good, broken) = (packages.taxi(0.0), packages.broken());
    let (server, source) = Running::of(vec![servable(MODEL, 1, &good, &["live"])]);
    let before = prediction(&server, PREDICT);
    source.set(vec![servable(MODEL, 2, &broken, &["live"])]);
    under_load(&server, PREDICT, |answered| {
        server.poll();
        let_pass(answered, 20);
        server.poll();
    });
    assert_eq!(prediction(&server, PREDICT), before);
    assert_eq!(prediction(&server, "/v1/models/taxi/labels/live:predict"), before);
    let (_, status) = server.get("/v1/models/taxi");
    let versions = status["model_version_status"].as_array().unwrap();
    assert_eq!((&versions[0]["version"], &versions[0]["state"]), (&json!("2"), &json!("END")));
    let message = versions[0]["status"]["error_message"].as_str().unwrap();
    assert!(message.contains("learner.bin"), "{message}");
    assert_eq!(versions[0]["status"]["error_code"], "UNKNOWN");
    assert_eq!((&versions[1]["version"], &versions[1]["state"]), (&json!("1"), &json!("AVAILABLE")));
    assert_eq!(server.post("/v1/models/taxi/versions/2:predict", BODY).0, 404);
    assert_eq!(server.post("/v2/models/taxi/versions/2/infer", "{}").0, 503);
    assert_eq!(server.get("/v2/models/taxi/versions/2/ready").0, 503);
}

#[test]
fn a_package_that_does_not_reproduce_its_sample_never_answers() {
    let packages = Packages::new();
    let path = packages.taxi(0.0);
    // Another prediction under a manifest that vouches for it: only the replay can tell.
    let mut manifest: Value = serde_json::from_slice(&std::fs::read(path.join("model.json")).unwrap()).unwrap();
    let sample = std::fs::read_to_string(path.join("sample.json")).unwrap();
    let altered = sample.replacen("\"prediction\": 0.", "\"prediction\": 0.0", 1);
    assert_ne!(altered, sample);
    std::fs::write(path.join("sample.json"), &altered).unwrap();
    manifest["files"]["sample.json"] =
        json!({ "digest": blake3::hash(altered.as_bytes()).to_hex().to_string(), "bytes": altered.len() });
    std::fs::write(path.join("model.json"), serde_json::to_vec(&manifest).unwrap()).unwrap();
    let (server, _) = Running::of(vec![servable(MODEL, 1, &path, &[])]);
    assert_eq!(server.get("/readyz"), (503, json!({ "ready": false })));
    assert_eq!(server.post(PREDICT, BODY).0, 404);
    let error = server.handle.models()[0].versions[0].error.clone().unwrap();
    assert!(error.contains("was recorded at training time"), "{error}");
}

#[test]
fn a_label_moves_in_one_step_between_served_versions() {
    let packages = Packages::new();
    let (one, two) = (packages.taxi(0.0), packages.taxi(3.0));
    let list = |one_labels: &[&str], two_labels: &[&str]| {
        vec![servable(MODEL, 1, &one, one_labels), servable(MODEL, 2, &two, two_labels)]
    };
    let (server, source) = Running::of(list(&["champion"], &["challenger"]));
    let champion = "/v1/models/taxi/labels/champion:predict";
    let (first, second) = (
        prediction(&server, "/v1/models/taxi/versions/1:predict"),
        prediction(&server, "/v1/models/taxi/versions/2:predict"),
    );
    assert_eq!(prediction(&server, champion), first);
    under_load(&server, champion, |answered| {
        for _ in 0..10 {
            source.set(list(&[], &["champion"]));
            server.poll();
            assert_eq!(prediction(&server, champion), second);
            source.set(list(&["champion"], &[]));
            server.poll();
            assert_eq!(prediction(&server, champion), first);
            let_pass(answered, 10);
        }
    });
    assert_eq!(server.post("/v1/models/taxi/labels/challenger:predict", BODY).0, 400);
}

#[test]
fn readiness_and_liveness() {
    let packages = Packages::new();
    let (server, source) = Running::of(vec![servable(MODEL, 1, &packages.broken(), &[])]);
    assert_eq!(server.get("/livez"), (200, json!({ "live": true })));
    assert_eq!(server.get("/readyz"), (503, json!({ "ready": false })));
    assert_eq!(server.get("/v2/health/ready"), (503, json!({ "ready": false })));
    assert_eq!(server.get("/v2/models/taxi/ready"), (503, json!({ "name": "taxi", "ready": false })));
    source.set(vec![servable(MODEL, 2, &packages.taxi(0.0), &[])]);
    server.poll();
    server.runtime.block_on(server.handle.ready());
    assert_eq!(server.get("/readyz"), (200, json!({ "ready": true })));
    source.set(vec![servable(MODEL, 2, &packages.taxi(0.0), &[]), servable("other", 1, &packages.broken(), &[])]);
    server.poll();
    assert_eq!(server.get("/readyz").0, 200, "a model added later does not take the others' readiness away");
    assert_eq!(server.get("/v2/models/other/ready").0, 503);
}

#[test]
fn clients_of_kserve_v1_see_whether_a_model_is_ready_where_that_is_said() {
    let packages = Packages::new();
    let source = StaticSource::new(vec![
        servable(MODEL, 1, &packages.taxi(0.0), &["stable"]),
        servable("other", 3, &packages.broken(), &[]),
    ]);
    let options = ServerOptions { v1: V1Dialect::Kserve, ..options() };
    let server = Running::start(options, Arc::new(source.clone()));
    let plain = Running::start(crate::support::options(), Arc::new(source));
    let (status, mut said) = server.get("/v1/models/taxi");
    assert_eq!((status, &said["name"], &said["ready"]), (200, &json!("taxi"), &json!(true)));
    let (status, other) = server.get("/v1/models/other");
    assert_eq!((status, &other["ready"]), (503, &json!(false)));
    assert_eq!(other["model_version_status"], plain.get("/v1/models/other").1["model_version_status"]);
    assert_eq!(server.get("/v1/models/taxi/labels/stable").1["ready"], true);
    assert_eq!(server.get("/v1/models/nobody").0, 404);
    assert_eq!(server.get("/v1/models"), (200, json!({ "models": ["other", "taxi"] })));

    // Without, there is what TF Serving says and no more: its clients may refuse a key that they do not know.
    for key in ["name", "ready"] {
        said.as_object_mut().unwrap().remove(key);
    }
    assert_eq!(plain.get("/v1/models/taxi"), (200, said));
    assert_eq!(plain.get("/v1/models/other").0, 200);
    assert_eq!(plain.get("/v1/models").0, 400);
}

#[test]
fn requests_are_counted_by_model_and_unknown_names_make_no_series() {
    let packages = Packages::new();
    let (server, _) = Running::of(vec![servable(MODEL, 1, &packages.taxi(0.0), &[])]);
    let (other, _) = Running::of(vec![]);
    server.post(PREDICT, BODY);
    server.post(PREDICT, "{");
    server.post("/v1/models/nobody:predict", BODY);
    other.get("/livez");
    let text =
        |server: &Running| agent().get(server.url("/metrics")).call().unwrap().body_mut().read_to_string().unwrap();
    let metrics = text(&server);
    for line in [
        r#":tensorflow:serving:request_count{model_name="taxi",status="OK"} 1"#,
        r#":tensorflow:serving:request_count{model_name="taxi",status="INVALID_ARGUMENT"} 1"#,
        r#":tensorflow:serving:request_count{model_name="",status="NOT_FOUND"} 1"#,
        r#"tidemill_requests_total{model="taxi",operation="predict",status="4xx"} 1"#,
        r#"tidemill_model_loads_total{model="taxi",outcome="ok"} 1"#,
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    assert!(!metrics.contains("nobody") && !text(&other).contains("taxi"));
}

#[test]
fn a_port_in_use_is_said_plainly() {
    let (server, _) = Running::of(vec![]);
    let mut options = options();
    options.rest_addr = server.handle.local_addr();
    let result = server.runtime.block_on(Server::bind(options, Arc::new(StaticSource::default())));
    let error = result.err().expect("the port is taken");
    assert_eq!(error.code(), Code::PortInUse);
    assert!(error.to_string().contains(&server.handle.local_addr().port().to_string()), "{error}");
}

#[test]
fn a_request_that_has_begun_is_answered_before_the_server_ends() {
    let packages = Packages::new();
    let (server, _) = Running::of(vec![servable(MODEL, 1, &packages.taxi(0.0), &[])]);
    let address = server.handle.local_addr();
    let mut stream = TcpStream::connect(address).unwrap();
    let length = BODY.len();
    write!(
        stream,
        "POST {PREDICT} HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n"
    )
    .unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    let ending = std::thread::spawn(move || drop(server));
    while TcpStream::connect(address).is_ok() {
        std::thread::yield_now();
    }
    stream.write_all(BODY.as_bytes()).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 200 OK"), "{reply}");
    ending.join().unwrap();
}

#[test]
fn broken_http_and_clients_that_leave_do_no_harm() {
    let packages = Packages::new();
    let (server, _) = Running::of(vec![servable(MODEL, 1, &packages.taxi(0.0), &[])]);
    for bytes in [
        &b"\x00\xff\x16\x03\x01"[..],
        b"GET\r\n\r\n",
        b"POST /v1/models/taxi:predict HTTP/1.1\r\ncontent-length: 99999999999999999999\r\n\r\n",
        b"POST /v1/models/taxi:predict HTTP/1.1\r\ncontent-length: 100\r\n\r\n{\"instances\"",
        b"POST /v1/models/taxi:predict HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\xff",
    ] {
        let mut stream = TcpStream::connect(server.handle.local_addr()).unwrap();
        stream.write_all(bytes).unwrap();
        drop(stream);
        assert_eq!(server.post(PREDICT, BODY).0, 200);
    }
}
