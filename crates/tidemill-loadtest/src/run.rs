//! Sends requests and measures the responses.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::connection::{Connection, Reply, failure};
use crate::grpc::code_name;
use crate::measure::{Measured, Recorder, is_ok};
use crate::pace::{Due, Pace};
use crate::{LoadError, Requests, Target};

/// How long requests may still wait for a connection after the last one is due.
const GRACE: Duration = Duration::from_secs(2);
/// Pause before reconnecting after a connection broke.
const RECONNECT_PAUSE: Duration = Duration::from_millis(20);
/// How much of a response is shown.
const ANSWER_CHARS: usize = 300;

/// How fast requests are sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// This many per second, whatever the server does.
    PerSecond(f64),
    /// Each connection sends when it has its response: as fast as they can. Latency is then that of a waiting client.
    Max,
}

/// How much load.
#[derive(Debug, Clone, PartialEq)]
pub struct Load {
    /// How fast requests are sent.
    pub rate: Rate,
    /// How long to measure.
    pub duration: Duration,
    /// How long to send load before measuring.
    pub warmup: Duration,
    /// Connections, each with one request at a time.
    pub connections: usize,
    /// A request without a response for this long has failed.
    pub timeout: Duration,
}

/// Progress of a running load, and a way to stop it.
#[derive(Debug, Default)]
pub struct LoadProgress {
    ok: AtomicU64,
    failed: AtomicU64,
    stopped: AtomicBool,
}

impl LoadProgress {
    /// Successful responses and failures so far, over all loads it was passed to.
    pub fn counts(&self) -> (u64, u64) {
        (self.ok.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed))
    }

    /// Stops the load early; it returns what was measured until then.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Whether the load was stopped.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

/// Sends one request and returns the beginning of the response; an error unless it is a success.
pub async fn try_request(target: &Target, requests: &Requests, timeout: Duration) -> Result<String, LoadError> {
    let ask = async {
        let mut connection = Connection::open(target, &requests.content_type).await?;
        connection.post(requests.body(0)).await.map_err(|error| crate::error::unreachable(&target.authority, error))
    };
    let slow = |_| crate::error::unreachable(&target.authority, format!("no answer within {timeout:?}"));
    let reply = tokio::time::timeout(timeout, ask).await.map_err(slow)??;
    if reply.status / 100 == 2 && reply.grpc.as_ref().is_none_or(|status| status.code == 0) {
        return Ok(excerpt(&reply));
    }
    Err(refused(target, &reply))
}

/// The error for a response that is not a success.
pub(crate) fn refused(target: &Target, reply: &Reply) -> LoadError {
    let (status, answer) = match &reply.grpc {
        Some(status) => (code_name(status.code).to_owned(), status.message.clone()),
        None => (reply.status.to_string(), excerpt(reply)),
    };
    LoadError::Refused { server: target.authority.clone(), status, answer }
}

fn excerpt(reply: &Reply) -> String {
    let text = String::from_utf8_lossy(&reply.body);
    let cut: String = text.chars().take(ANSWER_CHARS).collect();
    cut.trim().to_owned()
}

