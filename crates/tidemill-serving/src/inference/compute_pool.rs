//! Threads for work that would block other requests: a few, with a short queue before them.
//!
//! Each model version has a pool of its own, so a slow model's queue never delays another model; the operating system
//! shares the cores among them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use hyper::StatusCode;
use tokio::sync::Semaphore;

use super::request_error::RequestError;

/// Limits of a pool.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PoolOptions {
    /// How many pieces of work run at the same time.
    pub(crate) threads: usize,
    /// How many pieces of work may wait for a thread; more are rejected.
    pub(crate) waiting_max: usize,
    /// Time limit for work, waiting included.
    pub(crate) timeout: Duration,
}

/// Runs a limited number of pieces of work at one time.
#[derive(Debug)]
pub(crate) struct ComputePool {
    slots: Arc<Semaphore>,
    waiting: AtomicUsize,
    options: PoolOptions,
}

/// Whether the caller still waits for the result of a piece of work.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cancelled(Arc<AtomicBool>);

impl Cancelled {
    /// Returns an error if the caller no longer waits: the work should return it and end.
    pub(crate) fn check(&self) -> Result<(), RequestError> {
        if self.0.load(Ordering::Relaxed) {
            return Err(RequestError::new(StatusCode::GATEWAY_TIMEOUT, "the request was cancelled"));
        }
        Ok(())
    }
}

/// Cancels the work when the caller stops waiting, for whatever reason.
struct CancelOnDrop(Cancelled);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

struct QueueSlot<'a>(&'a AtomicUsize);

impl Drop for QueueSlot<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl ComputePool {
    pub(crate) fn new(options: PoolOptions) -> Self {
        let slots = Arc::new(Semaphore::new(options.threads.max(1)));
        Self { slots, waiting: AtomicUsize::new(0), options }
    }

    /// Runs `work` when a thread is free. Work is cancelled when its time is over or the caller goes away: it never
    /// starts if it is still queued, and is notified through its argument if it already runs.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Cancelled) -> Result<T, RequestError> + Send + 'static,
    ) -> Result<T, RequestError> {
        let timeout = self.options.timeout;
        let answered = tokio::time::timeout(timeout, self.run_in_turn(work)).await;
        answered.unwrap_or_else(|_| Err(late(timeout)))
    }

    async fn run_in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Cancelled) -> Result<T, RequestError> + Send + 'static,
    ) -> Result<T, RequestError> {
        let closed = |_| RequestError::internal("the threads of the server are gone");
        let slot = match Arc::clone(&self.slots).try_acquire_owned() {
            Ok(slot) => slot,
            Err(_) => {
                let waiting = self.waiting.fetch_add(1, Ordering::Relaxed);
                let _waiting = QueueSlot(&self.waiting);
                if waiting >= self.options.waiting_max {
                    let message = format!("{waiting} large requests wait for their turn: try again shortly");
                    return Err(RequestError::new(StatusCode::SERVICE_UNAVAILABLE, message));
                }
                Arc::clone(&self.slots).acquire_owned().await.map_err(closed)?
            }
        };
        let cancelled = Cancelled::default();
        let _cancel = CancelOnDrop(cancelled.clone());
        let work = move || {
            // The slot stays taken until the work has ended, even if the caller has left.
            let _slot = slot;
            cancelled.check()?;
            work(&cancelled)
        };
        let panicked = |_| RequestError::internal("answering the request panicked");
        tokio::task::spawn_blocking(work).await.map_err(panicked)?
    }

    /// Whether the pool would reject the next piece of work.
    pub(crate) fn is_full(&self) -> bool {
        self.slots.available_permits() == 0 && self.waiting.load(Ordering::Relaxed) >= self.options.waiting_max
    }
}

/// The error of a request that missed its deadline.
pub(crate) fn late(timeout: Duration) -> RequestError {
    RequestError::new(StatusCode::GATEWAY_TIMEOUT, format!("no response within {timeout:?}"))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    fn options(timeout: Duration) -> PoolOptions {
        PoolOptions { threads: 1, waiting_max: 1, timeout }
    }

    #[tokio::test]
    async fn the_queue_is_bounded_and_what_is_cancelled_in_it_is_not_done() {
        let pool = Arc::new(ComputePool::new(options(Duration::from_mins(1))));
        let (release, held) = std::sync::mpsc::channel::<()>();
        let holder = tokio::spawn({
            let pool = Arc::clone(&pool);
            async move { pool.run(move |_| Ok(held.recv().is_ok())).await }
        });
        while pool.slots.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let done = Arc::new(AtomicBool::new(false));
        let waiting = tokio::spawn({
            let (pool, done) = (Arc::clone(&pool), Arc::clone(&done));
            async move {
                let work = move |_: &Cancelled| {
                    done.store(true, Ordering::Relaxed);
                    Ok(())
                };
                pool.run(work).await
            }
        });
        while !pool.is_full() {
            tokio::task::yield_now().await;
        }
        let refused = pool.run(|_| Ok(())).await.unwrap_err();
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        release.send(()).unwrap();
        assert_eq!(holder.await.unwrap(), Ok(true));
        assert_eq!(pool.run(|_| Ok(7)).await, Ok(7));
        assert!(!done.load(Ordering::Relaxed));
    }

    #[tokio::test]
    async fn nobody_waits_for_ever() {
        let pool = ComputePool::new(options(Duration::from_millis(1)));
        let _slot = Arc::clone(&pool.slots).try_acquire_owned().unwrap();
        assert_eq!(pool.run(|_| Ok(())).await.unwrap_err().status, StatusCode::GATEWAY_TIMEOUT);
    }

    #[tokio::test]
    async fn work_that_has_begun_learns_that_nobody_waits_any_more() {
        let pool = Arc::new(ComputePool::new(options(Duration::from_mins(1))));
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let (tell, told) = tokio::sync::oneshot::channel();
        let waiting = tokio::spawn({
            let pool = Arc::clone(&pool);
            async move {
                let work = move |cancelled: &Cancelled| {
                    begun.send(()).unwrap();
                    while cancelled.check().is_ok() {
                        std::thread::yield_now();
                    }
                    tell.send(()).unwrap();
                    Ok(())
                };
                pool.run(work).await
            }
        });
        has_begun.await.unwrap();
        waiting.abort();
        told.await.unwrap();
    }
}
