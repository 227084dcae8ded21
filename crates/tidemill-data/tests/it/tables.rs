//! Two tables row by row.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use proptest::prelude::*;
use tidemill_data::{BatchReader, DiffOptions, Sides, TableDiff, diff_tables};

const NAMES: Sides<&str> = Sides { a: "a.csv", b: "b.csv" };

fn table(columns: Vec<(&str, ArrayRef)>) -> BatchReader {
    let batch =
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap();
    BatchReader::new(batch.schema(), std::iter::once(Ok(batch)))
}

fn options(key: &[&str]) -> DiffOptions {
    let key = key.iter().map(|&key| key.to_owned()).collect();
    DiffOptions { key, ignore: Vec::new(), tolerance: 0.0, samples: 5 }
}

fn diff(a: BatchReader, b: BatchReader, options: &DiffOptions) -> TableDiff {
    diff_tables(a, b, options, Sides { a: Path::new(NAMES.a), b: Path::new(NAMES.b) }).unwrap()
}

fn ints(values: &[Option<i64>]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

#[test]
fn rows_are_matched_by_key_whatever_their_order() {
    let a = table(vec![
        ("id", ints(&[Some(1), Some(2), Some(3), Some(3), None])),
        ("fare", Arc::new(Float64Array::from(vec![1.0, 2.0, 3.0, 3.0, 9.0]))),
        ("kind", texts(&[Some("x"), Some("x"), None, None, None])),
        ("old", ints(&[None; 5])),
    ]);
    let b = table(vec![
        ("kind", texts(&[Some("y"), Some("y"), Some("z")])),
        ("fare", ints(&[Some(2), Some(1), Some(7)])),
        ("id", texts(&[Some("2"), Some("1"), Some("4")])),
    ]);
    let found = diff(a, b, &options(&["id"]));
    assert_eq!((found.rows, found.only), (Sides { a: 5, b: 3 }, Sides { a: 2, b: 1 }));
    assert_eq!((found.matched, found.same, found.changed), (2, 0, 2));
    assert_eq!((found.duplicate_keys, found.without_key), (Sides { a: 1, b: 0 }, Sides { a: 1, b: 0 }));
    assert_eq!(found.columns_only, Sides { a: vec!["old".to_owned()], b: vec![] });
    let kind = &found.columns[0];
    assert_eq!((kind.column.as_str(), kind.changed, kind.frequent[0].rows), ("kind", 2, 2));
    assert_eq!(found.columns[1].changed, 0, "1 and 1.0 are the same number");
    let changed = &found.samples.changed[0];
    assert_eq!((changed.key[0].as_str(), changed.rows), ("1", Sides { a: 1, b: 2 }));
    assert!(!found.is_same());
}

#[test]
fn columns_can_be_ignored_and_numbers_nearly_the_same() {
    let make = |fare: f64, at: i64| {
        table(vec![
            ("id", ints(&[Some(1)])),
            ("part", texts(&[Some("a")])),
            ("fare", Arc::new(Float64Array::from(vec![fare]))),
            ("at", ints(&[Some(at)])),
        ])
    };
    let mut options = options(&["id", "part"]);
    options.ignore = vec!["at".to_owned()];
    assert_eq!(diff(make(1e6, 1), make(1e6 + 0.5, 2), &options).changed, 1);
    options.tolerance = 1e-6;
    assert!(diff(make(1e6, 1), make(1e6 + 0.5, 2), &options).is_same());
    options.key.push("pert".to_owned());
    let paths = Sides { a: Path::new(NAMES.a), b: Path::new(NAMES.b) };
    let error = diff_tables(make(1.0, 1), make(1.0, 1), &options, paths).unwrap_err();
    assert_eq!(error.to_string(), "`a.csv` has no column `pert`");
}

#[test]
fn rows_beyond_memory_wait_on_disk() {
    // 90 MB of text on each side: past the 64 MiB that are kept in memory.
    let rows = 3000_i64;
    let make = |changed: i64| {
        let long = "x".repeat(30_000);
        let schema = table(vec![("id", ints(&[])), ("text", texts(&[]))]).schema();
        let given = schema.clone();
        let batches = (0..rows).step_by(100).map(move |start| {
            let ids: Vec<Option<i64>> = (start..start + 100).map(Some).collect();
            let texts: Vec<String> =
                ids.iter().map(|id| if *id == Some(changed) { "y".to_owned() } else { long.clone() }).collect();
            let columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(ids)), Arc::new(StringArray::from(texts))];
            Ok(RecordBatch::try_new(given.clone(), columns).unwrap())
        });
        BatchReader::new(schema, batches)
    };
    let found = diff(make(-1), make(1234), &options(&["id"]));
    assert_eq!((found.matched, found.same, found.changed), (3000, 2999, 1));
    assert_eq!(found.samples.changed[0].key, ["1234"]);
    assert!(found.samples.changed[0].cells[0].a.as_ref().is_some_and(|text| text.chars().count() == 1001));
}

proptest! {
    #[test]
    fn counts_agree_with_a_comparison_by_hand(
        a in prop::collection::vec((0i64..30, prop::option::of(0i64..3)), 0..40),
        b in prop::collection::vec((0i64..30, prop::option::of(0i64..3)), 0..40),
    ) {
        let make = |rows: &[(i64, Option<i64>)]| {
            let ids: Vec<Option<i64>> = rows.iter().map(|row| Some(row.0)).collect();
            let values: Vec<Option<i64>> = rows.iter().map(|row| row.1).collect();
            table(vec![("id", ints(&ids)), ("v", ints(&values))])
        };
        let group = |rows: &[(i64, Option<i64>)]| {
            let mut map: BTreeMap<i64, Vec<Option<i64>>> = BTreeMap::new();
            for (id, value) in rows {
                map.entry(*id).or_default().push(*value);
            }
            map
        };
        let (left, right) = (group(&a), group(&b));
        let found = diff(make(&a), make(&b), &options(&["id"]));
        let lone = |of: &BTreeMap<i64, Vec<Option<i64>>>, other: &BTreeMap<i64, Vec<Option<i64>>>| {
            of.iter().filter(|(id, _)| !other.contains_key(id)).map(|(_, rows)| rows.len() as u64).sum::<u64>()
        };
        prop_assert_eq!(found.only, Sides { a: lone(&left, &right), b: lone(&right, &left) });
        let matched: Vec<_> = left
            .iter()
            .filter_map(|(id, rows)| Some((rows, right.get(id)?)))
            .filter(|(x, y)| x.len() == 1 && y.len() == 1)
            .collect();
        prop_assert_eq!(found.matched, matched.len() as u64);
        prop_assert_eq!(found.changed, matched.iter().filter(|(x, y)| x != y).count() as u64);
        prop_assert_eq!(found.same + found.changed, found.matched);
        let twice = |of: &BTreeMap<i64, Vec<Option<i64>>>| of.values().filter(|rows| rows.len() > 1).count() as u64;
        prop_assert_eq!(found.duplicate_keys, Sides { a: twice(&left), b: twice(&right) });
        let back = diff(make(&b), make(&a), &options(&["id"]));
        prop_assert_eq!((back.only.a, back.only.b, back.changed), (found.only.b, found.only.a, found.changed));
    }
}
