//! Features of what came before: one executor for batches, rows and requests.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, ListArray, RecordBatch, StringArray};
use arrow::datatypes::{Float64Type, Int64Type};
use proptest::prelude::*;
use tidemill_core::{DataType, RowShape, TensorSpec};
use tidemill_model::{Feature, FeatureBlock, History, LabelSpec, Mapper, Source, TransformGraph, steps};

const TAKES: [steps::WindowAggregate; 9] = [
    steps::WindowAggregate::Count,
    steps::WindowAggregate::Sum,
    steps::WindowAggregate::Mean,
    steps::WindowAggregate::Min,
    steps::WindowAggregate::Max,
    steps::WindowAggregate::StdDev,
    steps::WindowAggregate::First,
    steps::WindowAggregate::Last,
    steps::WindowAggregate::Nth(3),
];

fn history(rows_max: Option<u32>) -> Source {
    let (length_seconds, horizon_seconds) = (None, None);
    let (time, times, values) = ("time".into(), "past_time".into(), "past_sales".into());
    Source::History(History { time, times, values, rows_max, length_seconds, horizon_seconds })
}

fn inputs(time: DataType) -> Vec<TensorSpec> {
    vec![
        TensorSpec::new("time", time, false),
        TensorSpec::new("past_time", time, false).with_form(RowShape::List),
        TensorSpec::new("past_sales", DataType::Fp64, false).with_form(RowShape::List),
    ]
}

fn graph(from_seconds: u64, length_seconds: Option<u64>, rows_max: Option<u32>) -> TransformGraph {
    let features = TAKES.iter().map(|take| Feature {
        name: format!("{take:?}"),
        source: history(rows_max),
        mappers: vec![Mapper::Window(steps::Window { from_seconds, length_seconds, take: *take })],
    });
    TransformGraph::new(inputs(DataType::Int64), None, features.collect()).unwrap()
}

type Row = (i64, Vec<(i64, Option<f64>)>);

fn batch(rows: &[Row]) -> RecordBatch {
    let times = rows.iter().map(|(_, past)| Some(past.iter().map(|(time, _)| Some(*time)).collect::<Vec<_>>()));
    let values = rows.iter().map(|(_, past)| Some(past.iter().map(|(_, value)| *value).collect::<Vec<_>>()));
    let columns: Vec<(&str, ArrayRef, bool)> = vec![
        ("past_sales", Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>(values)), true),
        ("time", Arc::new(rows.iter().map(|(time, _)| *time).collect::<Int64Array>()), true),
        ("past_time", Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(times)), true),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn bits(graph: &TransformGraph, batch: &RecordBatch) -> Vec<Vec<u64>> {
    let mut block = FeatureBlock::new();
    graph.bind(batch.schema_ref()).unwrap().apply(batch, &mut block).unwrap();
    (0..block.rows).map(|row| block.columns.iter().map(|column| column[row].to_bits()).collect()).collect()
}

fn past() -> impl Strategy<Value = Vec<(i64, Option<f64>)>> {
    // Of two values of one time the later in the list is the newer, so times differ here.
    let value = prop_oneof![3 => (-50.0..50.0).prop_map(Some), 1 => Just(None)];
    prop::collection::btree_map(0_i64..120, value, 0..12).prop_map(|past| past.into_iter().collect())
}

proptest! {
    #[test]
    fn a_row_alone_in_any_order_and_with_more_than_fitting_saw_gives_the_same_bits(
        rows in prop::collection::vec((0_i64..100, past()), 1..8),
        from in 0_u64..30,
        length in prop::option::of(1_u64..40),
        rows_max in prop::option::of(1_u32..6),
    ) {
        let graph = graph(from, length, rows_max);
        let all = batch(&rows);
        let together = bits(&graph, &all);
        for (at, (time, past)) in rows.iter().enumerate() {
            let alone = bits(&graph, &batch(&rows[at..=at]));
            prop_assert_eq!(&alone[0], &together[at]);
            prop_assert_eq!(&bits(&graph, &all.slice(at, 1))[0], &together[at]);
            // The list may come in any order.
            let mut turned = past.clone();
            turned.reverse();
            prop_assert_eq!(&bits(&graph, &batch(&[(*time, turned)]))[0], &together[at]);
            // What is of the row's own time or after it, and what the list was cut to, make no difference.
            let mut seen: Vec<_> = past.iter().copied().filter(|(then, _)| then < time).collect();
            seen.drain(..seen.len().saturating_sub(rows_max.map_or(usize::MAX, |rows| rows as usize)));
            prop_assert_eq!(&bits(&graph, &batch(&[(*time, seen)]))[0], &together[at]);
            // Nor does anything younger than where the window begins.
            let known: Vec<_> = past.iter().copied().filter(|(then, _)| time - then >= from as i64).collect();
            if rows_max.is_none() {
                prop_assert_eq!(&bits(&graph, &batch(&[(*time, known)]))[0], &together[at]);
            }
        }
    }
}

