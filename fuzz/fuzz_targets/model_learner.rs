//! `learner.bin`: what is read is written the same, and a row gives the same bits alone and in a batch.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidemill_model::{FeatureBlock, Learner};

fuzz_target!(|data: &[u8]| {
    let kinds = ["trees", "class_trees", "linear"];
    let Some(learner) = kinds.iter().find_map(|kind| Learner::decode(kind, data).ok()) else { return };
    assert_eq!(learner.encode(), data);
    if learner.feature_count() > 1000 {
        return;
    }
    let cell = |row: usize, feature: usize| match (row * 31 + feature) % 11 {
        0 => f64::NAN,
        1 => f64::INFINITY,
        at => at as f64 - 4.5,
    };
    let block = |rows: std::ops::Range<usize>| FeatureBlock {
        rows: rows.len(),
        columns: (0..learner.feature_count()).map(|at| rows.clone().map(|row| cell(row, at)).collect()).collect(),
    };
    let predict = |rows| learner.predict(&block(rows)).expect("its own kinds predict any row");
    let all = predict(0..70);
    for row in [0, 1, 69] {
        for (alone, all) in predict(row..row + 1).iter().zip(&all) {
            assert_eq!(alone[0].to_bits(), all[row].to_bits());
        }
    }
});
