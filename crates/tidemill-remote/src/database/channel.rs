//! From asynchronous work to a caller that waits, a few items ahead of it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use tokio::sync::Semaphore;

/// The end that gives. Waiting for room takes no thread.
pub(super) struct Feed<T> {
    room: Arc<Semaphore>,
    to: Sender<T>,
}

/// The end that takes, from any thread. The feed stops when it is dropped.
pub(super) struct Drain<T> {
    room: Arc<Semaphore>,
    from: Receiver<T>,
}

/// Two ends with at most `ahead` items between them.
pub(super) fn feed<T>(ahead: usize) -> (Feed<T>, Drain<T>) {
    let room = Arc::new(Semaphore::new(ahead));
    let (to, from) = channel();
    (Feed { room: room.clone(), to }, Drain { room, from })
}

impl<T> Feed<T> {
    /// Gives an item once there is room; false when nobody takes any more.
    pub(super) async fn give(&self, item: T) -> bool {
        match self.room.acquire().await {
            Ok(permit) => {
                permit.forget();
                self.to.send(item).is_ok()
            }
            Err(_) => false,
        }
    }
}

impl<T> Iterator for Drain<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let item = self.from.recv().ok()?;
        self.room.add_permits(1);
        Some(item)
    }
}

impl<T> Drop for Drain<T> {
    fn drop(&mut self) {
        self.room.close();
    }
}
