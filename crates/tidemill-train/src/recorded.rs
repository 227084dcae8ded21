//! For tests: tables and what other libraries make of them, recorded by `tests/recorded/record_learners.py`.

use std::path::PathBuf;

use serde_json::Value;
use tidemill_core::Task;
use tidemill_model::FeatureBlock;

/// Probabilities count as this at least: forests are often certain and wrong. The script has the same.
pub(crate) const FLOOR: f64 = 0.005;

/// A table of numbers whose rows of a number divisible by 3 are judged and whose others are learned from.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) task: Task,
    pub(crate) learned: FeatureBlock,
    pub(crate) labels: Vec<f64>,
    pub(crate) judged: FeatureBlock,
    pub(crate) judged_labels: Vec<f64>,
}

fn path(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/recorded").join(file)
}

/// What was recorded of a kind of learners.
pub(crate) fn expected(kind: &str) -> Value {
    let all: Value = serde_json::from_slice(&std::fs::read(path("expected_learners.json")).unwrap()).unwrap();
    all[kind].clone()
}

/// The table `name`: the first column is the number of the row, the last one the label.
pub(crate) fn table(name: &str) -> Table {
    let text = std::fs::read_to_string(path(&format!("{name}.csv"))).unwrap();
    let lines: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let width = lines[0].len() - 2;
    let mut classes: Vec<String> = lines.iter().map(|line| line[width + 1].to_owned()).collect();
    classes.sort();
    classes.dedup();
    let task = match name {
        "diabetes" => Task::Regression,
        "breast_cancer" => Task::Binary,
        _ => Task::MultiClass { classes: classes.clone() },
    };
    let label = |text: &str| match task {
        Task::MultiClass { .. } => classes.iter().position(|class| class == text).unwrap() as f64,
        _ => text.parse().unwrap(),
    };
    let part = |judged: bool| {
        let own: Vec<&Vec<&str>> =
            lines.iter().enumerate().filter(|(row, _)| row.is_multiple_of(3) == judged).map(|(_, line)| line).collect();
        let column = |at: usize| own.iter().map(|line| line[at + 1].parse().unwrap()).collect();
        let block = FeatureBlock { rows: own.len(), columns: (0..width).map(column).collect() };
        (block, own.iter().map(|line| label(line[width + 1])).collect())
    };
    let ((learned, labels), (judged, judged_labels)) = (part(false), part(true));
    Table { task, learned, labels, judged, judged_labels }
}

impl Table {
    /// The log-loss of predictions for the judged rows, probabilities counting as `floor` at least, or their RMSE.
    pub(crate) fn loss(&self, predicted: &[Vec<f64>], floor: f64) -> f64 {
        let likely = |p: f64| -p.clamp(floor, 1.0).ln();
        let loss = |(row, label): (usize, &f64)| match self.task {
            Task::Regression => (predicted[0][row] - label).powi(2),
            Task::Binary => likely(if *label == 1.0 { predicted[0][row] } else { 1.0 - predicted[0][row] }),
            _ => likely(predicted[*label as usize][row]),
        };
        let mean = self.judged_labels.iter().enumerate().map(loss).sum::<f64>() / self.judged.rows as f64;
        if self.task == Task::Regression { mean.sqrt() } else { mean }
    }
}

/// Fails if the losses of `found` are worse in the mean than those of another library by more than chance explains, and this share
/// of them.
pub(crate) fn assert_same_spread(what: &str, found: &[f64], theirs: &[f64], slack: f64) {
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    let error = |losses: &[f64]| {
        let centre = mean(losses);
        let squares: f64 = losses.iter().map(|loss| (loss - centre).powi(2)).sum();
        squares / (losses.len() as f64 - 1.0).max(1.0) / losses.len() as f64
    };
    let chance = 3.0 * (error(found) + error(theirs)).sqrt() + slack * mean(theirs);
    println!("{what}: {:.4}, theirs {:.4}, by chance {chance:.4}", mean(found), mean(theirs));
    assert!(mean(found) < mean(theirs) + chance, "{what}: {:.4}, not {:.4} ± {chance:.4}", mean(found), mean(theirs));
}
