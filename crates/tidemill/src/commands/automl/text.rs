//! What `automl` prints.

use std::path::Path;
use std::time::Duration;

use console::style;
use tidemill_project::{Automl, Board, BoardRow, Draft, JudgedScore};
use tidemill_tune::Direction;

use crate::commands::init::enter;
use crate::ui::{Align, Table, count, fill, micros, printable, seconds, stdout_width, trials_text};

/// What was decided before the search, in lines.
pub fn head(draft: &Draft, automl: &Automl<'_>) -> String {
    let used = draft.columns.iter().filter(|choice| choice.used).count();
    let mut lines = vec![
        ("label", format!("`{}`: {}", printable(&draft.label.column), draft.label.summary())),
        ("columns", format!("{used} of {} are features; search.yaml says why others are not", draft.columns.len())),
        ("splits", draft.split.summary()),
        ("goal", automl.metric().to_owned()),
    ];
    lines.extend(draft.warnings.iter().map(|warning| ("look at", warning.clone())));
    let line = |(head, what): (&str, String)| {
        let line = format!("  {} {what}", style(format!("{head:<10}")).bold().for_stderr());
        fill(&line, stdout_width(), 13)
    };
    lines.into_iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The leaderboard, what the winner is worth, and where to go from here.
pub fn ending(dir: &Path, board: &Board, judged: &JudgedScore, took: Duration) -> String {
    let mut text = leaderboard(board);
    text.push('\n');
    let width = stdout_width();
    let mut line = |head: &str, what: String| {
        let line = format!("  {} {what}", style(format!("{head:<10}")).bold());
        text.push_str(&format!("{}\n", fill(&line, width, 13)));
    };
    let rows = count(judged.rows);
    let interval = |(low, high): (f64, f64)| format!(" (95 % interval {low:.4} to {high:.4})");
    let of_goal = judged.interval.map(interval).unwrap_or_default();
    line("judged", format!("{} {:.4}{of_goal} on {rows} rows that no trial has read", judged.metric, judged.value));
    let trial = &judged.trial;
    if trial.metric != judged.metric {
        let guess = if trial.beats_guessing { "" } else { ", which is no better than guessing" };
        line("", format!("{} {:.4}{}{guess}", trial.metric, trial.value, interval(trial.interval)));
    }
    if !board.ended.is_empty() {
        line("search", format!("{} in {}: {}", trials_text(board.trials), seconds(took.as_secs_f64()), board.ended));
    }
    let enter = enter(dir);
    text.push_str(&format!("\nnext: {}\n", style(format!("{enter}tidemill serve")).bold()));
    text.push_str(&format!("      {}\n", style("tidemill report").bold()));
    text
}

/// What there is of a search that was stopped.
pub fn stopped(dir: &Path, board: &Board) -> String {
    let enter = enter(dir);
    format!(
        "{}\nstopped after {}; `{}` has the best so far\n\nnext: {}\n      {}\n",
        leaderboard(board),
        trials_text(board.trials),
        dir.join(tidemill_project::PIPELINE_FILE).display(),
        style("the same command goes on with the search").bold(),
        style(format!("{enter}tidemill run")).bold(),
    )
}

/// The best of each learner.
fn leaderboard(board: &Board) -> String {
    let metric = board.metric.as_str();
    let mut table = Table::new(&[
        ("learner", Align::Left),
        (metric, Align::Right),
        ("error", Align::Right),
        ("trials", Align::Right),
        ("time", Align::Right),
        ("p99", Align::Right),
    ]);
    let number = |value: f64| if value.is_finite() { format!("{value:.4}") } else { "–".to_owned() };
    let some = |value: Option<f64>, of: &dyn Fn(f64) -> String| value.map_or_else(|| "–".to_owned(), of);
    for (place, row) in board.rows.iter().enumerate() {
        let BoardRow { learner, value, standard_error, trials, seconds: took, latency_us, .. } = row;
        let name = if place == 0 { style(learner).green().to_string() } else { learner.clone() };
        table.row([
            name,
            number(*value),
            some(*standard_error, &number),
            count(*trials as u64),
            if value.is_finite() { seconds(*took) } else { "–".to_owned() },
            micros(*latency_us),
        ]);
    }
    if let Some(floor) = board.floor {
        let dash = || "–".to_owned();
        table.row([style("no columns").dim().to_string(), number(floor), dash(), dash(), dash(), dash()]);
    }
    let better = if board.direction == Direction::Minimize { "less is better" } else { "more is better" };
    let judged = if board.judged_on.is_empty() { String::new() } else { format!("{}, ", board.judged_on) };
    format!("{} {}\n{table}", style("Leaderboard").bold(), style(format!("· {judged}{better}")).dim())
}
