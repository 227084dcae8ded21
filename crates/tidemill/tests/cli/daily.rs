//! The daily loop: init, check, plan, run.

use std::fs;

use serde_json::Value;

use crate::support::{Sandbox, golden};

#[test]
fn a_project_is_made_and_never_written_over() {
    let sandbox = Sandbox::empty();
    golden("init", sandbox.tidemill(&["init", "taxi"]));
    golden("init-occupied", sandbox.tidemill(&["init", "taxi"]));
}

#[test]
fn the_example_in_the_repository_is_what_init_writes() {
    let sandbox = Sandbox::empty();
    sandbox.tidemill(&["init", "taxi"]);
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/taxi");
    for file in ["pipeline.yaml", "tidemill.toml", "README.md", ".gitignore", "data/trips.csv"] {
        let written = sandbox.read(&format!("taxi/{file}"));
        let committed = fs::read_to_string(format!("{example}/{file}")).unwrap_or_default();
        assert!(written == committed, "examples/taxi/{file} differs from what `tidemill init taxi` writes");
    }
}

#[test]
fn the_main_job_from_nothing_to_a_pushed_model_and_again_from_the_cache() {
    let sandbox = Sandbox::taxi(3000);
    golden("check", sandbox.tidemill(&["check"]));
    golden("plan-first", sandbox.tidemill(&["plan"]));
    golden("run-first", sandbox.tidemill(&["run", "--threads", "1"]));
    assert!(sandbox.read("schema.yaml").contains("payment_type:"));
    golden("run-second", sandbox.tidemill(&["run", "--threads", "1"]));
    golden("plan-second", sandbox.tidemill(&["plan"]));
}

#[test]
fn a_changed_parameter_reruns_training_and_what_follows_and_the_plan_names_it() {
    let sandbox = Sandbox::trained(3000);
    golden("plan-parameter", sandbox.tidemill(&["plan", "--param", "learning_rate=0.05"]));
    let report = sandbox.json(&["run", "--param", "learning_rate=0.05"]);
    let state = |step: &str| {
        let steps = report["steps"].as_array().expect("steps");
        steps.iter().find(|s| s["step"] == step).map(|s| s["state"].clone()).unwrap_or_default()
    };
    for step in ["examples", "statistics", "schema", "validate", "transform"] {
        assert_eq!(state(step), "CACHED", "{step}");
    }
    for step in ["train", "evaluate", "infra", "push"] {
        assert_eq!(state(step), "COMPLETE", "{step}");
    }
    // The model blessed before is the baseline now.
    let evaluate = report["steps"].as_array().and_then(|s| s.iter().find(|s| s["step"] == "evaluate")).cloned();
    let headline = evaluate.as_ref().and_then(|s| s["outcome"]["headline"].as_str()).unwrap_or_default();
    assert!(headline.contains("baseline"), "{headline}");
}

