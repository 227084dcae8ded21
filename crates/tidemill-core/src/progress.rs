//! How a running step says how far it is.

/// Receives the progress of one step. Calls are cheap and may come from any thread.
pub trait Progress: Send + Sync {
    /// The step knows how many rows are ahead of it; called again when a new phase begins.
    fn total_rows(&self, rows: u64);
    /// `rows` more rows are done.
    fn advance(&self, rows: u64);
    /// What the step is doing now, in a few words ("round 120 of 300").
    fn phase(&self, text: &str);
}

/// Progress that nobody watches.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn total_rows(&self, _rows: u64) {}
    fn advance(&self, _rows: u64) {}
    fn phase(&self, _text: &str) {}
}
