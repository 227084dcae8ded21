//! Estimates beside those of `NannyML` on its own data, recorded by `bench/monitor/record_nannyml.py`.

use serde::Deserialize;
use std::collections::BTreeMap;

use tidemill_monitor::{Calibration, expected_measures};

#[derive(Deserialize)]
struct Recorded {
    reference: Vec<(f64, f64)>,
    analysis: Vec<(f64, f64)>,
    calibrated: Vec<f64>,
    raw: BTreeMap<String, f64>,
    estimated: BTreeMap<String, f64>,
}

#[test]
fn calibration_and_estimates_are_those_of_nannyml() {
    let recorded: Recorded = serde_json::from_str(include_str!("nannyml.json")).unwrap();
    let calibration = Calibration::fit(&recorded.reference);
    let calibrated: Vec<f64> = recorded.analysis.iter().map(|(p, _)| calibration.apply(*p)).collect();
    for (row, (got, expected)) in calibrated.iter().zip(&recorded.calibrated).enumerate() {
        assert!((got - expected).abs() < 1e-6, "row {row}: {got} {expected}");
    }
    let raw: Vec<f64> = recorded.analysis.iter().map(|(p, _)| *p).collect();
    let called = |row: usize| recorded.analysis[row].1 > 0.5;
    for (probabilities, expected) in [(&raw, &recorded.raw), (&calibrated, &recorded.estimated)] {
        let measures = expected_measures(probabilities, called);
        for (metric, value) in expected {
            assert!((measures[metric].value - value).abs() < 1e-6, "{metric}: {:?} {value}", measures[metric]);
        }
    }
}
