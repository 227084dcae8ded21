//! A learner whose probabilities are calibrated.

use super::bytes::{ByteReader, head, push_text};
use super::calibration::Calibration;
use super::{Columns, Learner};
use crate::trees::{Contributions, invalid};
use crate::{FeatureBlock, ModelError, Task};

const MAGIC: [u8; 8] = *b"TMCALIB\0";
const VERSION: u32 = 1;

/// A learner of classes, and a calibration of its probabilities.
///
/// # Layout of `learner.bin`, format 1
///
/// Little-endian: `"TMCALIB\0"`, version (u32), curves C (u32). If C is 0, the inverse of a temperature (f64); otherwise for
/// each curve its kind (u32: 0 sigmoid, 1 beta, 2 isotonic), its numbers N (u32) and N numbers (f64). Then the kind of the
/// learner (length u32, UTF-8), and to the end its bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibrated {
    learner: Learner,
    calibration: Calibration,
}

impl Calibrated {
    /// The kind's name in a manifest.
    pub const KIND: &'static str = "calibrated";

    /// `learner` with a calibration, which must fit its task. A learner is calibrated once.
    pub fn new(learner: Learner, calibration: Calibration) -> Result<Self, ModelError> {
        if matches!(learner, Learner::Calibrated(_)) {
            return Err(invalid("a calibrated learner cannot be calibrated again"));
        }
        calibration.check(learner.task())?;
        Ok(Self { learner, calibration })
    }

    /// The learner.
    pub fn learner(&self) -> &Learner {
        &self.learner
    }

    /// The calibration of its probabilities.
    pub fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    /// Its task.
    pub fn task(&self) -> &Task {
        self.learner.task()
    }

    pub(super) fn predict(&self, block: &FeatureBlock) -> Result<Columns, ModelError> {
        let mut columns = self.learner.predict(block)?;
        self.calibration.apply(&mut columns);
        Ok(columns)
    }

    /// The contributions to the calibrated log-odds, if these are the log-odds of the learner times a factor plus a number;
    /// for other curves those to the log-odds before the calibration.
    pub(super) fn contributions(&self, row: &[f64], background: &[Vec<f64>]) -> Option<Vec<Contributions>> {
        let mut found = self.learner.contributions(row, background)?;
        if let (Task::Binary, Some((factor, more))) = (self.task(), self.calibration.on_log_odds()) {
            for found in &mut found {
                found.base = factor * found.base + more;
                found.features.iter_mut().for_each(|part| *part *= factor);
            }
        }
        Some(found)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = head(MAGIC, VERSION);
        self.calibration.encode(&mut bytes);
        push_text(&mut bytes, self.learner.kind());
        bytes.extend(self.learner.encode());
        bytes
    }

    /// Reads the bytes; `read` reads those of the learner, of the kind that it is given.
    pub(super) fn decode(
        bytes: &[u8],
        read: impl FnOnce(&str, &[u8]) -> Result<Learner, ModelError>,
    ) -> Result<Self, ModelError> {
        let mut reader = ByteReader::new(bytes, MAGIC, VERSION, "a calibrated learner")?;
        let calibration = Calibration::decode(&mut reader)?;
        let kind = reader.text()?;
        if kind == Self::KIND {
            return Err(invalid("a calibrated learner cannot be calibrated again"));
        }
        Self::new(read(&kind, reader.rest())?, calibration)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CalibrationCurve, LinearFeature, LinearModel};

    fn linear(task: Task) -> Learner {
        let scores = task.columns();
        let weights = (0..scores).map(|score| 1.0 + score as f64).collect();
        let feature = LinearFeature::Number { missing: 0.0, weights };
        Learner::Linear(LinearModel::new(task, vec![0.5; scores], vec![feature]).unwrap())
    }

    fn block() -> FeatureBlock {
        FeatureBlock { rows: 4, columns: vec![vec![-3.0, 0.0, 0.2, 40.0]] }
    }

    fn calibrations(task: &Task) -> Vec<Calibration> {
        let of = |curve: CalibrationCurve| Calibration::Curves(vec![curve; task.columns()]);
        vec![
            of(CalibrationCurve::Sigmoid { slope: 0.7, intercept: -0.2 }),
            of(CalibrationCurve::Beta { a: 0.8, b: 1.1, c: 0.1 }),
            of(CalibrationCurve::Isotonic { points: vec![[0.1, 0.0], [0.4, 0.3], [0.7, 0.3], [0.9, 1.0]] }),
            Calibration::Temperature(0.5),
        ]
    }

