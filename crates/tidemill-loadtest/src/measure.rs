//! Measurements of a load.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::connection::Outcome;
use crate::grpc::code_name;

/// The result of a load.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measured {
    /// The requested rate per second; none: as many as the connections can send.
    pub rate_asked: Option<f64>,
    /// From the first request due to the last response, without the warm-up.
    pub seconds: f64,
    /// Requests that were due.
    pub requests: u64,
    /// Requests answered successfully.
    pub ok: u64,
    /// Requests that failed, or got no response.
    pub failed: u64,
    /// Requests that were due but for which no connection became free before the end.
    pub unsent: u64,
    /// Successful responses per second.
    pub rate: f64,
    /// Rows predicted per second.
    pub rows_per_second: f64,
    /// Time from when a request was due to the end of its response: the latency of a client. Counts successful
    /// responses; requests that were never sent count with the time they waited.
    pub latency: Latency,
    /// Time from when a request was sent to the end of its response: the time of the server.
    pub answer_time: Latency,
    /// Responses by status.
    pub statuses: BTreeMap<String, u64>,
    /// Requests without a response, by reason.
    pub failures: BTreeMap<String, u64>,
    /// The histogram of latencies, ascending.
    pub histogram: Vec<HistogramBucket>,
    /// Bytes of request bodies.
    pub bytes_sent: u64,
    /// Bytes of responses.
    pub bytes_received: u64,
}

/// The distribution of a time in milliseconds; all 0 if nothing was measured.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Latency {
    /// The shortest.
    pub min_ms: f64,
    /// The mean.
    pub mean_ms: f64,
    /// Half took at most this.
    pub p50_ms: f64,
    /// Nine of ten.
    pub p90_ms: f64,
    /// 19 of 20.
    pub p95_ms: f64,
    /// 99 of 100.
    pub p99_ms: f64,
    /// 999 of 1000.
    pub p999_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

/// One bucket of a histogram.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct HistogramBucket {
    /// Its lower bound in milliseconds.
    pub from_ms: f64,
    /// Its upper bound in milliseconds.
    pub to_ms: f64,
    /// The number of values in it.
    pub count: u64,
}

/// Records the measurements of one connection.
pub(crate) struct Recorder {
    latency: Histogram<u32>,
    answer_time: Histogram<u32>,
    statuses: BTreeMap<Status, u64>,
    failures: BTreeMap<&'static str, u64>,
    bytes_sent: u64,
    bytes_received: u64,
    ok: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Status {
    Http(u16),
    Grpc(u16),
}

/// Times are kept to three digits, in microseconds.
fn histogram() -> Histogram<u32> {
    let mut histogram = Histogram::new(3).expect("three digits are within the allowed one to five");
    histogram.auto(true);
    histogram
}

impl Recorder {
    pub(crate) fn new() -> Self {
        Self {
            latency: histogram(),
            answer_time: histogram(),
            statuses: BTreeMap::new(),
            failures: BTreeMap::new(),
            bytes_sent: 0,
            bytes_received: 0,
            ok: 0,
        }
    }

    /// Records a response: `latency` after the request was due, `answer_time` after it was sent.
    pub(crate) fn record_response(&mut self, outcome: Outcome, sent: usize, latency: Duration, answer_time: Duration) {
        let status = match outcome.grpc {
            Some(code) => Status::Grpc(code),
            None => Status::Http(outcome.status),
        };
        *self.statuses.entry(status).or_default() += 1;
        self.bytes_sent += sent as u64;
        self.bytes_received += outcome.bytes;
        if is_ok(outcome) {
            self.ok += 1;
            record(&mut self.latency, latency);
            record(&mut self.answer_time, answer_time);
        }
    }

    /// Records a request without a response.
    pub(crate) fn failed(&mut self, reason: &'static str) {
        *self.failures.entry(reason).or_default() += 1;
    }

    /// Records a request that was due this long ago and never sent.
    pub(crate) fn unsent(&mut self, waited: Duration) {
        record(&mut self.latency, waited);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        // Both resize themselves, so adding cannot fail.
        let _ = self.latency.add(&other.latency);
        let _ = self.answer_time.add(&other.answer_time);
        for (status, count) in &other.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
        for (reason, count) in &other.failures {
            *self.failures.entry(reason).or_default() += count;
        }
        self.bytes_sent += other.bytes_sent;
        self.bytes_received += other.bytes_received;
        self.ok += other.ok;
    }

    pub(crate) fn finish(self, rate_asked: Option<f64>, unsent: u64, took: Duration, rows_each: usize) -> Measured {
        let seconds = took.as_secs_f64();
        let per_second = |count: u64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
        let answers: u64 = self.statuses.values().sum();
        let unanswered: u64 = self.failures.values().sum();
        Measured {
            rate_asked,
            seconds,
            requests: answers + unanswered + unsent,
            ok: self.ok,
            failed: answers - self.ok + unanswered,
            unsent,
            rate: per_second(self.ok),
            rows_per_second: per_second(self.ok) * rows_each as f64,
            latency: latency(&self.latency),
            answer_time: latency(&self.answer_time),
            statuses: self.statuses.into_iter().map(|(status, count)| (status_name(status), count)).collect(),
            failures: self.failures.into_iter().map(|(reason, count)| (reason.to_owned(), count)).collect(),
            histogram: bars(&self.latency),
            bytes_sent: self.bytes_sent,
            bytes_received: self.bytes_received,
        }
    }
}

/// Whether a response is a success.
pub(crate) fn is_ok(outcome: Outcome) -> bool {
    (200..300).contains(&outcome.status) && outcome.grpc.is_none_or(|code| code == 0)
}

fn status_name(status: Status) -> String {
    match status {
        Status::Http(status) => status.to_string(),
        Status::Grpc(code) => code_name(code).to_owned(),
    }
}

fn record(histogram: &mut Histogram<u32>, time: Duration) {
    // It grows as needed, so recording cannot fail.
    let _ = histogram.record(micros(time));
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).clamp(1, 1 << 40)
}

