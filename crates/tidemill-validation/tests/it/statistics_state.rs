//! Accumulators as bytes: they come back as they were, merge as they would have, and no other bytes are taken.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Float64Array, Int64Array, ListArray, RecordBatch, StringArray,
};
use arrow::datatypes::Int64Type;
use proptest::prelude::*;
use tidemill_core::{Coded as _, DatasetStatistics};
use tidemill_validation::{DatasetAccumulator, StateError, StatisticsOptions};
use xxhash_rust::xxh3::xxh3_64;

/// Rows from a generator of numbers: one column of each type; `wide` values are all different.
fn rows(seed: u64, count: usize, wide: bool) -> RecordBatch {
    let mut x = seed;
    let mut next = || {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        x >> 33
    };
    let draws: Vec<u64> = (0..count).map(|_| next()).collect();
    let few = |h: u64| if wide { h } else { h % 50 };
    let floats = draws.iter().map(|h| match h % 31 {
        0 => None,
        1 => Some(f64::NAN),
        2 => Some(f64::INFINITY),
        _ => Some(few(*h) as f64 / 8.0 - 3.0),
    });
    let texts = draws.iter().map(|h| match h % 11 {
        0 => None,
        1 => Some(format!("2024-02-{:02} {:02}:00", h % 28 + 1, h % 24)),
        2 => Some("two words and more".to_owned()),
        _ => Some(format!("company {}", few(*h))),
    });
    let bytes: Vec<Option<Vec<u8>>> = draws
        .iter()
        .map(|h| (h % 5 > 0).then(|| [b"GIF89a\x01\0\x02\0".as_slice(), &few(*h).to_le_bytes()].concat()))
        .collect();
    let lists = draws.iter().map(|h| (h % 7 > 0).then(|| (0..h % 4).map(|i| (i > 0).then_some((few(*h) + i) as i64))));
    RecordBatch::try_from_iter([
        ("fare", Arc::new(floats.collect::<Float64Array>()) as ArrayRef),
        ("id", Arc::new(draws.iter().map(|h| Some(few(*h) as i64)).collect::<Int64Array>()) as ArrayRef),
        ("company", Arc::new(texts.collect::<StringArray>()) as ArrayRef),
        (
            "paid",
            Arc::new(draws.iter().map(|h| (h % 9 > 0).then_some(h % 2 == 0)).collect::<BooleanArray>()) as ArrayRef,
        ),
        ("picture", Arc::new(bytes.iter().map(Option::as_deref).collect::<BinaryArray>()) as ArrayRef),
        ("stops", Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(lists)) as ArrayRef),
        ("weight", Arc::new(draws.iter().map(|h| Some((h % 4) as f64 / 2.0)).collect::<Float64Array>()) as ArrayRef),
    ])
    .unwrap()
}

fn options() -> StatisticsOptions {
    StatisticsOptions {
        weight: Some("weight".to_owned()),
        correlations: true,
        label: Some("paid".to_owned()),
        ..StatisticsOptions::default()
    }
}

fn plain(batch: &RecordBatch) -> DatasetAccumulator {
    let mut accumulator = DatasetAccumulator::new(&batch.schema());
    accumulator.update(batch);
    accumulator
}

fn full(batch: &RecordBatch) -> DatasetAccumulator {
    let mut accumulator = DatasetAccumulator::with_options(&batch.schema(), &options()).unwrap();
    accumulator.update(batch);
    accumulator
}

fn json(statistics: &DatasetStatistics) -> serde_json::Value {
    serde_json::to_value(statistics).unwrap()
}

/// Equal but for the last digits of floats.
fn near(a: &serde_json::Value, b: &serde_json::Value) -> bool {
    use serde_json::Value::{Array, Object};
    match (a, b) {
        (Object(a), Object(b)) => a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| near(a, b))),
        (Array(a), Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| near(a, b)),
        _ => match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * b.abs().max(1.0),
            _ => a == b,
        },
    }
}

#[test]
fn states_come_back_as_they_were() {
    for wide in [false, true] {
        for count in [0, 1, 300, 15_000] {
            let batch = rows(7, count, wide);
            for accumulator in [plain(&batch), full(&batch)] {
                let bytes = accumulator.to_bytes();
                assert_eq!(bytes, accumulator.clone().to_bytes(), "the same state gives the same bytes");
                let back = DatasetAccumulator::from_bytes(&bytes).unwrap();
                assert_eq!(json(&back.finish("x")), json(&accumulator.finish("x")), "{count} rows, wide {wide}");
                back.check().unwrap();
            }
        }
    }
    let small = plain(&rows(7, 300, false)).to_bytes();
    assert!(small.len() < 12_000, "{} bytes for 300 rows of 7 columns", small.len());
}

