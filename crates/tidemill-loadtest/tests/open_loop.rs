//! What the load sees of servers that answer, stall, refuse and go away.

#![allow(clippy::unwrap_used, missing_docs)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tidemill_loadtest::{
    Goal, Load, LoadError, LoadProgress, Measured, Rate, Requests, Target, find_capacity, run, try_request,
};

/// A server for one connection after the other, on threads of their own; `answer` gets the number of the request and
/// gives the status, or none to hang up.
fn server(answer: impl Fn(usize) -> Option<u16> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/score", listener.local_addr().unwrap());
    let (answer, served) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (answer, served) = (Arc::clone(&answer), Arc::clone(&served));
            std::thread::spawn(move || serve(stream.unwrap(), &*answer, &served));
        }
    });
    url
}

fn serve(stream: TcpStream, answer: &dyn Fn(usize) -> Option<u16>, served: &AtomicUsize) {
    stream.set_nodelay(true).unwrap();
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        assert_eq!(body, b"{\"x\":1}");
        let Some(status) = answer(served.fetch_add(1, Ordering::Relaxed)) else { return };
        if write!(writer, "HTTP/1.1 {status} -\r\ncontent-length: 2\r\n\r\n{{}}").is_err() {
            return;
        }
    }
}

fn load(rate: Rate, millis: u64, connections: usize) -> Load {
    Load {
        rate,
        duration: Duration::from_millis(millis),
        warmup: Duration::ZERO,
        connections,
        timeout: Duration::from_secs(5),
    }
}

async fn measure(url: &str, load: &Load) -> Result<Measured, LoadError> {
    let target = Target::parse(url, None, None)?;
    run(&target, &requests(), load, &Arc::new(LoadProgress::default())).await
}

fn requests() -> Arc<Requests> {
    Arc::new(Requests::raw(json!({ "x": 1 }).to_string().into_bytes(), "application/json"))
}

#[tokio::test]
async fn every_request_that_was_due_is_sent() {
    let url = server(|_| Some(200));
    let measured = measure(&url, &load(Rate::PerSecond(400.0), 500, 4)).await.unwrap();
    assert_eq!((measured.requests, measured.ok, measured.failed, measured.unsent), (200, 200, 0, 0));
    assert_eq!(measured.statuses["200"], 200);
    assert_eq!((measured.bytes_sent, measured.bytes_received), (200 * 7, 200 * 2));
    assert!(measured.seconds >= 0.5 && measured.rate <= 400.0, "{measured:?}");
}

#[tokio::test]
async fn a_stall_is_charged_for_all_who_would_have_waited() {
    let stall = Duration::from_millis(600);
    let url = server(move |number| {
        if number == 20 {
            std::thread::sleep(stall);
        }
        Some(200)
    });
    let measured = measure(&url, &load(Rate::PerSecond(100.0), 1000, 1)).await.unwrap();
    assert_eq!(measured.ok, 100);
    // About 60 of 100 requests were due while the server slept: half of them waited for more than 300 ms. A client that
    // only times what it sends would have seen one slow request.
    assert!(measured.latency.p90_ms > 250.0, "{:?}", measured.latency);
    assert!(measured.answer_time.p90_ms < measured.latency.p90_ms, "{measured:?}");
    assert!(measured.answer_time.max_ms >= 600.0);
}

#[tokio::test]
async fn a_server_that_cannot_keep_up_leaves_requests_unsent() {
    let url = server(|_| {
        std::thread::sleep(Duration::from_millis(20));
        Some(200)
    });
    let slow = Load { timeout: Duration::from_millis(100), ..load(Rate::PerSecond(2000.0), 300, 1) };
    let measured = measure(&url, &slow).await.unwrap();
    assert_eq!(measured.requests, 600);
    assert!(measured.unsent > 500 && measured.ok + measured.failed + measured.unsent == 600, "{measured:?}");
    assert!(measured.latency.p50_ms > 100.0, "they count with the time they waited: {:?}", measured.latency);
}

#[tokio::test]
async fn errors_are_counted_and_not_timed() {
    let url = server(|number| match number % 4 {
        0 => Some(503),
        1 => None,
        _ => Some(200),
    });
    let measured = measure(&url, &load(Rate::PerSecond(200.0), 500, 2)).await.unwrap();
    assert_eq!(measured.requests, 100);
    assert!(measured.statuses["503"] > 10 && measured.statuses["200"] > 30, "{measured:?}");
    let broken: u64 = measured.failures.values().sum();
    assert!(broken > 10, "{measured:?}");
    assert_eq!(measured.failed, measured.statuses["503"] + broken);
}

#[tokio::test]
async fn a_server_that_never_answers_times_out() {
    let url = server(|_| {
        std::thread::sleep(Duration::from_secs(2));
        Some(200)
    });
    let impatient = Load { timeout: Duration::from_millis(50), ..load(Rate::PerSecond(20.0), 100, 2) };
    let measured = measure(&url, &impatient).await.unwrap();
    assert_eq!((measured.ok, measured.failures["timeout"]), (0, 2));
}

#[tokio::test]
async fn nobody_there_is_an_error_and_so_is_a_refusal() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/score", listener.local_addr().unwrap());
    drop(listener);
    let gone = measure(&url, &load(Rate::Max, 100, 1)).await;
    assert!(matches!(gone, Err(LoadError::Unreachable { .. })), "{gone:?}");
    let target = Target::parse(&server(|_| Some(418)), None, None).unwrap();
    let refused = try_request(&target, &requests(), Duration::from_secs(5)).await.unwrap_err();
    assert!(refused.to_string().ends_with("answers the first request with 418: {}"), "{refused}");
    for wrong in [load(Rate::Max, 100, 0), load(Rate::Max, 0, 1), load(Rate::PerSecond(-1.0), 100, 1)] {
        assert!(matches!(measure(&url, &wrong).await, Err(LoadError::Setting { .. })));
    }
}

#[tokio::test]
async fn the_search_finds_a_rate_that_holds() {
    let url = server(|_| {
        std::thread::sleep(Duration::from_millis(5));
        Some(200)
    });
    let target = Target::parse(&url, None, None).unwrap();
    let goal = Goal { p99_ms: 500.0, failed_max: 0.0 };
    let mut rates = Vec::new();
    let watch = Arc::new(LoadProgress::default());
    let tried = |probe: &tidemill_loadtest::Probe| rates.push(probe.measured.rate_asked);
    let found = find_capacity(&target, &requests(), &load(Rate::Max, 150, 2), goal, &watch, tried).await.unwrap();
    assert_eq!(rates.len(), found.probes.len());
    // Two connections of 5 ms each cannot carry more than 400 a second.
    assert!(found.rate_max <= 420.0 && found.rate <= found.rate_max * 1.1, "{found:?}");
    assert_eq!(found.best().and_then(|best| best.rate_asked).unwrap_or_default(), found.rate);
}
