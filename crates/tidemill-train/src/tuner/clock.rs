//! The time of one trial.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tidemill_core::CancelFlag;

/// How often the time is looked at.
const TICK: Duration = Duration::from_millis(20);
/// A trial that ends by itself when its time is over gets so much more to be judged, and a share of what it took.
const GRACE: Duration = Duration::from_secs(1);
const GRACE_SHARE: f64 = 0.2;

/// Cancels the work within a closure when `cancel` is set, or some time after `time_left` has become nothing.
///
/// Returns what the closure returns, and whether it ran out of time.
pub(super) fn within_time<T>(
    cancel: &CancelFlag,
    time_left: &(dyn Fn() -> Option<Duration> + Sync),
    work: impl FnOnce(&CancelFlag) -> T,
) -> (T, bool) {
    let own = CancelFlag::default();
    let (done, late) = (AtomicBool::new(false), AtomicBool::new(false));
    let began = Instant::now();
    let result = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut over: Option<Instant> = None;
            while !done.load(Ordering::Relaxed) {
                if cancel.is_set() {
                    own.cancel();
                }
                if time_left() == Some(Duration::ZERO) {
                    let over = *over.get_or_insert_with(Instant::now);
                    let grace = GRACE + (over - began).mul_f64(GRACE_SHARE);
                    if over.elapsed() > grace {
                        late.store(true, Ordering::Relaxed);
                        own.cancel();
                    }
                }
                std::thread::park_timeout(TICK);
            }
        });
        let result = work(&own);
        done.store(true, Ordering::Relaxed);
        watcher.thread().unpark();
        result
    });
    (result, late.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_does_not_end_is_cancelled_after_its_time() {
        let began = Instant::now();
        let limit = Duration::from_millis(100);
        let left = || Some(limit.saturating_sub(began.elapsed()));
        let ((), late) = within_time(&CancelFlag::default(), &left, |cancel| {
            while !cancel.is_set() {
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        assert!(late && began.elapsed() >= limit);
        assert_eq!(within_time(&CancelFlag::default(), &|| None, |_| 7), (7, false));
        let cancel = CancelFlag::default();
        cancel.cancel();
        let ((), late) = within_time(&cancel, &|| None, |own| {
            while !own.is_set() {
                std::thread::yield_now();
            }
        });
        assert!(!late);
    }
}
