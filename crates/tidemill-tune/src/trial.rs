//! Trials: what was tried and what came of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Params, Point};

/// Which values are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The smallest.
    Minimize,
    /// The largest.
    Maximize,
}

impl Direction {
    /// `value` as a number of which less is better.
    pub fn loss(self, value: f64) -> f64 {
        match self {
            Self::Minimize => value,
            Self::Maximize => -value,
        }
    }

    /// Whether `a` is better than `b`.
    pub fn is_better(self, a: f64, b: f64) -> bool {
        self.loss(a) < self.loss(b)
    }
}

/// What was tried and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Its number, from 0. Proposals depend on it.
    pub number: u64,
    /// The parameters.
    pub params: Params,
    /// The same as a place in the space.
    #[serde(skip)]
    pub point: Point,
    /// How it stands.
    pub state: TrialState,
    /// What was measured at the end; of a trial that was ended early, at its last step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// What else is made small, where there are several objectives.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<f64>,
    /// The standard error of the value, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<f64>,
    /// By how much it breaks the limits that a result must keep, as a share of them: 0 for one that keeps all.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub violation: f64,
    /// The values at its steps, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<(u64, f64)>,
    /// Whatever else is known of it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub facts: Map<String, Value>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Seconds that it took.
    #[serde(default)]
    pub seconds: f64,
}

/// How a trial stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialState {
    /// It has been started.
    Running,
    /// It has a value.
    Completed,
    /// It was ended early, because others were better at the same step.
    Pruned,
    /// It has no value.
    Failed,
}

impl Trial {
    /// A trial that begins.
    pub fn started(number: u64, params: Params, point: Point) -> Self {
        Self {
            number,
            params,
            point,
            state: TrialState::Running,
            value: None,
            also: Vec::new(),
            noise: None,
            violation: 0.0,
            steps: Vec::new(),
            facts: Map::new(),
            reason: None,
            seconds: 0.0,
        }
    }

    /// The value of a completed trial that keeps all limits.
    pub fn result(&self) -> Option<f64> {
        self.value.filter(|_| self.state == TrialState::Completed && self.violation <= 0.0)
    }

    /// The last step that was reported.
    pub fn last_step(&self) -> Option<(u64, f64)> {
        self.steps.last().copied()
    }
}

/// What a trial measured.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measured {
    /// The value that is made as small, or as large, as possible.
    pub value: f64,
    /// What else is made small, the same in every trial: with it the search looks for trials that no other is better than in all.
    pub also: Vec<f64>,
    /// Its standard error, where it is known.
    pub noise: Option<f64>,
    /// By how much it breaks the limits that a result must keep, as a share of them: 0 if it keeps all.
    pub violation: f64,
    /// Whatever else is worth keeping.
    pub facts: Map<String, Value>,
}

/// Why a trial has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrialError {
    /// It was asked to end at a step, because others were better there.
    Pruned,
    /// It was not done in the time that it had.
    OutOfTime,
    /// These parameters do not work. The study goes on.
    Failed(String),
    /// Nothing will work any more: the study is cancelled.
    Cancelled,
}

/// What is made as good as possible.
pub trait Objective: Sync {
    /// Measures `params`. A trial that can be watched reports its steps; when [`Steps::report`] says so, it ends with
    /// [`TrialError::Pruned`].
    fn measure(&self, params: &Params, steps: &dyn Steps) -> Result<Measured, TrialError>;

    /// Whether parameters go together; those that do not are never proposed.
    fn allows(&self, _params: &Params) -> bool {
        true
    }
}

/// Watches one trial.
pub trait Steps: Sync {
    /// Takes the value at `step`, which grows; whether the trial should end here.
    fn report(&self, step: u64, value: f64) -> bool;

    /// How long the trial may still run; `None` without a limit. A trial that is not done by then ends with
    /// [`TrialError::OutOfTime`].
    fn time_left(&self) -> Option<Duration> {
        None
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(number: &f64) -> bool {
    *number == 0.0
}