fn latency(histogram: &Histogram<u32>) -> Latency {
    if histogram.is_empty() {
        return Latency::default();
    }
    let at = |quantile: f64| histogram.value_at_quantile(quantile) as f64 / 1e3;
    Latency {
        min_ms: histogram.min() as f64 / 1e3,
        mean_ms: histogram.mean() / 1e3,
        p50_ms: at(0.5),
        p90_ms: at(0.9),
        p95_ms: at(0.95),
        p99_ms: at(0.99),
        p999_ms: at(0.999),
        max_ms: histogram.max() as f64 / 1e3,
    }
}

/// Buckets with bounds at 1, 1.5, 2, 3, 5 and 7 of every power of ten, from the shortest time to the longest.
fn bars(histogram: &Histogram<u32>) -> Vec<HistogramBucket> {
    if histogram.is_empty() {
        return Vec::new();
    }
    let bounds = (0..12u32).flat_map(|power| [10u64, 15, 20, 30, 50, 70].map(|step| step * 10u64.pow(power)));
    let bounds: Vec<u64> = std::iter::once(1).chain(bounds).collect();
    let bar = |pair: &[u64]| HistogramBucket { from_ms: pair[0] as f64 / 1e3, to_ms: pair[1] as f64 / 1e3, count: 0 };
    let mut bars: Vec<HistogramBucket> = bounds.windows(2).map(bar).collect();
    let last = bars.len() - 1;
    for step in histogram.iter_recorded() {
        let above = bounds.partition_point(|bound| *bound <= step.value_iterated_to());
        bars[above.saturating_sub(1).min(last)].count += step.count_since_last_iteration();
    }
    let first = bars.iter().position(|bar| bar.count > 0).unwrap_or(0);
    let last = bars.iter().rposition(|bar| bar.count > 0).unwrap_or(0);
    bars[first..=last].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK: Outcome = Outcome { status: 200, grpc: None, bytes: 10 };

    fn of_millis(times: impl IntoIterator<Item = u64>) -> Recorder {
        let mut recorder = Recorder::new();
        for time in times {
            let time = Duration::from_millis(time);
            recorder.record_response(OK, 5, time, time / 2);
        }
        recorder
    }

    #[test]
    fn percentiles_of_known_times() {
        let measured = of_millis(1..=1000).finish(Some(100.0), 0, Duration::from_secs(10), 2);
        let close = |found: f64, expected: f64| assert!((found / expected - 1.0).abs() < 2e-3, "{found} {expected}");
        close(measured.latency.p50_ms, 500.0);
        close(measured.latency.p99_ms, 990.0);
        close(measured.latency.p999_ms, 999.0);
        close(measured.latency.max_ms, 1000.0);
        close(measured.latency.mean_ms, 500.5);
        close(measured.answer_time.p50_ms, 250.0);
        assert_eq!((measured.ok, measured.rate, measured.rows_per_second), (1000, 100.0, 200.0));
        assert_eq!((measured.bytes_sent, measured.bytes_received), (5000, 10_000));
        assert_eq!(measured.histogram.iter().map(|bar| bar.count).sum::<u64>(), 1000);
    }

    #[test]
    fn merging_is_as_measuring_together() {
        let mut merged = of_millis(1..=400);
        merged.merge(&of_millis(401..=1000));
        let finish = |recorder: Recorder| recorder.finish(None, 0, Duration::from_secs(1), 1);
        assert_eq!(finish(merged), finish(of_millis(1..=1000)));
    }

    #[test]
    fn what_went_wrong_is_counted_and_keeps_out_of_the_latency() {
        let mut recorder = of_millis([10]);
        recorder.record_response(Outcome { status: 503, ..OK }, 5, Duration::from_millis(1), Duration::from_millis(1));
        recorder.record_response(
            Outcome { grpc: Some(14), ..OK },
            5,
            Duration::from_millis(1),
            Duration::from_millis(1),
        );
        recorder.failed("timeout");
        recorder.unsent(Duration::from_secs(2));
        let measured = recorder.finish(None, 1, Duration::from_secs(1), 1);
        assert_eq!((measured.requests, measured.ok, measured.failed, measured.unsent), (5, 1, 3, 1));
        let statuses: Vec<(&str, u64)> = measured.statuses.iter().map(|(name, count)| (&**name, *count)).collect();
        assert_eq!(statuses, [("200", 1), ("503", 1), ("UNAVAILABLE", 1)]);
        assert!(measured.latency.min_ms >= 9.9 && measured.latency.max_ms >= 1999.0);
        let none = Recorder::new().finish(None, 0, Duration::ZERO, 1);
        assert_eq!((none.latency, none.rate, none.histogram), (Latency::default(), 0.0, Vec::new()));
    }
}
