//! Threads for the work that would hold up others: a few, with a short queue before them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::StatusCode;
use tokio::sync::Semaphore;

use crate::inference::request_error::RequestError;

/// Runs so many pieces of work at one time; so many more may wait, and none waits for ever.
#[derive(Debug)]
pub(crate) struct Pool {
    slots: Arc<Semaphore>,
    waiting: AtomicUsize,
    waiting_max: usize,
    timeout: Duration,
}

struct Waiting<'a>(&'a AtomicUsize);

impl Pool {
    pub(crate) fn new(threads: usize, waiting_max: usize, timeout: Duration) -> Self {
        Self { slots: Arc::new(Semaphore::new(threads.max(1))), waiting: AtomicUsize::new(0), waiting_max, timeout }
    }

    /// Runs `work` when it is its turn. Work that nobody waits for any more when its turn comes is not done.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, RequestError> + Send + 'static,
    ) -> Result<T, RequestError> {
        let answered = tokio::time::timeout(self.timeout, self.run_in_turn(work)).await;
        answered.unwrap_or_else(|_| {
            let timeout = self.timeout;
            Err(RequestError::new(StatusCode::GATEWAY_TIMEOUT, format!("there is no answer after {timeout:?}")))
        })
    }

    async fn run_in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, RequestError> + Send + 'static,
    ) -> Result<T, RequestError> {
        let closed = |_| RequestError::internal("the threads of the server are gone");
        let slot = match Arc::clone(&self.slots).try_acquire_owned() {
            Ok(slot) => slot,
            Err(_) => {
                let waiting = self.waiting.fetch_add(1, Ordering::Relaxed);
                let _waiting = Waiting(&self.waiting);
                if waiting >= self.waiting_max {
                    let message = format!("{waiting} large requests wait for their turn: try again shortly");
                    return Err(RequestError::new(StatusCode::SERVICE_UNAVAILABLE, message));
                }
                Arc::clone(&self.slots).acquire_owned().await.map_err(closed)?
            }
        };
        let work = move || {
            // Held until the work is done, also where nobody waits for it any more.
            let _slot = slot;
            work()
        };
        let panicked = |_| RequestError::internal("a fault of the server: answering the request panicked");
        tokio::task::spawn_blocking(work).await.map_err(panicked)?
    }

    /// Whether the next piece of work would be refused.
    pub(crate) fn is_full(&self) -> bool {
        self.slots.available_permits() == 0 && self.waiting.load(Ordering::Relaxed) >= self.waiting_max
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    #[tokio::test]
    async fn the_queue_is_bounded_and_what_is_cancelled_in_it_is_not_done() {
        let pool = Arc::new(Pool::new(1, 1, Duration::from_mins(1)));
        let (release, held) = std::sync::mpsc::channel::<()>();
        let holder = tokio::spawn({
            let pool = Arc::clone(&pool);
            async move { pool.run(move || Ok(held.recv().is_ok())).await }
        });
        while pool.slots.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let done = Arc::new(AtomicBool::new(false));
        let waiting = tokio::spawn({
            let (pool, done) = (Arc::clone(&pool), Arc::clone(&done));
            async move {
                let work = move || {
                    done.store(true, Ordering::Relaxed);
                    Ok(())
                };
                pool.run(work).await
            }
        });
        while !pool.is_full() {
            tokio::task::yield_now().await;
        }
        let refused = pool.run(|| Ok(())).await.unwrap_err();
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        release.send(()).unwrap();
        assert_eq!(holder.await.unwrap(), Ok(true));
        assert_eq!(pool.run(|| Ok(7)).await, Ok(7));
        assert!(!done.load(Ordering::Relaxed));
    }

    #[tokio::test]
    async fn nobody_waits_for_ever() {
        let pool = Pool::new(1, 1, Duration::from_millis(1));
        let _slot = Arc::clone(&pool.slots).try_acquire_owned().unwrap();
        assert_eq!(pool.run(|| Ok(())).await.unwrap_err().status, StatusCode::GATEWAY_TIMEOUT);
    }
}
