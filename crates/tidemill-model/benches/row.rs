//! One request row through a graph of 17 features over 17 raw columns, as of a taxi trip.
//!
//! The transform alone, for one row and for 65,536 at once.

use std::hint::black_box;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tidemill_core::{DataType, TensorSpec};
use tidemill_model::{Feature, FeatureBlock, Keys, Mapper, Scalar, TransformGraph, steps};

const REAL: [&str; 6] =
    ["fare", "trip_miles", "pickup_latitude", "pickup_longitude", "dropoff_latitude", "dropoff_longitude"];
const WHOLE: [&str; 9] = [
    "trip_start_month",
    "trip_start_hour",
    "trip_start_day",
    "pickup_census_tract",
    "dropoff_census_tract",
    "pickup_community_area",
    "dropoff_community_area",
    "trip_seconds",
    "trip_start_timestamp",
];
const TEXT: [&str; 2] = ["payment_type", "company"];

fn graph() -> TransformGraph {
    let mut inputs = Vec::new();
    let mut features = Vec::new();
    let mut add = |name: &str, datatype, nodes| {
        inputs.push(TensorSpec::new(name, datatype, true));
        features.push(Feature::new(name, name, nodes));
    };
    let z_score = || Mapper::ZScore(steps::ZScore { mean: 11.7, std_dev: 12.2 });
    for (at, name) in REAL.into_iter().enumerate() {
        let boundaries = (0..9).map(|i| 41.5 + f64::from(i) * 0.1).collect();
        add(
            name,
            DataType::Fp64,
            vec![if at < 2 { z_score() } else { Mapper::Bucketize(steps::Bucketize { boundaries }) }],
        );
    }
    for (at, name) in WHOLE.into_iter().enumerate() {
        let categorical = Mapper::Categorical(steps::Categorical { values: Some(Keys::Integers((0..77).collect())) });
        let scaled = vec![Mapper::Impute(steps::Impute { value: Scalar::Float(540.0) }), Mapper::Log1p, z_score()];
        add(name, DataType::Int64, if at < 7 { vec![categorical] } else { scaled });
    }
    for name in TEXT {
        let values = Keys::Strings((0..200).map(|i| format!("Taxi Affiliation Services {i}")).collect());
        add(name, DataType::Bytes, vec![Mapper::Vocabulary(steps::Vocabulary { values, oov_buckets: 10 })]);
    }
    TransformGraph::new(inputs, None, features).expect("the graph is sound")
}

fn rows(count: usize) -> RecordBatch {
    let mut columns: Vec<(&str, ArrayRef)> = Vec::new();
    for name in REAL {
        columns.push((name, Arc::new((0..count).map(|i| 41.0 + (i % 17) as f64 * 0.07).collect::<Float64Array>())));
    }
    for name in WHOLE {
        columns.push((name, Arc::new((0..count).map(|i| (i % 90) as i64).collect::<Int64Array>())));
    }
    for name in TEXT {
        let value = |i| Some(format!("Taxi Affiliation Services {}", (i * 31) % 250));
        columns.push((name, Arc::new((0..count).map(value).collect::<StringArray>())));
    }
    RecordBatch::try_from_iter(columns).expect("columns are of one length")
}

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("transform 17 features");
    for count in [1, 65_536] {
        let batch = rows(count);
        let bound = graph().bind(batch.schema_ref()).expect("the columns are there");
        let mut block = FeatureBlock::new();
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(format!("{count} rows"), |bencher| {
            bencher.iter(|| {
                bound.apply(black_box(&batch), &mut block).expect("the batch is of the schema bound");
                black_box(&block);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
