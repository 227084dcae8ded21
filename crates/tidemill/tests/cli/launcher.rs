//! Steps in processes of their own.

use serde_json::Value;

use crate::support::Sandbox;

fn digests(report: &Value) -> Vec<Value> {
    let steps = report["steps"].as_array().into_iter().flatten();
    steps
        .flat_map(|step| step["outputs"].as_array().cloned().unwrap_or_default())
        .map(|out| out["digest"].clone())
        .collect()
}

#[test]
fn steps_in_processes_of_their_own_make_the_same_bytes() {
    let together = Sandbox::taxi(900);
    let apart = Sandbox::taxi(900);
    let expected = together.json(&["run", "--param", "rounds=20"]);
    let report = apart.json(&["run", "--launcher", "process", "--param", "rounds=20"]);
    assert_eq!(report["state"], "COMPLETE", "{report:#}");
    assert_eq!(digests(&report), digests(&expected));
    assert_eq!(apart.staged(), 0);
    // The cache is one: what processes made is found by a run in one process, and the other way round.
    for launcher in ["in-process", "process"] {
        let again = apart.json(&["run", "--launcher", launcher, "--param", "rounds=20"]);
        let states = again["steps"].as_array().expect("steps").iter().map(|step| step["state"].clone());
        assert!(states.clone().all(|state| state == "CACHED"), "{launcher}: {:?}", states.collect::<Vec<_>>());
    }
    // A rejection and broken input are what they are in one process.
    apart.edit("pipeline.yaml", "at_least: 0.9,", "at_least: 0.9999,");
    assert_eq!(apart.tidemill(&["run", "--launcher", "process", "--param", "rounds=20"]).code, 1);
    let trips = apart.read("data/trips.csv");
    apart.write("data/trips.csv", format!("{trips}1,2\n"));
    let failed = apart.tidemill(&["run", "--launcher", "process"]);
    assert!(failed.code == 2 && failed.stdout.contains("TM2005"), "{failed}");
}

#[test]
fn a_step_belongs_to_a_run_that_is_going_on() {
    let sandbox = Sandbox::trained(300);
    let late = sandbox.tidemill(&["step", "run", "--run", "last", "--step", "train"]);
    assert!(late.code == 2 && late.stderr.contains("has ended"), "{late}");
    let unknown = sandbox.tidemill(&["step", "run", "--run", "last", "--step", "trian"]);
    assert!(unknown.code == 2 && unknown.stderr.contains("did you mean `train`?"), "{unknown}");
}
