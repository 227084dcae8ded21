//! A bounded channel from asynchronous work to a blocking caller.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use tokio::sync::Semaphore;

/// The sending end. Waiting for space uses no thread.
pub(super) struct ItemSender<T> {
    room: Arc<Semaphore>,
    to: Sender<T>,
}

/// The receiving end, usable on any thread. Dropping it stops the feed.
pub(super) struct ItemReceiver<T> {
    room: Arc<Semaphore>,
    from: Receiver<T>,
}

/// Creates both ends, with at most `ahead` items between them.
pub(super) fn feed<T>(ahead: usize) -> (ItemSender<T>, ItemReceiver<T>) {
    let room = Arc::new(Semaphore::new(ahead));
    let (to, from) = channel();
    (ItemSender { room: room.clone(), to }, ItemReceiver { room, from })
}

impl<T> ItemSender<T> {
    /// Sends an item once there is space; returns false if the receiver is gone.
    pub(super) async fn send(&self, item: T) -> bool {
        match self.room.acquire().await {
            Ok(permit) => {
                permit.forget();
                self.to.send(item).is_ok()
            }
            Err(_) => false,
        }
    }
}

impl<T> Iterator for ItemReceiver<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let item = self.from.recv().ok()?;
        self.room.add_permits(1);
        Some(item)
    }
}

impl<T> Drop for ItemReceiver<T> {
    fn drop(&mut self) {
        self.room.close();
    }
}