#[test]
fn an_alias_moves_to_a_new_model_and_never_back_unless_asked() {
    let sandbox = Sandbox::trained(3000);
    let champion = || sandbox.json(&["models", "taxi-tips"])["model"]["aliases"][0]["version"].clone();
    let push = |args: &[&str]| {
        let report = sandbox.json(args);
        let steps = report["steps"].as_array().cloned().unwrap_or_default();
        let push = steps.into_iter().find(|step| step["step"] == "push").unwrap_or_default();
        push["outcome"]["headline"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(champion(), 1);
    let other = ["run", "--param", "learning_rate=0.05"];
    assert_eq!(push(&other), "taxi-tips version 2, @champion 1 → 2");
    // The first model again: nothing new, so nothing moves.
    let stays = push(&["run"]);
    assert!(stays.starts_with("taxi-tips version 1, registered before; @champion stays at 2: "), "{stays}");
    assert!(stays.contains("`tidemill alias taxi-tips champion 1`"), "{stays}");
    assert_eq!(champion(), 2);
    // What a person rolled back is not rolled forward by a run that makes nothing new.
    let moved = sandbox.tidemill(&["alias", "taxi-tips", "champion", "1"]);
    assert_eq!(moved.stdout, "taxi-tips@champion 2 → 1\n", "{moved}");
    assert!(push(&other).contains("@champion stays at 1"));
    assert_eq!(champion(), 1);
    // Every move says from where to where, who and in which run; the champion's numbers are beside the champion.
    let shown = sandbox.tidemill(&["models", "taxi-tips"]).stdout;
    assert!(shown.contains("@champion 1 → 2 by step push in run "), "{shown}");
    assert!(shown.contains("@champion 2 → 1 by "), "{shown}");
    let versions = sandbox.json(&["models", "taxi-tips"])["model"]["versions"].clone();
    let auc =
        |version: usize| format!("auc {:.4}", versions[version - 1]["properties"]["auc"].as_f64().unwrap_or_default());
    let shown = sandbox.tidemill(&["models"]).stdout;
    let line = |mark: &str| shown.lines().find(|line| line.contains(mark)).unwrap_or_default().to_owned();
    assert!(line("@champion").contains(&auc(1)) && line("newest").contains(&auc(2)), "{shown}");
    // Asked to, a run moves it back.
    sandbox.edit("pipeline.yaml", "alias: champion }", "alias: champion, move_back: true }");
    assert_eq!(push(&other), "taxi-tips version 2, registered before, @champion 1 → 2");
    assert_eq!(push(&["run"]), "taxi-tips version 1, registered before, @champion 2 → 1");
    assert_eq!(versions.as_array().map(Vec::len), Some(2));
}

#[test]
fn the_same_work_gives_the_same_bytes_at_any_number_of_threads() {
    let digests = |threads: &str| {
        let sandbox = Sandbox::taxi(3000);
        let report = sandbox.json(&["run", "--threads", threads]);
        let outputs =
            report["steps"].as_array().expect("steps").iter().filter_map(|step| step["outputs"].as_array().cloned());
        outputs.flatten().map(|output| output["digest"].clone()).collect::<Vec<Value>>()
    };
    let one = digests("1");
    assert_eq!(one.len(), 10);
    assert_eq!(one, digests("3"));
}

#[test]
fn a_step_can_be_run_again_and_a_wrong_step_is_answered() {
    let sandbox = Sandbox::trained(3000);
    golden("plan-no-cache", sandbox.tidemill(&["plan", "--no-cache=evaluate"]));
    golden("plan-no-cache-unknown", sandbox.tidemill(&["plan", "--no-cache=evaluat"]));
}

#[test]
fn a_model_that_misses_its_threshold_is_not_pushed() {
    let sandbox = Sandbox::taxi(3000);
    sandbox.edit("pipeline.yaml", "at_least: 0.9,", "at_least: 0.999,");
    golden("run-not-blessed", sandbox.tidemill(&["run", "--threads", "1"]));
    assert_eq!(sandbox.json(&["models"]), Value::Array(Vec::new()));
}

#[test]
fn a_curated_schema_is_read_and_a_relaxed_one_lets_the_data_pass() {
    let sandbox = Sandbox::trained(3000);
    let trouble =
        ["sample", "taxi", "--rows", "3000", "--seed", "9", "--plant", "null-burst", "--out", "data/trips.csv"];
    assert_eq!(sandbox.tidemill(&trouble).code, 0);
    golden("run-null-burst", sandbox.tidemill(&["run", "--threads", "1"]));
    sandbox.edit("pipeline.yaml", "component: ExampleValidator", "component: ExampleValidator, on_anomaly: warn");
    let report = sandbox.json(&["run"]);
    let validate = &report["steps"][3];
    assert_eq!((&validate["step"], &validate["outcome"]["verdict"]), (&"validate".into(), &"pass".into()));
}

#[test]
fn settings_come_from_file_profile_and_environment() {
    let sandbox = Sandbox::taxi(300);
    sandbox.edit("tidemill.toml", "threads = 0", "thraeds = 2");
    golden("settings-unknown-key", sandbox.tidemill(&["plan"]));
    sandbox.edit("tidemill.toml", "thraeds = 2", "store = \"elsewhere\"");
    sandbox.edit("tidemill.toml", "store = \".tidemill\"\n", "");
    sandbox.tidemill(&["run"]);
    assert!(sandbox.path("elsewhere/metadata.db").is_file());
    let output = sandbox.command(&["run"]).env("TIDEMILL_STORE", "third").output().expect("it runs");
    assert!(output.status.success() && sandbox.path("third/metadata.db").is_file());
    golden("settings-unknown-profile", sandbox.tidemill(&["plan", "--profile", "cj"]));
    assert_eq!(sandbox.tidemill(&["plan", "--profile", "ci"]).code, 0);
    let output = sandbox.command(&["plan"]).env("TIDEMILL_THRAEDS", "1").env("TIDEMILL_OWN", "x").output();
    let told = String::from_utf8(output.expect("it runs").stderr).expect("it is text");
    assert!(told.contains("nothing reads the variable `TIDEMILL_THRAEDS`: did you mean `TIDEMILL_THREADS`?"), "{told}");
    assert!(!told.contains("TIDEMILL_OWN"), "{told}");
    sandbox.edit("tidemill.toml", "[profiles.ci]\n", "[profiles.ci]\nsteps = 2\n");
    golden("settings-profile-mistake", sandbox.tidemill(&["plan"]));
}
