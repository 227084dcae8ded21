//! The review queue: the predictions whose truth is worth a person's time.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::book::LabelBook;
use super::join::Rows;
use crate::MonitorError;
use crate::config::LabelSpec;
use crate::log::{InferenceLog, Micros, TIME_COLUMN, rfc3339};

/// A prediction to be judged by a person.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReviewItem {
    /// The name of the request.
    pub request_id: String,
    /// The row in it.
    pub row: u64,
    /// When.
    pub time: String,
    /// The version that answered.
    pub version: u64,
    /// Its answer.
    pub answer: f64,
    /// Why it is here: `labels disagree`, `uncertain`.
    pub reason: &'static str,
    #[serde(skip)]
    order: (u8, f64),
}

/// The predictions since `from` without a decision, at most `limit`: those whose labels disagree first, then the least
/// certain, with answers nearest to `threshold`.
pub fn review_queue(
    log: &InferenceLog,
    book: &LabelBook,
    spec: &LabelSpec,
    (answer, threshold): (&str, f64),
    from: Micros,
    limit: usize,
) -> Result<Vec<ReviewItem>, MonitorError> {
    let by_request = LabelSpec { keys: Vec::new(), ..spec.clone() };
    let columns: BTreeSet<String> = [TIME_COLUMN, "_version", "_request_id", "_row", answer].map(str::to_owned).into();
    let mut items: Vec<ReviewItem> = Vec::new();
    for file in log.files()? {
        if file.range.is_some_and(|(_, last)| last < from) {
            continue;
        }
        if std::fs::metadata(&file.path).map_err(MonitorError::io(&file.path))?.len() == 0 {
            continue;
        }
        for batch in file.read_present(None, &columns)? {
            let batch = batch?;
            let rows = Rows::of(&batch, answer, &by_request, &file)?;
            for row in 0..batch.num_rows() {
                let Some((time, version, found, key)) = rows.get(row).filter(|(time, ..)| *time >= from) else {
                    continue;
                };
                let labels = book.of(&key);
                if labels.iter().any(|label| label.review) {
                    continue;
                }
                let disagree = labels.windows(2).any(|pair| pair[0].value != pair[1].value);
                if !disagree && !labels.is_empty() {
                    continue;
                }
                let (reason, order) = if disagree { ("labels disagree", 0) } else { ("uncertain", 1) };
                let Some((id, number)) = key.split_once('\u{1f}') else { continue };
                items.push(ReviewItem {
                    request_id: id.to_owned(),
                    row: number.parse().unwrap_or(0),
                    time: rfc3339(time),
                    version,
                    answer: found,
                    reason,
                    order: (order, (found - threshold).abs()),
                });
            }
            // Bounded memory: only the first places can be in the result.
            if items.len() > 20 * limit.max(1000) {
                sort(&mut items);
                items.truncate(limit);
            }
        }
    }
    sort(&mut items);
    items.truncate(limit);
    Ok(items)
}

fn sort(items: &mut [ReviewItem]) {
    items.sort_by(|a, b| {
        let keys = a.order.0.cmp(&b.order.0).then(a.order.1.total_cmp(&b.order.1));
        keys.then_with(|| (&a.time, &a.request_id, a.row).cmp(&(&b.time, &b.request_id, b.row)))
    });
}

/// How far people agree.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Agreement {
    /// Predictions that more than one person labelled.
    pub judged_twice: u64,
    /// Those on which all agree.
    pub agreed: u64,
    /// Labels by who gave them.
    pub by_actor: BTreeMap<String, u64>,
}

/// How far the people agree whose labels are in a book.
pub fn agreement(book: &LabelBook) -> Agreement {
    let mut found = Agreement { by_actor: book.actors(), ..Agreement::default() };
    for key in book.keys() {
        let labels = book.of(key);
        // Each person's last word.
        let last: BTreeMap<&Option<String>, f64> = labels.iter().map(|label| (&label.actor, label.value)).collect();
        if last.len() > 1 {
            found.judged_twice += 1;
            let mut values = last.values();
            let first = values.next();
            found.agreed += u64::from(values.all(|value| Some(value) == first));
        }
    }
    found
}
