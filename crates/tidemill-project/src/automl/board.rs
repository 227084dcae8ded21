//! What the trials of a search came to, learner by learner.

use serde::Serialize;
use serde_json::{Map, Value, json};
use tidemill_core::{ComponentError, Failure};
use tidemill_train::{Hyperparameters, learner_of, read_trials};
use tidemill_tune::{Direction, Trial, TrialState};

/// The learner whose rounds are known after a trial.
const BOOSTING: &str = "gradient_boosting";

/// What the trials of a search came to.
#[derive(Debug, Clone, Serialize)]
pub struct Board {
    /// What was made as good as possible.
    pub metric: String,
    /// Which values are better.
    pub direction: Direction,
    /// How trials were judged, where it is known.
    pub judged_on: String,
    /// Why the search ended.
    pub ended: String,
    /// How many trials there were.
    pub trials: usize,
    /// How many of them failed.
    pub failed: usize,
    /// The best of each learner, and of all together, best first.
    pub rows: Vec<BoardRow>,
    /// The metric of a model that knows no column.
    pub floor: Option<f64>,
    /// The learner that won, with its parameters.
    pub winner: Map<String, Value>,
}

/// A line of the leaderboard.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BoardRow {
    /// The learner.
    pub learner: String,
    /// Its best trial; none of the ensemble.
    pub trial: Option<u64>,
    /// The metric on the rows that trials were compared on.
    pub value: f64,
    /// Its standard error.
    pub standard_error: Option<f64>,
    /// Seconds of the trial.
    pub seconds: f64,
    /// What a row takes at the 99th percentile, in microseconds.
    pub latency_us: Option<f64>,
    /// Trials of this learner; members of the ensemble.
    pub trials: usize,
}

impl Board {
    /// The board of a search that has ended, from its artifact.
    pub fn read(dir: &std::path::Path) -> Result<Self, Failure> {
        let broken = |error: ComponentError| Failure::new(error.code, error.message);
        let found = Hyperparameters::read(dir).map_err(broken)?;
        let trials = read_trials(dir).map_err(broken)?;
        let mut board = Self::of(&found.metric, found.direction, &trials);
        board.judged_on.clone_from(&found.judged_on);
        board.ended.clone_from(&found.ended);
        board.floor = found.floor;
        board.winner = winner(&found, &trials);
        if let Some(ensemble) = found.ensemble.as_ref().filter(|ensemble| ensemble.chosen) {
            let members = ensemble.members.iter();
            let of_members: Vec<&Trial> =
                members.filter_map(|(number, _)| trials.iter().find(|trial| trial.number == *number)).collect();
            let latency: Option<f64> = of_members.iter().map(|trial| fact(trial, "learner_p99_us")).sum();
            let features = of_members
                .first()
                .and_then(|trial| Some(fact(trial, "latency_p99_us")? - fact(trial, "learner_p99_us")?));
            board.rows.insert(
                0,
                BoardRow {
                    learner: "ensemble".to_owned(),
                    trial: None,
                    value: ensemble.value,
                    standard_error: ensemble.standard_error,
                    seconds: of_members.iter().map(|trial| trial.seconds).sum(),
                    latency_us: latency.zip(features).map(|(latency, features)| latency + features),
                    trials: of_members.len(),
                },
            );
        }
        Ok(board)
    }

