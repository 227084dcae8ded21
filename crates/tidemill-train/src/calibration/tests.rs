//! Calibrated probabilities against scikit-learn's.

use std::path::Path;

use proptest::prelude::*;
use serde_json::Value;
use tidemill_model::{Calibration, CalibrationCurve};

use super::{Method, Quality};

const METHODS: [Method; 4] = [Method::Platt, Method::Isotonic, Method::Beta, Method::Temperature];

fn recorded() -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/calibration.json");
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

fn numbers(of: &Value) -> Vec<f64> {
    of.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

fn applied(calibration: &Calibration, columns: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let mut columns = columns.into();
    calibration.apply(&mut columns);
    columns.into_vec()
}

/// `IsotonicRegression` works in 64 bits and the others minimise to about half of their digits.
fn tolerance(method: Method) -> f64 {
    if method == Method::Isotonic { 1e-12 } else { 2e-6 }
}

#[test]
fn curves_of_two_classes_are_those_of_scikit_learn() {
    let recorded = recorded();
    let (labels, at) = (numbers(&recorded["labels"]), numbers(&recorded["at"]));
    for case in recorded["binary"].as_array().unwrap() {
        let probabilities = vec![numbers(&case["probabilities"])];
        let weights = case["weights"].is_array().then(|| numbers(&case["weights"]));
        for method in METHODS {
            let found = method.fit(&probabilities, &labels, weights.as_deref());
            let found = applied(&found, vec![at.clone()]).remove(0);
            let expected = numbers(&case["calibrated"][method.name()]);
            for ((at, found), expected) in at.iter().zip(found).zip(expected) {
                assert!(
                    (found - expected).abs() <= tolerance(method) * expected.max(0.01),
                    "{method:?}, {}: {at} becomes {found}, not {expected}",
                    case["name"]
                );
            }
        }
        let quality = Quality::of(&probabilities, &labels, weights.as_deref());
        let expected = numbers(&case["quality"]);
        assert!((quality.log_loss - expected[0]).abs() < 1e-12 && (quality.brier - expected[1]).abs() < 1e-12);
    }
}

#[test]
fn several_classes_are_calibrated_one_against_the_rest_and_by_a_temperature() {
    let recorded = &recorded()["classes"];
    let labels = numbers(&recorded["labels"]);
    let by_row = |rows: &Value| -> Vec<Vec<f64>> {
        let rows: Vec<Vec<f64>> = rows.as_array().unwrap().iter().map(numbers).collect();
        (0..3).map(|class| rows.iter().map(|row| row[class]).collect()).collect()
    };
    let probabilities = by_row(&recorded["probabilities"]);
    let before = Quality::of(&probabilities, &labels, None);
    for method in METHODS {
        let found = applied(&method.fit(&probabilities, &labels, None), probabilities.clone());
        for (found, expected) in
            found.iter().flatten().zip(by_row(&recorded["calibrated"][method.name()]).iter().flatten())
        {
            assert!((found - expected).abs() <= tolerance(method), "{method:?}: {found}, not {expected}");
        }
        let after = Quality::of(&found, &labels, None);
        assert!(after.calibration_error < before.calibration_error && after.log_loss < before.log_loss);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the rows, curves are finite and give probabilities; all but Platt's rise.
    #[test]
    fn any_rows_give_a_curve(rows in prop::collection::vec((0.0..=1.0_f64, any::<bool>(), 0.0..3.0_f64), 2..60)) {
        let mut weights: Vec<f64> = rows.iter().map(|row| row.2).collect();
        weights[0] = 1.0;
        let labels: Vec<f64> = rows.iter().map(|row| f64::from(u8::from(row.1))).collect();
        let probabilities = vec![rows.iter().map(|row| row.0).collect::<Vec<f64>>()];
        for method in METHODS {
            let calibration = method.fit(&probabilities, &labels, Some(&weights));
            let ladder: Vec<f64> = (0..=50).map(|step| f64::from(step) / 50.0).collect();
            let found = applied(&calibration, vec![ladder]).remove(0);
            prop_assert!(found.iter().all(|p| (0.0..=1.0).contains(p)), "{:?}: {:?}", method, calibration);
            let falls = matches!(&calibration, Calibration::Curves(curves)
                if matches!(curves[0], CalibrationCurve::Sigmoid { slope, .. } if slope < 0.0));
            prop_assert!(falls || found.windows(2).all(|pair| pair[0] <= pair[1]), "{:?}: {:?}", method, calibration);
        }
    }
}