    fn classes() -> Task {
        Task::MultiClass { classes: ["a", "b", "c"].map(str::to_owned).to_vec() }
    }

    #[test]
    fn curves_are_their_formulas() {
        let points = vec![[0.2, 0.1], [0.4, 0.5], [0.6, 0.5]];
        let isotonic = CalibrationCurve::Isotonic { points };
        for (probability, expected) in [(0.0, 0.1), (0.2, 0.1), (0.3, 0.3), (0.4, 0.5), (0.55, 0.5), (1.0, 0.5)] {
            assert!((isotonic.apply(probability) - expected).abs() < 1e-15, "{probability}");
        }
        let same = CalibrationCurve::Sigmoid { slope: 1.0, intercept: 0.0 };
        assert!((same.apply(0.3) - 0.3).abs() < 1e-15);
        let same = CalibrationCurve::Beta { a: 1.0, b: 1.0, c: 0.0 };
        assert!((same.apply(0.3) - 0.3).abs() < 1e-15);
        // Nothing overflows at the ends.
        for curve in [same, CalibrationCurve::Sigmoid { slope: 50.0, intercept: 3.0 }] {
            assert!(curve.apply(0.0) >= 0.0 && curve.apply(1.0) <= 1.0);
        }
    }

    #[test]
    fn probabilities_of_classes_sum_to_one_and_a_row_alone_gives_the_same_bits() {
        for task in [Task::Binary, classes()] {
            for calibration in calibrations(&task) {
                let learner =
                    Learner::Calibrated(Box::new(Calibrated::new(linear(task.clone()), calibration).unwrap()));
                let all = learner.predict(&block()).unwrap();
                for row in 0..4 {
                    let one = FeatureBlock { rows: 1, columns: vec![vec![block().columns[0][row]]] };
                    let alone = learner.predict(&one).unwrap();
                    assert!(alone.iter().zip(&all).all(|(alone, all)| alone[0].to_bits() == all[row].to_bits()));
                    let sum: f64 = all.iter().map(|column| column[row]).sum();
                    assert!(task == Task::Binary || (sum - 1.0).abs() < 1e-12, "{sum}");
                }
            }
        }
    }

    #[test]
    fn contributions_sum_to_the_calibrated_log_odds() {
        let calibration = Calibration::Curves(vec![CalibrationCurve::Sigmoid { slope: 0.7, intercept: -0.2 }]);
        let learner = Learner::Calibrated(Box::new(Calibrated::new(linear(Task::Binary), calibration).unwrap()));
        let explained = learner.contributions(&[0.4], &[vec![1.0], vec![-2.0]]).unwrap().remove(0);
        let score = explained.base + explained.features.iter().sum::<f64>();
        let one = FeatureBlock { rows: 1, columns: vec![vec![0.4]] };
        let probability = learner.predict(&one).unwrap()[0][0];
        assert!((score - (probability / (1.0 - probability)).ln()).abs() < 1e-12);
    }

    #[test]
    fn bytes_are_read_back_and_damage_is_refused() {
        for task in [Task::Binary, classes()] {
            for calibration in calibrations(&task) {
                let calibrated = Calibrated::new(linear(task.clone()), calibration).unwrap();
                let learner = Learner::Calibrated(Box::new(calibrated.clone()));
                let bytes = learner.encode();
                assert_eq!(Learner::decode(Calibrated::KIND, &bytes).unwrap(), learner);
                for end in 0..bytes.len() {
                    assert!(Learner::decode(Calibrated::KIND, &bytes[..end]).is_err(), "{end}");
                }
                assert!(Calibrated::new(learner, Calibration::Temperature(1.0)).is_err());
            }
        }
        let falls = CalibrationCurve::Isotonic { points: vec![[0.1, 0.5], [0.4, 0.3]] };
        for wrong in [Calibration::Curves(vec![falls]), Calibration::Curves(Vec::new()), Calibration::Temperature(0.0)]
        {
            assert!(Calibrated::new(linear(Task::Binary), wrong).is_err());
        }
        assert!(Calibrated::new(linear(Task::Regression), Calibration::Temperature(1.0)).is_err());
    }
}
