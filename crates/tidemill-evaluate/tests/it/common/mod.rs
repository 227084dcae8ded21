//! Tables to evaluate.

use tidemill_evaluate::slices::{KeyColumn, SliceSpec, SliceValue};
use tidemill_evaluate::{EvaluateOptions, Evaluation, EvaluationTable, evaluate};
use tidemill_model::Task;

/// A table of scores that say something of their labels, with a column `group` of three values.
pub fn table(task: Task, rows: usize) -> EvaluationTable {
    let hash = |row: usize, salt: u64| {
        let mut x = (row as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ salt;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (x >> 11) as f64 / (1_u64 << 53) as f64
    };
    let scores: Vec<f64> = (0..rows).map(|row| hash(row, 1)).collect();
    let labels = (0..rows)
        .map(|row| match task {
            Task::Binary => f64::from(u8::from(hash(row, 2) < scores[row])),
            _ => 10.0 + 3.0 * scores[row] + hash(row, 2),
        })
        .collect();
    let values = ["a", "b", "c"].map(|value| SliceValue::Text(value.into())).into();
    let codes = (0..rows).map(|row| (row % 3) as u32).collect();
    let mut table = EvaluationTable::new(task, "eval", labels, scores);
    table.columns = vec![KeyColumn { name: "group".into(), values, codes }];
    table
}

/// The evaluation of such a table, sliced by `group`.
pub fn evaluation(task: Task, rows: usize) -> Evaluation {
    let options = EvaluateOptions { slices: vec![SliceSpec::over(["group"])], ..EvaluateOptions::default() };
    evaluate(&table(task, rows), &options).unwrap()
}
