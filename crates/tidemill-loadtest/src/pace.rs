//! Decides when requests are due.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

/// The shortest interval between two checks of the clock; requests that became due in between are released together.
const TICK: Duration = Duration::from_micros(50);

/// Hands out requests: each to one worker, when it is due.
pub(crate) struct Pace {
    /// None: due as soon as a worker takes it.
    interval: Option<Duration>,
    total: u64,
    length: Duration,
    start: OnceLock<Instant>,
    taken: AtomicU64,
    due: Semaphore,
}

/// A request to send now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) index: u64,
    pub(crate) at: Instant,
}

impl Pace {
    /// `rate` requests per second for `length`, evenly spaced; without a rate as many as the workers take.
    pub(crate) fn new(rate: Option<f64>, length: Duration) -> Self {
        let total = rate.map_or(u64::MAX, |rate| (rate * length.as_secs_f64()).round().max(1.0) as u64);
        Self {
            interval: rate.map(|rate| Duration::from_secs_f64(1.0 / rate)),
            total,
            length,
            start: OnceLock::new(),
            taken: AtomicU64::new(0),
            due: Semaphore::new(0),
        }
    }

    /// Starts the clock.
    pub(crate) fn start(&self) -> Instant {
        *self.start.get_or_init(Instant::now)
    }

    /// Returns the next request once it is due; `None` when there are no more.
    pub(crate) async fn next(&self) -> Option<Due> {
        let start = self.start();
        if self.interval.is_none() {
            let at = Instant::now();
            let index = self.taken.fetch_add(1, Ordering::Relaxed);
            return (at < start + self.length && !self.due.is_closed()).then_some(Due { index, at });
        }
        self.due.acquire().await.ok()?.forget();
        let index = self.taken.fetch_add(1, Ordering::Relaxed);
        if index + 1 >= self.total {
            self.due.close();
        }
        Some(Due { index, at: self.due_at(index) })
    }

    /// Releases requests as they become due; returns when all are released, or no worker wants more. Blocks its thread:
    /// timers of async runtimes are too coarse.
    pub(crate) fn release(&self) {
        if self.interval.is_none() {
            return;
        }
        let mut released = 0;
        while released < self.total && !self.due.is_closed() {
            let now = Instant::now();
            let mut ready = 0;
            while released + ready < self.total && self.due_at(released + ready) <= now {
                ready += 1;
            }
            if ready > 0 {
                self.due.add_permits(ready as usize);
                released += ready;
            }
            std::thread::sleep(self.due_at(released).saturating_duration_since(now).max(TICK));
        }
    }

    /// Stops handing out requests.
    pub(crate) fn close(&self) {
        self.due.close();
    }

    pub(crate) fn end(&self) -> Instant {
        self.start() + self.length
    }

    /// When the requests that no worker took were due.
    pub(crate) fn left(&self) -> impl Iterator<Item = Instant> {
        let taken = if self.interval.is_none() { self.total } else { self.taken.load(Ordering::Relaxed) };
        (taken..self.total).map(|index| self.due_at(index))
    }

    fn due_at(&self, index: u64) -> Instant {
        let interval = self.interval.unwrap_or_default().as_secs_f64();
        self.start() + Duration::from_secs_f64(interval * index as f64)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn every_request_is_handed_out_once_and_never_early() {
        let pace = Arc::new(Pace::new(Some(10_000.0), Duration::from_millis(20)));
        let start = pace.start();
        let releaser = Arc::clone(&pace);
        let thread = std::thread::spawn(move || releaser.release());
        let mut indices = Vec::new();
        while let Some(due) = pace.next().await {
            assert!(due.at <= Instant::now());
            assert!(due.at.duration_since(start) < Duration::from_millis(20));
            indices.push(due.index);
        }
        thread.join().unwrap();
        assert_eq!(indices, (0..200).collect::<Vec<_>>());
        assert_eq!(pace.left().count(), 0);
    }

    #[tokio::test]
    async fn who_gives_up_leaves_the_rest() {
        let pace = Pace::new(Some(1000.0), Duration::from_secs(1));
        pace.start();
        pace.due.add_permits(3);
        assert_eq!(pace.next().await.map(|due| due.index), Some(0));
        pace.close();
        pace.release();
        assert_eq!(pace.next().await, None);
        assert_eq!(pace.left().count(), 999);
    }

    #[tokio::test]
    async fn without_a_rate_requests_are_due_at_once() {
        let pace = Pace::new(None, Duration::from_mins(1));
        pace.release();
        assert_eq!(pace.next().await.map(|due| due.index), Some(0));
        pace.close();
        assert_eq!(pace.next().await, None);
        assert_eq!(pace.left().count(), 0);
    }
}
