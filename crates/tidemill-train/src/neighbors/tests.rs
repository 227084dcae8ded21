//! Predictions against scikit-learn's.

use tidemill_model::NeighborWeights;

use super::learner::of_block;
use super::params::Neighbors;
use crate::recorded;

#[test]
fn predictions_are_those_of_scikit_learn() {
    let expected = recorded::expected("neighbors");
    for name in ["breast_cancer", "diabetes", "wine"] {
        let table = recorded::table(name);
        for recorded in expected[name].as_array().unwrap() {
            let params = Neighbors {
                k: recorded["k"].as_u64().unwrap() as u32,
                weights: match recorded["weights"].as_str().unwrap() {
                    "distance" => NeighborWeights::Distance,
                    _ => NeighborWeights::Uniform,
                },
                p: recorded["p"].as_f64().unwrap(),
            };
            let model = of_block(&params, &table.task, &table.learned, &table.labels);
            let found = model.predict(&table.judged);
            let theirs: Vec<Vec<f64>> = serde_json::from_value(recorded["predicted"].clone()).unwrap();
            assert_eq!(found.len(), theirs.len());
            for (row, (found, theirs)) in found.iter().flatten().zip(theirs.iter().flatten()).enumerate() {
                let near = 1e-9 * theirs.abs().max(1.0);
                assert!((found - theirs).abs() < near, "{name} {params:?} {row}: {found}, not {theirs}");
            }
        }
    }
}

#[test]
fn bad_values_are_named_and_other_names_answered() {
    assert_eq!(Neighbors::default().check(), []);
    let bad = serde_json::json!({ "k": 0, "p": 3, "n_neighbors": 4 });
    let issues = Neighbors::parse(&bad).unwrap_err();
    let named: Vec<String> = issues.iter().map(|issue| issue.path.join(".")).collect();
    assert_eq!(named, ["n_neighbors", "k", "p"]);
    assert_eq!(issues[0].hint.as_deref(), Some("write `k`"));
}
