//! How a running step says how far it is.

/// Receives the progress of one step. Calls are cheap and may come from any thread.
pub trait Progress: Send + Sync {
    /// The step has this many rows ahead of it; called again when a new phase begins.
    fn total_rows(&self, rows: u64);
    /// The same for work that is counted in something else than rows, such as `rounds`.
    fn total(&self, amount: u64, unit: &'static str) {
        let _ = unit;
        self.total_rows(amount);
    }
    /// So many more rows, or whatever is counted, are done.
    fn advance(&self, amount: u64);
    /// What the step is doing now, in a few words ("round 120 of 300").
    fn phase(&self, text: &str);
    /// A result on the way, such as a trial of a search: an object whose `kind` says what it is. Whoever shows the step may show
    /// it.
    fn found(&self, result: &serde_json::Value) {
        let _ = result;
    }
}

/// Progress that nobody watches.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn total_rows(&self, _rows: u64) {}
    fn advance(&self, _rows: u64) {}
    fn phase(&self, _text: &str) {}
}
