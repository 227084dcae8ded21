//! Requests that run together: the same answers, bounded queues, work only for those who still wait.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::{MODEL, Packages, Running, agent, options, servable};
use tidemill_serving::{Batching, BatchingOptions, ServerOptions, StaticSource};

const PREDICT: &str = "/v1/models/taxi:predict";

fn started(batching: BatchingOptions, request_timeout: Duration) -> Running {
    let packages = Packages::new();
    let options = ServerOptions { batching, request_timeout, ..options() };
    Running::start(options, Arc::new(StaticSource::new(vec![servable(MODEL, 1, &packages.taxi(0.0), &[])])))
}

fn fixed() -> BatchingOptions {
    BatchingOptions { mode: Batching::Fixed, ..BatchingOptions::default() }
}

fn body(fare: f64) -> String {
    format!(r#"{{"instances":[{{"fare":{fare:?},"seconds":600,"company":"Flash"}},{{"fare":1.5,"seconds":60}}]}}"#)
}

fn metrics(server: &Running) -> String {
    agent().get(server.url("/metrics")).call().unwrap().body_mut().read_to_string().unwrap()
}

/// The value of the series whose line begins with `series`.
fn metric(text: &str, series: &str) -> f64 {
    let line =
        text.lines().find(|line| line.starts_with(series)).unwrap_or_else(|| panic!("{series} is not in\n{text}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn each_gets_its_own_answer_out_of_a_common_batch() {
    let batching = BatchingOptions {
        batch_rows_max: Some(32),
        queue_delay_max: Some(Duration::from_millis(5)),
        threads: Some(2),
        batches_waiting_max: Some(100),
        ..fixed()
    };
    let server = started(batching, Duration::from_secs(30));
    let alone = started(BatchingOptions { mode: Batching::Off, ..BatchingOptions::default() }, Duration::from_secs(30));
    std::thread::scope(|scope| {
        for client in 0..8 {
            let (server, alone) = (&server, &alone);
            scope.spawn(move || {
                for request in 0..12 {
                    let body = body(f64::from(client * 12 + request) / 7.0);
                    assert_eq!(server.post(PREDICT, &body), alone.post(PREDICT, &body));
                }
            });
        }
    });
    // A request that is wrong is told so and spoils nothing.
    assert_eq!(server.post(PREDICT, r#"{"instances":[{"fare":1}]}"#).0, 400);
    let text = metrics(&server);
    let batches = metric(&text, r#"tidemill_batch_rows_count{model="taxi"}"#);
    assert_eq!(metric(&text, r#"tidemill_batch_rows_sum{model="taxi"}"#), 192.0);
    assert!(batches < 96.0, "some ran together: {batches} batches");
    assert_eq!(
        metric(&text, r#":tensorflow:serving:batching_session:processed_batch_size_count{model_name="taxi"}"#),
        batches
    );
    assert_eq!(metric(&text, r#"tidemill_batch_queue_duration_seconds_count{model="taxi"}"#), 96.0);
    // Trees do not gain, so of themselves they do not wait for each other.
    let adaptive = started(BatchingOptions::default(), Duration::from_secs(30));
    assert_eq!(adaptive.post(PREDICT, body(1.0)).0, 200);
    assert!(!metrics(&adaptive).contains("tidemill_batch_rows_count"));
}

#[test]
fn a_client_that_left_costs_nothing() {
    let batching = BatchingOptions {
        batch_rows_max: Some(4),
        queue_delay_max: Some(Duration::from_millis(1500)),
        batches_waiting_max: Some(1),
        ..fixed()
    };
    let server = started(batching, Duration::from_secs(30));
    // One that leaves: it waits for company, and goes.
    let mut gone = TcpStream::connect(server.handle.local_addr()).unwrap();
    let text = body(1.0);
    write!(gone, "POST {PREDICT} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{text}", text.len()).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    drop(gone);
    let started_at = Instant::now();
    assert_eq!(server.post(PREDICT, body(2.0)).0, 200);
    assert!(started_at.elapsed() >= Duration::from_secs(1), "it waited for company");
    let text = metrics(&server);
    assert_eq!(metric(&text, r#"tidemill_batch_requests_dropped_total{model="taxi",reason="gone"}"#), 1.0);
    assert_eq!(metric(&text, r#"tidemill_batch_rows_sum{model="taxi"}"#), 2.0, "the one who left was not worked for");
}

#[test]
fn who_waits_too_long_is_told_so_and_larger_requests_run_alone() {
    let batching =
        BatchingOptions { batch_rows_max: Some(3), queue_delay_max: Some(Duration::from_secs(5)), ..fixed() };
    let server = started(batching, Duration::from_millis(500));
    let (status, reply) = server.post(PREDICT, body(1.0));
    assert_eq!(status, 504, "{reply}");
    let rows = format!("{{\"instances\":[{}]}}", [r#"{"fare":1.5,"seconds":60}"#; 10].join(","));
    assert_eq!(server.post(PREDICT, rows).0, 200, "more rows than a batch has wait for nobody");
}
