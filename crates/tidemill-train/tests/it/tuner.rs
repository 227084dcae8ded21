//! Searches: what is found, what a second attempt repeats, and what is refused.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use tidemill_core::{ArtifactType, CancelFlag, Code, Component, Progress};
use tidemill_train::Tuner;

use crate::support::{LABEL, Project, Step, good_trips, step};

fn found(project: &Project, out: &str) -> Value {
    serde_json::from_slice(&project.files(out)["hyperparameters.json"]).unwrap()
}

fn trials(project: &Project, out: &str) -> Vec<Value> {
    let text = String::from_utf8(project.files(out)["trials.jsonl"].clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn search(params: &Value) -> Value {
    let mut whole = json!({
        "learner": { "gradient_boosting": { "rounds": 30, "early_stopping": 5 } },
        "space": { "leaves": { "int": [2, 16], "log": true }, "learning_rate": { "float": [0.05, 0.5], "log": true } },
        "budget": 6,
        "validation": 0.3,
    });
    for (key, value) in params.as_object().unwrap() {
        whole[key] = value.clone();
    }
    whole
}

#[test]
fn a_trainer_fits_what_a_search_found() {
    let project = Project::new(&good_trips(), LABEL);
    let outcome = project.tune("tuned", &step(search(&json!({})))).unwrap();
    assert!(outcome.headline.starts_with("6 trials, validation log_loss 0."), "{}", outcome.headline);
    assert_eq!(outcome.tables[0].rows.len(), 5);
    let found = found(&project, "tuned");
    let trials = trials(&project, "tuned");
    let best = trials.iter().map(|trial| trial["value"].as_f64().unwrap()).fold(f64::INFINITY, f64::min);
    assert_eq!((found["trials"].as_u64(), found["value"].as_f64()), (Some(6), Some(best)));
    assert!(found["standard_error"].as_f64().unwrap() > 0.0);
    assert_eq!(found["learner"]["gradient_boosting"]["rounds"], 30);

    let tuned = [("hyperparameters", "tuned", ArtifactType::Hyperparameters)];
    project.train_with("model", &step(json!({ "validation": 0.3 })), &tuned).unwrap();
    let manifest: Value = serde_json::from_slice(&project.files("model")["model.json"]).unwrap();
    let params = &manifest["learner"]["params"]["gradient_boosting"];
    assert_eq!(params["leaves"], found["learner"]["gradient_boosting"]["leaves"]);
    // The same rows decide, so the model is that of the best trial.
    assert_eq!(manifest["training"]["metrics"]["validation"]["log_loss"].as_f64(), Some(best));

    // What the step says itself takes the place of what was found.
    let own = json!({ "learner": { "gradient_boosting": { "leaves": 3 } } });
    project.train_with("own", &step(own), &tuned).unwrap();
    let manifest: Value = serde_json::from_slice(&project.files("own")["model.json"]).unwrap();
    assert_eq!(manifest["learner"]["params"]["gradient_boosting"]["leaves"], 3);
    let error = project.train_with("other", &step(json!({ "learner": "linear" })), &tuned).unwrap_err();
    assert_eq!(error.message, "the search was for `gradient_boosting`, and the step fits `linear`");
    let error = project.train("none", &step(json!({}))).unwrap_err();
    assert_eq!(error.message, "nothing says what is fitted");
}

/// Cancels after so many units of progress.
struct Impatient {
    cancel: CancelFlag,
    left: AtomicU64,
}

impl Progress for Impatient {
    fn total_rows(&self, _rows: u64) {}
    fn total(&self, _amount: u64, _unit: &'static str) {}
    fn phase(&self, _text: &str) {}
    fn advance(&self, amount: u64) {
        // A finished trial; rows come in greater numbers.
        if amount == 1 && self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.cancel.cancel();
        }
    }
}

#[test]
fn a_cancelled_search_goes_on_where_it_was() {
    let whole = Project::new(&good_trips(), LABEL);
    whole.tune("tuned", &step(search(&json!({ "budget": 8 })))).unwrap();

    let project = Project::new(&good_trips(), LABEL);
    let cancel = CancelFlag::default();
    let impatient = Impatient { cancel: cancel.clone(), left: AtomicU64::new(3) };
    let params = search(&json!({ "budget": 8 }));
    let first = Step { progress: &impatient, cancel, ..step(params.clone()) };
    let error = project.tune("first", &first).unwrap_err();
    assert_eq!(error.code, Code::Canceled);
    assert!(error.hint.unwrap().starts_with("3 trials are kept, the best log_loss is 0."));

    let outcome = project.tune("second", &step(params)).unwrap();
    assert_eq!(outcome.warnings, ["3 trials of an earlier attempt were kept"]);
    let params = |project: &Project, out: &str| -> Vec<(Value, Value)> {
        trials(project, out).into_iter().map(|trial| (trial["params"].clone(), trial["value"].clone())).collect()
    };
    assert_eq!(params(&project, "second"), params(&whole, "tuned"));
}

#[test]
fn several_learners_are_searched_together_and_the_defaults_are_enough() {
    let project = Project::new(&good_trips(), LABEL);
    let params =
        json!({ "learner": ["linear", { "gradient_boosting": { "rounds": 20 } }], "budget": 14, "parallel": 2 });
    project.tune("tuned", &step(params)).unwrap();
    let learners: Vec<String> =
        trials(&project, "tuned").iter().map(|trial| trial["params"]["learner"].as_str().unwrap().to_owned()).collect();
    assert!(learners.iter().any(|name| name == "linear") && learners.iter().any(|name| name == "gradient_boosting"));
    let found = found(&project, "tuned");
    assert_eq!(found["learner"].as_object().unwrap().len(), 1);
    assert!(found["space"]["gradient_boosting"]["leaves"].is_object() && found["space"]["linear"].is_object());
    assert!(found["space"]["gradient_boosting"].get("rounds").is_none(), "it is fixed");
}

#[test]
fn mistakes_are_named_at_their_place() {
    for (params, place, message) in [
        (json!({ "learner": null }), "learner", "a search has at least one learner"),
        (json!({ "learner": "nonsense" }), "learner.nonsense", "`nonsense` is no learner"),
        (json!({ "learner": ["linear", "linear"] }), "learner.1", "`linear` is there twice"),
        (json!({ "space": { "leafs": { "int": [2, 8] } } }), "space.leafs", "unknown field `leafs`"),
        (json!({ "space": { "leaves": { "int": [1, 8] } } }), "space.leaves", "`leaves`"),
        (json!({ "space": { "leaves": { "int": [8, 2] } } }), "space.leaves.int", "is above the largest"),
        (json!({ "space": { "rounds": { "int": [8, 20] } } }), "space.rounds", "is searched, and `learner` fixes it"),
        (json!({ "budget": "soon" }), "budget", "is no time"),
        (json!({ "budget": 0 }), "budget", "at least one trial"),
        (json!({ "stop": "later" }), "stop", "`stop` is `never`"),
        (json!({ "sampler": "genetic" }), "sampler", "unknown variant"),
        (json!({ "folds": 1 }), "folds", "from 2 to 20"),
        (json!({ "repeats": 3 }), "repeats", "only cross-validation is repeated"),
        (json!({ "folds": 3, "validation": "eval" }), "folds", "`validation` names the rows"),
        (json!({ "objectives": ["latency", "latency"] }), "objectives", "there twice"),
        (json!({ "objectives": ["beauty"] }), "objectives.0", "unknown variant `beauty`"),
        (json!({ "latency_p99_ms": 0 }), "latency_p99_ms", "above 0"),
        (json!({ "owner": "me" }), "owner", "a search makes no model"),
        (json!({ "learner": { "command": { "run": ["true"] } }, "space": null }), "space", "nothing is known"),
    ] {
        let issues = Tuner.check(&search(&params));
        let first = issues.first().unwrap_or_else(|| panic!("{params} is fine"));
        assert_eq!(first.path.join("."), place, "{params}: {first}");
        assert!(first.message.contains(message), "{params}: {first}");
    }
    assert_eq!(Tuner.check(&search(&json!({ "budget": { "trials": 5, "time": "10m" }, "stop": "never" }))), []);
}

#[test]
fn a_metric_that_no_trial_has_is_said_with_those_there_are() {
    let project = Project::new(&good_trips(), LABEL);
    let error = project.tune("tuned", &step(search(&json!({ "metric": "auk" })))).unwrap_err();
    assert!(
        error.message.contains("there is no validation metric `auk`; there are `log_loss`, `auc`"),
        "{}",
        error.message
    );
}

#[test]
fn cross_validation_judges_every_row_and_an_ensemble_is_a_learner_like_any_other() {
    let project = Project::new(&good_trips(), LABEL);
    let params = json!({
        "learner": [{ "linear": {} }, { "gradient_boosting": { "rounds": 40 } }, "random_forest"],
        "space": { "random_forest": { "trees": 20, "min_leaf": { "int": [1, 40], "log": true } } },
        "budget": 9, "folds": 3, "ensemble": true, "sampler": "random",
    });
    let outcome = project.tune("tuned", &step(params.clone())).unwrap();
    let first = found(&project, "tuned");
    assert_eq!(first["judged_on"], "3 folds");
    let trials = trials(&project, "tuned");
    // The starts come first, the cheapest before others.
    let learner = |at: usize| trials[at]["params"]["learner"].as_str().unwrap().to_owned();
    assert_eq!([learner(0), learner(1), learner(2)], ["linear", "linear", "gradient_boosting"]);
    assert_eq!(trials[2]["params"]["gradient_boosting.leaves"], 31);
    let facts = &trials[2]["facts"];
    for fact in ["latency_p99_us", "learner_p99_us", "model_bytes"] {
        assert!(facts[fact].as_f64().unwrap() > 0.0, "{facts}");
    }
    assert!(first["floor"].as_f64().unwrap() > first["value"].as_f64().unwrap());
    assert!(first["ensemble"]["members"].as_array().is_some(), "{first}");
    assert_eq!(outcome.headline.contains("averaged"), first["ensemble"]["chosen"].as_bool().unwrap());
    assert_eq!(found(&project, "tuned"), {
        project.tune("again", &step(params)).unwrap();
        found(&project, "again")
    });
}

#[test]
fn what_is_good_and_small_is_on_the_front() {
    let project = Project::new(&good_trips(), LABEL);
    let params = search(&json!({ "objectives": ["size"], "budget": 8, "space": { "leaves": { "int": [2, 64] } } }));
    let outcome = project.tune("tuned", &step(params)).unwrap();
    let front = outcome.tables.iter().find(|table| table.title == "Pareto front").unwrap();
    assert!((1..=8).contains(&front.rows.len()), "{front:?}");
    let sizes: Vec<f64> = trials(&project, "tuned").iter().map(|trial| trial["also"][0].as_f64().unwrap()).collect();
    assert!(sizes.iter().any(|size| *size != sizes[0]), "{sizes:?}");
    assert_eq!(found(&project, "tuned")["pruned"], 0);
}

#[test]
fn slow_trials_do_not_win() {
    let project = Project::new(&good_trips(), LABEL);
    let params = search(&json!({ "latency_p99_ms": 1e-6, "budget": 3 }));
    let error = project.tune("slow", &step(params)).unwrap_err();
    assert!(error.message.starts_with("none of 3 trials answers within 0.000001 ms; the fastest takes "), "{error}");
    let params = search(&json!({ "latency_p99_ms": 10_000, "budget": 3 }));
    let project = Project::new(&good_trips(), LABEL);
    project.tune("quick", &step(params)).unwrap();
}

#[test]
fn a_search_keeps_its_time_however_long_a_trial_would_take() {
    let project = Project::new(&good_trips(), LABEL);
    let params = json!({
        "learner": [{ "linear": {} }, { "gradient_boosting": { "rounds": 1_000_000, "early_stopping": 0 } }],
        "budget": { "time": "2s", "trial_time": "500ms" },
    });
    let began = std::time::Instant::now();
    project.tune("tuned", &step(params)).unwrap();
    assert!(began.elapsed().as_secs_f64() < 20.0, "{:?}", began.elapsed());
    let cut = trials(&project, "tuned").into_iter().filter(|trial| trial["facts"]["ended_by"] == "time").count();
    assert!(cut > 0, "a learner with rounds ends with those that it has");
}