#[test]
fn sketches_merge_through_bytes_within_their_errors() {
    let whole = rows(3, 60_000, true);
    let parts = (0..6).map(|part| plain(&whole.slice(part * 10_000, 10_000)).to_bytes());
    let mut merged: Option<DatasetAccumulator> = None;
    for part in parts {
        let part = DatasetAccumulator::from_bytes(&part).unwrap();
        match &mut merged {
            None => merged = Some(part),
            Some(merged) => merged.try_merge(&part).unwrap(),
        }
    }
    let (merged, once) = (merged.unwrap().finish("x"), plain(&whole).finish("x"));
    let (a, b) = (merged.feature("fare").unwrap(), once.feature("fare").unwrap());
    let (a, b) = (a.numeric.as_ref().unwrap(), b.numeric.as_ref().unwrap());
    assert_eq!((a.min, a.max, a.num_nan, a.num_inf, &a.histogram), (b.min, b.max, b.num_nan, b.num_inf, &b.histogram));
    assert!((a.mean - b.mean).abs() <= 1e-9 * b.mean.abs() && a.rank_error < 0.01);
    // The values are spread evenly, so a rank is a share of the range.
    assert!(((a.median - b.median) / (b.max - b.min)).abs() <= a.rank_error + b.rank_error + 1e-3);
    let unique = |of: &DatasetStatistics| of.feature("company").unwrap().string.as_ref().unwrap().unique as f64;
    assert!((unique(&merged) / unique(&once) - 1.0).abs() < 0.1);
}

#[test]
fn other_columns_and_other_bytes_are_refused() {
    let batch = rows(1, 20, false);
    let mut state = plain(&batch);
    let fewer = plain(&batch.project(&[0, 1]).unwrap());
    let error = state.try_merge(&fewer).unwrap_err();
    assert_eq!(error.to_string(), "states of other columns cannot be merged: `company`: string and nothing");
    let before = json(&state.finish("x"));
    assert!(state.try_merge(&full(&batch)).is_err());
    assert_eq!(json(&state.finish("x")), before, "a refused state leaves no trace");
    let bytes = state.to_bytes();
    for (wrong, expected) in [
        (Vec::new(), "are no state"),
        (b"PAR1 and more of the same".to_vec(), "are no state"),
        (bytes[..bytes.len() - 1].to_vec(), "its checksum is another"),
        ([&bytes[..4], &[9], &bytes[5..]].concat(), "is of version 9"),
    ] {
        let error = DatasetAccumulator::from_bytes(&wrong).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.hint().is_some());
    }
}

/// Bytes whose checksum is right whatever they say.
fn resealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.len() - 8;
    let checksum = xxh3_64(&bytes[..end]);
    bytes[end..].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

/// What is read from any bytes can be worked with.
fn survives(bytes: &[u8], other: &DatasetAccumulator) {
    match DatasetAccumulator::from_bytes(bytes) {
        Err(StateError::Damaged { .. } | StateError::Foreign { .. } | StateError::Version { .. }) => {}
        Err(error) => panic!("{error}"),
        Ok(mut state) => {
            let _ = state.try_merge(other);
            let _ = json(&state.finish("x"));
            let _ = state.to_bytes();
        }
    }
}

#[test]
fn no_bytes_are_the_end_of_it() {
    for (batch, every) in [(rows(5, 20, false), 3), (rows(5, 12_000, true), 24_989)] {
        let state = full(&batch);
        let bytes = state.to_bytes();
        for at in (5..bytes.len() - 8).step_by(every) {
            for flip in [0x01, 0x80, 0xff] {
                let mut wrong = bytes.clone();
                wrong[at] ^= flip;
                survives(&resealed(wrong), &state);
            }
            survives(&resealed(bytes[..at + 8].to_vec()), &state);
        }
    }
}

/// Version 1 of the format: three rows of `fare` (3, missing, 5) and `company` (Blue, Blue, Red).
const VERSION_1: &str = concat!(
    "544d53540103020466617265010201000102000000000000104000000000000000400000000000000840000000000000144000000000",
    "00020000000000000840010000000000001440010007636f6d70616e790203000002030b010304000204426c7565020352656401000000",
    "a782f9fac2d09f62",
);

#[test]
fn the_first_version_is_still_read() {
    let bytes: Vec<u8> =
        (0..VERSION_1.len()).step_by(2).map(|at| u8::from_str_radix(&VERSION_1[at..at + 2], 16).unwrap()).collect();
    let batch = RecordBatch::try_from_iter([
        ("fare", Arc::new(Float64Array::from(vec![Some(3.0), None, Some(5.0)])) as ArrayRef),
        ("company", Arc::new(StringArray::from(vec!["Blue", "Blue", "Red"])) as ArrayRef),
    ])
    .unwrap();
    let now = plain(&batch);
    let hex: String = now.to_bytes().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    assert_eq!(hex, VERSION_1, "the format has changed: raise its version and read the one before too");
    assert_eq!(json(&DatasetAccumulator::from_bytes(&bytes).unwrap().finish("x")), json(&now.finish("x")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn parts_merge_through_bytes_to_the_whole(
        seed in 1u64..1_000_000,
        cuts in prop::collection::vec(0usize..400, 0..5),
    ) {
        let whole = rows(seed, 400, false);
        let mut cuts = cuts;
        cuts.extend([0, 400]);
        cuts.sort_unstable();
        let states: Vec<Vec<u8>> =
            cuts.windows(2).map(|cut| full(&whole.slice(cut[0], cut[1] - cut[0])).to_bytes()).collect();
        let mut merged = full(&whole.slice(0, 0));
        for state in &states {
            merged.try_merge(&DatasetAccumulator::from_bytes(state).unwrap()).unwrap();
        }
        prop_assert!(near(&json(&merged.finish("x")), &json(&full(&whole).finish("x"))));
    }

    #[test]
    fn any_bytes_are_read_or_refused(noise in prop::collection::vec(any::<u8>(), 0..400)) {
        let state = plain(&rows(1, 5, false));
        survives(&noise, &state);
        let framed = [b"TMST\x01".as_slice(), &noise, &[0; 8]].concat();
        survives(&resealed(framed), &state);
    }
}
