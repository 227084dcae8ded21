//! Looking at what happened.

use crate::support::{Sandbox, golden};

#[test]
fn runs_artifacts_models_and_lineage() {
    let sandbox = Sandbox::empty();
    golden("no-project", sandbox.tidemill(&["runs"]));
    let sandbox = Sandbox::taxi(3000);
    golden("runs-none", sandbox.tidemill(&["runs"]));
    golden("models-none", sandbox.tidemill(&["models"]));
    golden("status-none", sandbox.tidemill(&["status"]));
    sandbox.tidemill(&["run"]);
    golden("runs", sandbox.tidemill(&["runs"]));
    golden("status", sandbox.tidemill(&["status"]));
    let mut artifacts = sandbox.tidemill(&["artifacts"]);
    // Steps that run at once write in either order.
    let mut lines: Vec<&str> = artifacts.stdout.lines().collect();
    lines[2..].sort_by_key(|line| line.split_whitespace().nth(1));
    artifacts.stdout = lines.join("\n");
    golden("artifacts", artifacts);
    golden("models", sandbox.tidemill(&["models"]));
    golden("models-one", sandbox.tidemill(&["models", "taxi-tips"]));
    golden("models-unknown", sandbox.tidemill(&["models", "taxi-tip"]));
    golden("lineage", sandbox.tidemill(&["lineage", "taxi-tips@champion"]));
    golden("lineage-unknown", sandbox.tidemill(&["lineage", "taxi-tips@chalenger"]));
    golden("model-show", sandbox.tidemill(&["model", "show", "taxi-tips:1"]));
    golden("artifacts-type", sandbox.tidemill(&["artifacts", "--type", "Modle"]));
}

#[test]
fn lineage_goes_down_from_the_data_to_the_pushed_model() {
    let sandbox = Sandbox::trained(3000);
    let artifacts = sandbox.json(&["artifacts", "--type", "Examples"]);
    let digest = artifacts[0]["artifact"]["digest"].as_str().expect("a digest").to_owned();
    golden("lineage-down", sandbox.tidemill(&["lineage", &digest[..16], "--down"]));
    let graph = sandbox.json(&["lineage", "taxi-tips"]);
    let executions = graph["executions"].as_array().expect("executions");
    let steps: Vec<&str> = executions.iter().filter_map(|execution| execution["step"].as_str()).collect();
    assert_eq!(steps, ["train", "examples", "schema", "transform", "statistics"]);
}

#[test]
fn everything_that_lists_speaks_json() {
    let sandbox = Sandbox::trained(3000);
    for args in [
        &["check"][..],
        &["plan"],
        &["run"],
        &["status"],
        &["runs"],
        &["artifacts"],
        &["models"],
        &["models", "taxi-tips"],
        &["lineage", "taxi-tips"],
        &["model", "show", "taxi-tips"],
        &["stats", "data/trips.csv"],
        &["infer-schema", "data/trips.csv"],
        &["validate", "data/trips.csv"],
        &["explain"],
    ] {
        assert!(!sandbox.json(args).is_null(), "{args:?}");
    }
    // An error is one document too.
    let error = sandbox.json(&["models", "nope"]);
    assert_eq!(error["error"]["code"], "TM6003");
}
