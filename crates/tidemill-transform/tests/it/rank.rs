//! Which features say most about the label.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use serde_json::json;
use tidemill_core::NoProgress;
use tidemill_transform::{FitOptions, MemoryRows, Ranking, TransformConfig, fit, rank};

fn ranking(batches: usize) -> Ranking {
    let n = 5000_i64;
    let noise = |i: i64| (i.wrapping_mul(6_364_136_223_846_793_005) >> 33) % 1000;
    let label = |i: i64| i64::from(noise(i * 7 + 1) < if i % 4 == 0 { 800 } else { 200 });
    let amount = |i: i64| (noise(i) % 8 != 0).then(|| (noise(i * 3) + 500 * label(i)) as f64);
    let columns: Vec<(&str, ArrayRef, bool)> = vec![
        ("kind", Arc::new((0..n).map(|i| Some(["a", "b", "c", "d"][(i % 4) as usize])).collect::<StringArray>()), true),
        ("noise", Arc::new((0..n).map(|i| noise(i * 13) as f64).collect::<Float64Array>()), true),
        ("amount", Arc::new((0..n).map(amount).collect::<Float64Array>()), true),
        ("bought", Arc::new((0..n).map(label).collect::<Int64Array>()), true),
    ];
    let rows = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let size = 5000 / batches;
    let source = MemoryRows::new(
        rows.schema(),
        vec![("train".into(), (0..batches).map(|at| rows.slice(at * size, size)).collect())],
    );
    let params = json!({
        "label": { "column": "bought" },
        "rank": true,
        "features": { "kind": "categorical", "noise": "z_score", "amount": "numeric" },
    });
    let config = TransformConfig::from_params(&params).unwrap();
    assert!(config.rank);
    let options = FitOptions { split: "train", threads: 1, progress: &NoProgress, cancel: None, schema: None };
    let fitted = fit(&config, &source, &options).unwrap();
    rank(&fitted.graph, &source, &options).unwrap()
}

#[test]
fn what_decides_the_label_comes_first_and_noise_is_worth_nothing() {
    let ranking = ranking(1);
    assert_eq!((ranking.label.as_str(), ranking.rows), ("bought", 5000));
    let names: Vec<&str> = ranking.features.iter().map(|ranked| ranked.feature.as_str()).collect();
    assert_eq!(names, ["amount", "kind", "noise"]);
    let [amount, kind, noise] = &ranking.features[..] else { panic!() };
    assert_eq!((amount.buckets, kind.buckets, noise.buckets), (33, 4, 32));
    assert!(kind.adjusted > 0.05 && noise.adjusted.abs() < 0.005, "{ranking:?}");
    // 32 buckets of noise and a label of two: about 31 / (2 · n · ln 2) bits by chance (Miller 1955).
    assert!((noise.by_chance - 31.0 / (2.0 * 5000.0 * 2_f64.ln())).abs() < 2e-4, "{noise:?}");
    for ranked in &ranking.features {
        assert_eq!(ranked.adjusted, ranked.mutual_information - ranked.by_chance);
    }
}

#[test]
fn batches_do_not_matter() {
    assert_eq!(ranking(1), ranking(10));
}
