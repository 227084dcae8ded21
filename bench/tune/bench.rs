//! Proposals for compare.py: reads a study, then a value for each line of parameters that it prints.
//!
//! ```text
//! {"space": {…}, "sampler": "tpe", "seed": 1, "trials": 100, "direction": "minimize"}
//! ```
//!
//! With `"sphere": true` it measures the sum of squares itself and prints the seconds that this took.

#![allow(clippy::print_stdout, reason = "this talks to compare.py")]

use std::io::{BufRead, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;
use tidemill_core::CancelFlag;
use tidemill_tune::{
    Budget, Direction, Measured, Objective, Params, Sampler, SamplerKind, Space, Steps, Stop, Study, StudyEvents,
    Trial, TrialError,
};

#[derive(Deserialize)]
struct Asked {
    space: Value,
    sampler: SamplerKind,
    seed: u64,
    trials: u64,
    direction: Direction,
    #[serde(default)]
    sphere: bool,
}

struct Silent;

impl StudyEvents for Silent {
    fn finished(&mut self, _: &Trial) -> Result<(), String> {
        Ok(())
    }
}

struct Conversation<I>(Mutex<I>);

impl<I: Iterator<Item = String> + Send> Objective for Conversation<I> {
    fn measure(&self, params: &Params, _: &dyn Steps) -> Result<Measured, TrialError> {
        println!("{}", serde_json::json!(params));
        std::io::stdout().flush().map_err(|_| TrialError::Cancelled)?;
        let answer = self.0.lock().map_err(|_| TrialError::Cancelled)?.next().ok_or(TrialError::Cancelled)?;
        let value = answer.trim().parse().map_err(|_| TrialError::Failed(answer))?;
        Ok(Measured { value, ..Measured::default() })
    }
}

struct Sphere;

impl Objective for Sphere {
    fn measure(&self, params: &Params, _: &dyn Steps) -> Result<Measured, TrialError> {
        let value = params.values().filter_map(Value::as_f64).map(|x| x * x).sum();
        Ok(Measured { value, ..Measured::default() })
    }
}

fn main() {
    let mut lines = std::io::BufReader::new(std::io::stdin()).lines().map_while(Result::ok);
    let first = lines.next().expect("the first line is a study");
    let asked: Asked = serde_json::from_str(&first).expect("the first line is a study");
    let study = Study {
        space: Space::parse(&asked.space).expect("the space can be read"),
        direction: asked.direction,
        sampler: Sampler { kind: asked.sampler, seed: asked.seed, startup_trials: 10 },
        halving: None,
        budget: Budget { trials: Some(asked.trials), ..Budget::default() },
        stop: Stop::Never,
        parallel: 1,
        first: Vec::new(),
        thrifty: false,
    };
    let start = Instant::now();
    let cancel = CancelFlag::default();
    let objective: &dyn Objective = if asked.sphere { &Sphere } else { &Conversation(Mutex::new(lines)) };
    let ended = study.run(objective, Vec::new(), Duration::ZERO, &cancel, &mut Silent).expect("nothing is kept");
    if asked.sphere {
        println!("{} trials in {:.3} s", ended.trials.len(), start.elapsed().as_secs_f64());
    }
}
