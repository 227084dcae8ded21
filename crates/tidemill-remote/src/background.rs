//! Runs asynchronous clients behind blocking calls.

use std::sync::OnceLock;
use std::sync::mpsc::sync_channel;

use tidemill_core::Code;
use tidemill_data::DataError;
use tokio::runtime::{Builder, Runtime};

/// Threads that drive connections; the caller's work stays on the caller's thread.
const THREADS: usize = 2;

/// Runs `work` to its end on background threads, while the caller waits.
///
/// Callable from anywhere, including a thread of another runtime, where `block_on` would panic.
pub(crate) fn wait<T: Send + 'static>(
    work: impl Future<Output = Result<T, DataError>> + Send + 'static,
) -> Result<T, DataError> {
    let (done, result) = sync_channel(1);
    runtime()?.spawn(async move {
        // The caller has stopped waiting.
        let _ = done.send(work.await);
    });
    result.recv().unwrap_or_else(|_| Err(fault("the connection stopped unexpectedly")))
}

/// Starts `work` on the same threads.
pub(crate) fn start(work: impl Future<Output = ()> + Send + 'static) -> Result<(), DataError> {
    runtime()?.spawn(work);
    Ok(())
}

fn runtime() -> Result<&'static Runtime, DataError> {
    // Never dropped: a runtime cannot be dropped on a thread of another runtime.
    static RUNTIME: OnceLock<Option<Runtime>> = OnceLock::new();
    let start = || Builder::new_multi_thread().worker_threads(THREADS).thread_name("remote").enable_all().build().ok();
    RUNTIME.get_or_init(start).as_ref().ok_or_else(|| fault("threads for connections cannot be started"))
}

fn fault(message: &str) -> DataError {
    DataError::Outside { code: Code::Internal, message: message.to_owned(), hint: None, source: None }
}