    /// The board of trials so far.
    pub fn of(metric: &str, direction: Direction, trials: &[Trial]) -> Self {
        let mut rows: Vec<BoardRow> = Vec::new();
        for trial in trials {
            let learner = name_of(trial);
            let place = rows.iter().position(|row| row.learner == learner);
            let at = place.unwrap_or_else(|| {
                rows.push(BoardRow {
                    learner,
                    trial: None,
                    value: f64::NAN,
                    standard_error: None,
                    seconds: 0.0,
                    latency_us: None,
                    trials: 0,
                });
                rows.len() - 1
            });
            let row = &mut rows[at];
            row.trials += 1;
            if let Some(value) =
                trial.result().filter(|value| row.value.is_nan() || direction.is_better(*value, row.value))
            {
                row.trial = Some(trial.number);
                row.value = value;
                row.standard_error = trial.noise;
                row.seconds = trial.seconds;
                row.latency_us = fact(trial, "latency_p99_us");
            }
        }
        let loss = |row: &BoardRow| if row.value.is_nan() { f64::INFINITY } else { direction.loss(row.value) };
        rows.sort_by(|a, b| loss(a).total_cmp(&loss(b)));
        let best = rows.first().and_then(|row| row.trial);
        let winner = trials.iter().find(|trial| Some(trial.number) == best).map(with_rounds);
        Self {
            metric: metric.to_owned(),
            direction,
            judged_on: String::new(),
            ended: String::new(),
            trials: trials.len(),
            failed: trials.iter().filter(|trial| trial.state == TrialState::Failed).count(),
            rows,
            floor: None,
            winner: winner.unwrap_or_default(),
        }
    }

    /// The winner's line.
    pub fn first(&self) -> Option<&BoardRow> {
        self.rows.first().filter(|row| row.value.is_finite())
    }

    /// What is known of the winner, for the pipeline file.
    pub(super) fn about_winner(&self) -> Vec<String> {
        let Some(first) = self.first() else { return Vec::new() };
        let error = first.standard_error.map_or_else(String::new, |error| format!(" ± {error:.4}"));
        let which = match first.trial {
            Some(number) => format!("trial {} of {}", number + 1, self.trials),
            None => format!("{} of {} trials together", first.trials, self.trials),
        };
        let judged = if self.judged_on.is_empty() { String::new() } else { format!(" in {}", self.judged_on) };
        let mut lines =
            vec![format!("found by `tidemill automl`: {which}, {} {:.4}{error}{judged}", self.metric, first.value)];
        let others: Vec<String> = self
            .rows
            .iter()
            .skip(1)
            .filter(|row| row.value.is_finite())
            .map(|row| format!("{} {:.4}", row.learner, row.value))
            .collect();
        if !others.is_empty() {
            lines.push(format!("the best of others: {}", others.join(", ")));
        }
        lines
    }
}

/// The learner that a search has found, as it is fitted from now on: boosting with as many rounds as were best, so that it learns
/// from all training rows and needs none to see when to stop.
fn winner(found: &Hyperparameters, trials: &[Trial]) -> Map<String, Value> {
    let of = |number: u64| trials.iter().find(|trial| trial.number == number).map(with_rounds);
    let members = match found.ensemble.as_ref().filter(|ensemble| ensemble.chosen) {
        None => return of(found.trial).unwrap_or_else(|| found.learner.clone()),
        Some(ensemble) => &ensemble.members,
    };
    let member = |(number, count): &(u64, u32)| Some(json!({ "learner": of(*number)?, "weight": count }));
    let members: Vec<Value> = members.iter().filter_map(member).collect();
    Map::from_iter([("ensemble".to_owned(), json!({ "members": members }))])
}

/// The learner of a trial, with its best round as the last one. A trial that was cut off by its time has no best round.
fn with_rounds(trial: &Trial) -> Map<String, Value> {
    let mut learner = learner_of(&trial.params);
    let rounds =
        trial.facts.get("best_round").and_then(Value::as_u64).filter(|_| !trial.facts.contains_key("ended_by"));
    if let (Some(rounds), Some(Value::Object(params))) = (rounds, learner.get_mut(BOOSTING)) {
        params.insert("rounds".to_owned(), json!(rounds));
        params.insert("early_stopping".to_owned(), json!(0));
    }
    learner
}

fn fact(trial: &Trial, name: &str) -> Option<f64> {
    trial.facts.get(name).and_then(Value::as_f64)
}

/// The learner of a trial.
fn name_of(trial: &Trial) -> String {
    learner_of(&trial.params).keys().next().cloned().unwrap_or_default()
}
