//! Features as a table: fitted on the spot, and by a graph that is there.

use crate::support::{Sandbox, golden};

const FEATURES: &str = r#"label: { name: big_tip, expression: "tips > fare * 0.2" }
features:
  trip_miles:   z_score
  payment_type: one_hot
  company:      [ strip, lower, target_encode ]
"#;

#[test]
fn features_are_fitted_and_written_as_a_table() {
    let sandbox = Sandbox::empty();
    sandbox.tidemill(&["sample", "taxi", "--rows", "2000", "--out", "trips.csv"]);
    sandbox.write("features.yaml", FEATURES);
    golden(
        "transform-fit",
        sandbox.tidemill(&["transform", "features.yaml", "trips.csv", "--out", "a.csv", "--save", "graph"]),
    );
    golden("transform", sandbox.tidemill(&["transform", "graph", "trips.csv", "--out", "b.csv"]));
    assert_eq!(
        sandbox.read("a.csv"),
        sandbox.read("b.csv"),
        "what is fitted and applied is what is loaded and applied"
    );
    sandbox.tidemill(&["transform", "graph", "trips.csv", "--out", "c.csv", "--label", "--training"]);
    let column = |file: &str, at: usize| -> Vec<String> {
        let text = sandbox.read(file);
        text.lines().skip(1).map(|line| line.split(',').nth(at).unwrap_or_default().to_owned()).collect()
    };
    let encoded = sandbox.read("b.csv").lines().next().map_or(0, |head| head.split(',').count()) - 1;
    assert_eq!(column("b.csv", 0), column("c.csv", 0), "a score is the same in training");
    let (serving, training) = (column("b.csv", encoded), column("c.csv", encoded));
    assert!(serving.iter().zip(&training).all(|(a, b)| a != b), "no row sees its own label in training");
    golden("transform-no-column", {
        sandbox.tidemill(&["sample", "taxi", "--rows", "1000", "--out", "other.csv"]);
        sandbox.edit("other.csv", "trip_miles", "miles");
        sandbox.tidemill(&["transform", "graph", "other.csv", "--out", "d.csv"])
    });
    assert!(!sandbox.path("d.csv").exists(), "nothing half-written");
    sandbox.edit("features.yaml", "z_score", "zscore");
    golden("transform-bad-step", sandbox.tidemill(&["transform", "features.yaml", "trips.csv", "--out", "d.csv"]));
    golden("transform-onto-itself", sandbox.tidemill(&["transform", "graph", "trips.csv", "--out", "trips.csv"]));
}

#[test]
fn what_is_wrong_is_told_with_its_place_in_the_file() {
    let sandbox = Sandbox::trained(1500);
    sandbox.edit("pipeline.yaml", "trip_miles:", "trip_mils:");
    // What a plan can tell, and what a run that did not ask for one is told.
    golden("transform-plan-place", sandbox.tidemill(&["plan"]));
    let run = sandbox.tidemill(&["run"]);
    assert_eq!(run.code, 2, "{run}");
    let place = format!("pipeline.yaml:{}:", line_of(&sandbox, "trip_mils:"));
    assert!(run.stdout.contains(&place), "{place} is not in {run}");
}

#[test]
fn a_wrong_parameter_is_shown_where_its_value_stands() {
    let sandbox = Sandbox::taxi(100);
    sandbox.edit("pipeline.yaml", "learning_rate: 0.1", "learning_rate: fast");
    golden("check-param-value", sandbox.tidemill(&["check"]));
    golden("check-param-flag", sandbox.tidemill(&["check", "--param", "learning_rate=slow"]));
}

/// The line of the pipeline file that holds `text`, from 1.
fn line_of(sandbox: &Sandbox, text: &str) -> usize {
    sandbox.read("pipeline.yaml").lines().position(|line| line.contains(text)).expect("a line") + 1
}
