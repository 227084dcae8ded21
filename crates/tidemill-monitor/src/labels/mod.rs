//! Ground truth: labels that come later, from files and from feedback, joined to what was predicted.

mod book;
mod feedback;
mod join;
mod review;

pub use book::{Label, LabelBook, LabelCounts};
pub use feedback::{FEEDBACK_FOLDER, append_feedback, erase_feedback, parse_feedback};
pub(crate) use join::Rows;
pub use join::{Joined, JoinedWindow, join};
pub use review::{Agreement, ReviewItem, agreement, review_queue};