/// Sends the load to the target.
///
/// Returns an error if no connection can be opened at the start; later failures are counted.
pub async fn run(
    target: &Target,
    requests: &Arc<Requests>,
    load: &Load,
    watch: &Arc<LoadProgress>,
) -> Result<Measured, LoadError> {
    let rate = check(load)?;
    let pace = Arc::new(Pace::new(rate, load.warmup + load.duration));
    let mut opening = JoinSet::new();
    for _ in 0..load.connections {
        let (target, requests) = (target.clone(), Arc::clone(requests));
        opening.spawn(async move { Connection::open(&target, &requests.content_type).await });
    }
    let connections: Vec<Connection> = opening.join_all().await.into_iter().collect::<Result<_, _>>()?;
    let start = pace.start() + load.warmup;
    let releaser = {
        let pace = Arc::clone(&pace);
        tokio::task::spawn_blocking(move || pace.release())
    };
    let mut workers = JoinSet::new();
    for connection in connections {
        let worker = Worker {
            target: target.clone(),
            requests: Arc::clone(requests),
            pace: Arc::clone(&pace),
            watch: Arc::clone(watch),
            timeout: load.timeout,
            measured_from: start,
            recorder: Recorder::new(),
            last: start,
        };
        workers.spawn(worker.work(connection));
    }
    let mut total = Recorder::new();
    let mut last = start;
    let deadline = pace.end() + GRACE.min(load.timeout);
    loop {
        // Every request has a time limit, so workers end soon after the pace does.
        let joined = tokio::time::timeout(Duration::from_millis(50), workers.join_next()).await;
        match joined {
            Ok(None) => break,
            Ok(Some(Ok((recorder, ended)))) => {
                total.merge(&recorder);
                last = last.max(ended);
            }
            Ok(Some(Err(_))) | Err(_) => {}
        }
        if watch.is_stopped() || Instant::now() >= deadline {
            pace.close();
        }
    }
    // It ends with the pace, and cannot fail.
    let _ = releaser.await;
    let now = Instant::now();
    let mut unsent = 0;
    for due in pace.left().filter(|due| *due >= start && *due <= now) {
        total.unsent(now - due);
        unsent += 1;
    }
    let end = if watch.is_stopped() { last } else { last.max(pace.end()) };
    Ok(total.finish(rate, unsent, end.saturating_duration_since(start), requests.rows_each))
}

fn check(load: &Load) -> Result<Option<f64>, LoadError> {
    let refuse = |reason: &str| Err(LoadError::Setting { reason: reason.to_owned() });
    if load.connections == 0 || load.connections > 65_536 {
        return refuse("a load needs between 1 and 65,536 connections");
    }
    if load.duration.is_zero() || load.timeout.is_zero() {
        return refuse("a load needs some time");
    }
    match load.rate {
        Rate::Max => Ok(None),
        Rate::PerSecond(rate) if rate > 0.0 && rate <= 1e7 => Ok(Some(rate)),
        Rate::PerSecond(_) => refuse("a rate lies above 0 and at most at 10,000,000 requests a second"),
    }
}

struct Worker {
    target: Target,
    requests: Arc<Requests>,
    pace: Arc<Pace>,
    watch: Arc<LoadProgress>,
    timeout: Duration,
    measured_from: Instant,
    recorder: Recorder,
    last: Instant,
}

impl Worker {
    async fn work(mut self, connection: Connection) -> (Recorder, Instant) {
        let mut connection = Some(connection);
        while let Some(due) = self.pace.next().await {
            let sent = Instant::now();
            let kept = tokio::time::timeout(self.timeout, self.send(&mut connection, due, sent)).await;
            if kept.is_err() {
                // The late response may still arrive on this connection, so it cannot be used again.
                connection = None;
                self.failed(due, "timeout");
            }
        }
        (self.recorder, self.last)
    }

    async fn send(&mut self, slot: &mut Option<Connection>, due: Due, sent: Instant) {
        let mut connection = match slot.take().filter(|connection| !connection.is_closed()) {
            Some(connection) => connection,
            None => match Connection::open(&self.target, &self.requests.content_type).await {
                Ok(connection) => connection,
                Err(error) => {
                    self.failed(due, failure(&error.into()));
                    return tokio::time::sleep(RECONNECT_PAUSE).await;
                }
            },
        };
        let body = self.requests.body(due.index);
        let bytes = body.len();
        match connection.load(body).await {
            Ok(outcome) => {
                let now = Instant::now();
                *slot = Some(connection);
                let counter = if is_ok(outcome) { &self.watch.ok } else { &self.watch.failed };
                counter.fetch_add(1, Ordering::Relaxed);
                if due.at >= self.measured_from {
                    self.last = now;
                    self.recorder.record_response(outcome, bytes, now - due.at, now - sent);
                }
            }
            Err(error) => self.failed(due, failure(&error)),
        }
    }

    fn failed(&mut self, due: Due, reason: &'static str) {
        self.watch.failed.fetch_add(1, Ordering::Relaxed);
        if due.at >= self.measured_from {
            self.last = Instant::now();
            self.recorder.failed(reason);
        }
    }
}
