//! Sessions of one model: as many as run at the same time.

use std::num::NonZero;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use ort::ep::CPU;
use ort::session::Session;

use super::library::Library;

/// Sessions of one model. The wrapper of the library runs one batch at a time per session; concurrent batches each use
/// their own session with its own weights, at most as many as the cores can run.
#[derive(Debug)]
pub(super) struct Sessions {
    library: Arc<Library>,
    /// The model's bytes, for the next session.
    bytes: Vec<u8>,
    threads: NonZero<usize>,
    most: usize,
    state: Mutex<State>,
    given_back: Condvar,
}

#[derive(Debug, Default)]
struct State {
    idle: Vec<Session>,
    /// Sessions that are idle, in use or being created.
    made: usize,
}

impl Sessions {
    /// Creates the first session; each uses `threads` threads.
    pub(super) fn new(library: Arc<Library>, bytes: Vec<u8>, threads: NonZero<usize>) -> Result<Self, String> {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let most = (cores / threads).max(1);
        let sessions = Self { library, bytes, threads, most, state: Mutex::default(), given_back: Condvar::new() };
        sessions.with(|_| Ok(()))?;
        Ok(sessions)
    }

    pub(super) fn library(&self) -> &Library {
        &self.library
    }

    /// Calls `work` with a session, once one is free.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Session) -> Result<T, String>) -> Result<T, String> {
        let mut lease = self.lease();
        let session = match lease.session.take() {
            Some(session) => session,
            None => self.make().map_err(|error| error.to_string())?,
        };
        work(lease.session.insert(session))
    }

    fn lease(&self) -> Lease<'_> {
        let mut state = self.lock();
        loop {
            if let Some(session) = state.idle.pop() {
                return Lease { sessions: self, session: Some(session) };
            }
            if state.made < self.most {
                state.made += 1;
                return Lease { sessions: self, session: None };
            }
            state = self.given_back.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Creates a session that keeps no memory between batches and no busy-waiting threads.
    fn make(&self) -> ort::Result<Session> {
        Session::builder(&self.library.environment)?
            .with_execution_providers([CPU::default().with_arena_allocator(false).build()])?
            .with_memory_pattern(false)?
            .with_parallel_execution(false)?
            .with_inter_threads(1)?
            .with_intra_threads(self.threads.get())?
            .with_intra_op_spinning(false)?
            .with_deterministic_compute(true)?
            .commit_from_memory(&self.bytes)
    }
}

/// A session in use, or the right to create one.
struct Lease<'a> {
    sessions: &'a Sessions,
    session: Option<Session>,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut state = self.sessions.lock();
        match self.session.take() {
            Some(session) => state.idle.push(session),
            None => state.made -= 1,
        }
        drop(state);
        self.sessions.given_back.notify_one();
    }
}
