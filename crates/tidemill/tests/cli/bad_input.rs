//! Bad input gets a clear error that names the place, the right exit code, and leaves nothing half-written.

use crate::support::{Sandbox, golden};

/// Runs the taxi pipeline over other data.
fn run_over(name: &str, data: impl AsRef<[u8]>) {
    let sandbox = Sandbox::taxi(300);
    sandbox.write("data/trips.csv", data);
    let run = sandbox.tidemill(&["run", "--threads", "1"]);
    assert_ne!(run.code, 0, "{run}");
    assert!(!run.stderr.contains("panicked"), "{run}");
    assert_eq!(sandbox.staged(), 0, "nothing half-written is left");
    golden(name, run);
}

fn trips(rows: u32) -> String {
    Sandbox::taxi(rows).read("data/trips.csv")
}

#[test]
fn empty_files_and_headers_alone() {
    run_over("bad-empty", "");
    run_over("bad-header-only", trips(300).lines().next().unwrap_or_default());
}

#[test]
fn rows_and_columns_that_do_not_fit() {
    let good = trips(300);
    let mut ragged: Vec<String> = good.lines().map(str::to_owned).collect();
    ragged[42].push_str(",one too many");
    run_over("bad-ragged", ragged.join("\n"));
    run_over("bad-duplicate-column", good.replacen("trip_start_day", "fare", 1));
    run_over("bad-quote", good.clone() + "\"never closed,1,2\n");
    let mut bytes = good.into_bytes();
    let line: usize = bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').nth(9).map_or(0, |(at, _)| at);
    bytes[line + 1] = 0xff;
    run_over("bad-utf8", bytes);
}

#[test]
fn labels_that_teach_nothing() {
    let sandbox = Sandbox::taxi(300);
    sandbox.edit("pipeline.yaml", "tips > fare * 0.2", "tips > 1000000");
    golden("bad-label-constant", sandbox.tidemill(&["run", "--threads", "1"]));
    sandbox.edit("pipeline.yaml", "tips > 1000000", "dropoff_latitude > 41.9");
    sandbox.edit("pipeline.yaml", "dropoff_latitude:       { bucketize: 10 }", "");
    golden("bad-label-missing", sandbox.tidemill(&["run", "--threads", "1"]));
    sandbox.edit("pipeline.yaml", "dropoff_latitude > 41.9", "tip > 3");
    golden("bad-label-unknown", sandbox.tidemill(&["run", "--threads", "1"]));
}

#[test]
fn a_column_that_changes_its_type_is_stopped_at_validation() {
    let sandbox = Sandbox::trained(3000);
    let plant = ["sample", "taxi", "--rows", "3000", "--plant", "type-change", "--out", "data/trips.csv"];
    sandbox.tidemill(&plant);
    golden("bad-type-change", sandbox.tidemill(&["run", "--threads", "1"]));
}

#[test]
fn everything_wrong_with_a_pipeline_file_is_told_at_once() {
    let sandbox = Sandbox::taxi(300);
    sandbox.edit("pipeline.yaml", "component: Trainer", "component: Trainr");
    golden("bad-component", sandbox.tidemill(&["run"]));
    sandbox.edit("pipeline.yaml", "component: Trainr", "component: Trainer");
    sandbox.edit("pipeline.yaml", "early_stopping: 20", "early_stoping: 20");
    sandbox.edit("pipeline.yaml", "company:                { vocabulary", "company:                { vocabluary");
    sandbox.edit("pipeline.yaml", "auc: { at_least", "auk: { at_least");
    sandbox.edit("pipeline.yaml", "tips > fare * 0.2", "tips > fare *");
    golden("bad-keys", sandbox.tidemill(&["check"]));
    assert_eq!(sandbox.tidemill(&["run"]).code, 2);
    assert!(!sandbox.path(".tidemill").exists(), "nothing is made for a file that is wrong");
}

#[test]
fn a_feature_that_the_data_does_not_have() {
    let sandbox = Sandbox::taxi(300);
    sandbox.edit("pipeline.yaml", "trip_miles:             z_score", "trip_mile:              z_score");
    golden("bad-feature", sandbox.tidemill(&["run", "--threads", "1"]));
}

#[test]
fn no_pipeline_no_source_no_store() {
    let sandbox = Sandbox::empty();
    golden("bad-no-pipeline", sandbox.tidemill(&["run"]));
    assert!(!sandbox.path(".tidemill").exists());
    let sandbox = Sandbox::taxi(300);
    std::fs::remove_file(sandbox.path("data/trips.csv")).expect("the file is there");
    golden("bad-no-source", sandbox.tidemill(&["run"]));
    let sandbox = Sandbox::taxi(300);
    sandbox.write(".tidemill", "a file where the store should be");
    golden("bad-store", sandbox.tidemill(&["run"]));
    let sandbox = Sandbox::taxi(300);
    sandbox.write(".tidemill/metadata.db", "this is no database, whatever its name says");
    golden("bad-database", sandbox.tidemill(&["run"]));
}