#[test]
fn steps_follow_a_window_and_a_graph_is_stored_and_read_again() {
    let window = Mapper::Window(steps::Window {
        from_seconds: 10,
        length_seconds: Some(50),
        take: steps::WindowAggregate::Mean,
    });
    let nodes = vec![window, Mapper::MissingIndicator, Mapper::ZScore(steps::ZScore { mean: 2.0, std_dev: 2.0 })];
    let feature = Feature { name: "recent".into(), source: history(Some(100)), mappers: nodes };
    let graph = TransformGraph::new(inputs(DataType::Int64), None, vec![feature]).unwrap();
    let rows = batch(&[(100, vec![(60, Some(3.0)), (90, Some(5.0)), (95, Some(50.0))]), (100, vec![])]);
    let values: Vec<Vec<f64>> =
        bits(&graph, &rows).into_iter().map(|row| row.into_iter().map(f64::from_bits).collect()).collect();
    assert_eq!(values[0], [1.0, 0.0]);
    assert!(values[1][0].is_nan() && values[1][1] == 1.0);
    let text = serde_json::to_string(&graph).unwrap();
    assert!(text.contains(r#""history":{"time":"time","times":"past_time","values":"past_sales","rows_max":100}"#));
    assert!(text.contains(r#"{"window":{"from_seconds":10,"length_seconds":50,"take":"mean"}}"#), "{text}");
    assert_eq!(serde_json::from_str::<TransformGraph>(&text).unwrap(), graph);
}

#[test]
fn times_are_seconds_or_iso_text() {
    let lists = |values: Vec<Option<&str>>| {
        let mut builder = arrow::array::ListBuilder::new(arrow::array::StringBuilder::new());
        builder.append_value(values);
        Arc::new(builder.finish()) as ArrayRef
    };
    let window =
        Mapper::Window(steps::Window { from_seconds: 86_400, length_seconds: None, take: steps::WindowAggregate::Sum });
    let feature = Feature { name: "x".into(), source: history(None), mappers: vec![window] };
    let graph = TransformGraph::new(inputs(DataType::Bytes), None, vec![feature]).unwrap();
    let past =
        vec![Some("2024-02-28"), Some("2024-02-29T00:00:00Z"), Some("no time"), None, Some("2024-02-29T12:00:00")];
    let values = vec![Some(1.0), Some(2.0), Some(4.0), Some(8.0), Some(16.0)].into_iter();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("time", Arc::new(StringArray::from(vec!["2024-03-01"]))),
        ("past_time", lists(past)),
        (
            "past_sales",
            Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>([Some(values.collect::<Vec<_>>())])),
        ),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    assert_eq!(f64::from_bits(bits(&graph, &batch)[0][0]), 3.0);
}

#[test]
fn a_window_within_the_horizon_and_lists_of_another_length_are_refused() {
    let window =
        Mapper::Window(steps::Window { from_seconds: 10, length_seconds: None, take: steps::WindowAggregate::Last });
    let feature = Feature { name: "x".into(), source: history(None), mappers: vec![window.clone()] };
    let label = LabelSpec::new("sales", "sales").with_horizon(20);
    let error = TransformGraph::new(inputs(DataType::Int64), Some(label), vec![feature.clone()]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "feature `x`: its window begins 10 s before a row, within the horizon of the label `sales`, 20 s"
    );
    let graph = TransformGraph::new(inputs(DataType::Int64), None, vec![feature]).unwrap();
    let good = batch(&[(100, vec![(60, Some(3.0))]), (100, vec![(60, Some(3.0)), (70, None)])]);
    let uneven = RecordBatch::try_from_iter([
        ("time", good.column_by_name("time").unwrap().clone()),
        ("past_time", good.column_by_name("past_time").unwrap().clone()),
        (
            "past_sales",
            Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>([
                Some(vec![Some(1.0)]),
                Some(vec![Some(1.0)]),
            ])) as ArrayRef,
        ),
    ])
    .unwrap();
    let error = graph.bind(uneven.schema_ref()).unwrap().apply(&uneven, &mut FeatureBlock::new()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "row 1 has 2 values in `past_time` and 1 in `past_sales`, and every value of a history needs its time"
    );
    let plain = Feature::new("x", "past_sales", vec![Mapper::Log]);
    let error = TransformGraph::new(inputs(DataType::Int64), None, vec![plain]).unwrap_err();
    assert!(error.to_string().contains("holds lists"), "{error}");
    let bare = Feature { name: "x".into(), source: history(None), mappers: vec![Mapper::Log] };
    let error = TransformGraph::new(inputs(DataType::Int64), None, vec![bare]).unwrap_err();
    assert!(error.to_string().contains("`log` does not apply to a history"), "{error}");
}
