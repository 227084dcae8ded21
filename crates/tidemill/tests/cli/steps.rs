//! Which steps of a run take part: selections, conditions, optional steps.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::Sandbox;

fn states(report: &Value) -> BTreeMap<String, String> {
    let steps = report["steps"].as_array().unwrap_or_else(|| panic!("{report}"));
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    steps.iter().map(|step| (text(&step["step"]), text(&step["state"]))).collect()
}

#[test]
fn a_part_of_a_pipeline_runs_on_earlier_results() {
    let sandbox = Sandbox::taxi(3000);
    let nothing = sandbox.tidemill(&["run", "--from", "train"]);
    assert!(nothing.code == 2 && nothing.stderr.contains("has no earlier result"), "{nothing}");
    let data = sandbox.json(&["run", "--until", "validate"]);
    assert_eq!(data["state"], "COMPLETE");
    let found = states(&data);
    assert_eq!([&found["validate"], &found["transform"], &found["push"]], ["COMPLETE", "SKIPPED", "SKIPPED"]);
    assert_eq!(sandbox.json(&["run"])["state"], "COMPLETE");
    // The sources are gone: a run from the trainer on does not look at them.
    std::fs::remove_file(sandbox.path("data/trips.csv")).expect("it can be removed");
    let report = sandbox.json(&["run", "--from", "train", "--param", "rounds=30"]);
    assert_eq!(report["state"], "COMPLETE", "{report}");
    let found = states(&report);
    assert_eq!([&found["examples"], &found["train"], &found["push"]], ["CACHED", "COMPLETE", "COMPLETE"]);
    let report = sandbox.json(&["run", "--only", "train", "--param", "rounds=31"]);
    let found = states(&report);
    assert_eq!([&found["train"], &found["evaluate"], &found["statistics"]], ["COMPLETE", "SKIPPED", "SKIPPED"]);
    let report = sandbox.json(&["run", "--from", "train", "--skip", "push", "--param", "rounds=32"]);
    assert_eq!([&states(&report)["infra"], &states(&report)["push"]], ["COMPLETE", "SKIPPED"]);
    assert_eq!(sandbox.json(&["models"])[0]["versions"].as_array().map(Vec::len), Some(2));
    let unknown = sandbox.tidemill(&["run", "--only", "trian"]);
    assert!(unknown.code == 2 && unknown.stderr.contains("did you mean `train`?"), "{unknown}");
}

#[test]
fn a_step_runs_if_its_condition_holds() {
    let sandbox = Sandbox::taxi(3000);
    sandbox.edit(
        "pipeline.yaml",
        "push:  { component: Pusher,",
        "push:  { component: Pusher, if: \"evaluate.auc > 0.9999\",",
    );
    let report = sandbox.json(&["run"]);
    assert_eq!((&report["state"], states(&report)["push"].as_str()), (&Value::from("COMPLETE"), "SKIPPED"));
    let text = sandbox.tidemill(&["run"]);
    assert!(text.code == 0 && text.stderr.contains("`evaluate.auc` is 0."), "{text}");
    sandbox.edit("pipeline.yaml", "0.9999\"", "0.5 and examples.rows >= 100\"");
    assert_eq!(states(&sandbox.json(&["run"]))["push"], "COMPLETE");
    sandbox.edit("pipeline.yaml", "evaluate.auc > 0.5", "evaluat.auc > 0.5");
    let check = sandbox.tidemill(&["check"]);
    assert!(check.code == 2 && check.stderr.contains("did you mean `evaluate`?"), "{check}");
}

#[test]
fn a_failed_optional_step_does_not_fail_the_run() {
    let sandbox = Sandbox::empty();
    let rows: String = (0..40).map(|row| format!("{row}.5,{row}\n")).collect();
    sandbox.write("a.csv", format!("fare,miles\n{rows}"));
    sandbox.write(
        "pipeline.yaml",
        "version: 1\npipeline: two\nsteps:\n  examples: { component: ExampleGen, source: { csv: a.csv } }\n  \
         extra: { component: ExampleGen, source: { csv: nowhere.csv }, optional: true }\n  \
         statistics: { component: StatisticsGen, inputs: { examples: examples } }\n  \
         more: { component: StatisticsGen, inputs: { examples: extra } }\n",
    );
    let report = sandbox.json(&["run"]);
    assert_eq!(report["state"], "COMPLETE", "{report}");
    let found = states(&report);
    assert_eq!([&found["extra"], &found["more"], &found["statistics"]], ["FAILED", "SKIPPED", "COMPLETE"]);
    sandbox.edit("pipeline.yaml", ", optional: true", "");
    assert_eq!(sandbox.json(&["run"])["state"], "FAILED");
    sandbox.edit("pipeline.yaml", "nowhere.csv }", "nowhere.csv }, optional: maybe");
    let check = sandbox.tidemill(&["check"]);
    assert!(check.code == 2 && check.stderr.contains("`optional` is `true` or `false`"), "{check}");
}
