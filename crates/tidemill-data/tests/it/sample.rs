//! The sample trips: the same everywhere, like a city's, and troubled where asked.
use std::collections::HashSet;

use arrow::array::{Array, AsArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use tidemill_data::{Plant, TaxiOptions, generate_taxi, write_taxi};

fn trips(options: &TaxiOptions) -> RecordBatch {
    let batches: Vec<RecordBatch> = generate_taxi(options).collect();
    concat_batches(&batches[0].schema(), &batches).unwrap()
}

fn planted(rows: u64, plant: &[Plant]) -> RecordBatch {
    trips(&TaxiOptions { rows, plant: plant.to_vec(), ..TaxiOptions::default() })
}

fn floats<'a>(batch: &'a RecordBatch, name: &str) -> &'a Float64Array {
    batch.column_by_name(name).unwrap().as_primitive::<Float64Type>()
}

fn ints<'a>(batch: &'a RecordBatch, name: &str) -> &'a Int64Array {
    batch.column_by_name(name).unwrap().as_primitive::<Int64Type>()
}

fn texts<'a>(batch: &'a RecordBatch, name: &str) -> &'a StringArray {
    batch.column_by_name(name).unwrap().as_string::<i32>()
}

fn share(batch: &RecordBatch, holds: impl Fn(usize) -> bool) -> f64 {
    (0..batch.num_rows()).filter(|&row| holds(row)).count() as f64 / batch.num_rows() as f64
}

fn mean(array: &Float64Array) -> f64 {
    array.iter().flatten().sum::<f64>() / array.len() as f64
}

#[test]
fn more_rows_begin_with_the_same_rows() {
    let many = planted(70_000, &[]);
    assert_eq!(many.slice(0, 1_000), planted(1_000, &[]));
    let options = TaxiOptions { rows: 1_000, ..TaxiOptions::default() };
    assert_ne!(trips(&TaxiOptions { seed: 2, ..options.clone() }), trips(&options));
    assert_ne!(trips(&TaxiOptions { span: 1, ..options.clone() }), trips(&options));
    assert_eq!(many.num_rows(), 70_000);
}

/// Other machines, and later versions, must make the same bytes: artifacts are named by their content.
#[test]
fn the_bytes_are_known() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.csv");
    write_taxi(&path, &TaxiOptions { rows: 5_000, ..TaxiOptions::default() }).unwrap();
    insta::assert_snapshot!(blake3::hash(&std::fs::read(&path).unwrap()).to_hex().as_str());
    let text = std::fs::read_to_string(&path).unwrap();
    insta::assert_snapshot!(text.lines().take(6).collect::<Vec<_>>().join("\n"));
}

/// Figures of the city's published trips: label 0.225, card 0.332, company missing 0.343, no miles 0.273, end unknown
/// 0.032, tract missing 0.283, fare 11.8, median fare 7.85.
#[test]
fn the_trips_are_like_a_citys() {
    let batch = planted(60_000, &[]);
    let (fare, tips) = (floats(&batch, "fare"), floats(&batch, "tips"));
    let near = |name: &str, found: f64, expected: f64, within: f64| {
        assert!((found - expected).abs() <= within, "{name} is {found}, not {expected} ± {within}");
    };
    near("label", share(&batch, |row| tips.value(row) > fare.value(row) * 0.2), 0.225, 0.02);
    let payment = texts(&batch, "payment_type");
    near("card", share(&batch, |row| payment.value(row) == "Credit Card"), 0.332, 0.02);
    near("company", texts(&batch, "company").null_count() as f64 / 60_000.0, 0.343, 0.02);
    let miles = floats(&batch, "trip_miles");
    near("no miles", share(&batch, |row| miles.value(row) == 0.0), 0.273, 0.02);
    near("end", ints(&batch, "dropoff_community_area").null_count() as f64 / 60_000.0, 0.032, 0.01);
    near("tract", ints(&batch, "dropoff_census_tract").null_count() as f64 / 60_000.0, 0.283, 0.02);
    near("fare", mean(fare), 11.8, 1.0);
    let mut sorted: Vec<f64> = fare.values().to_vec();
    sorted.sort_by(f64::total_cmp);
    near("median fare", sorted[30_000], 7.85, 0.8);
    assert!(sorted[0] == 0.0 && sorted[59_999] > 500.0, "there are no outliers");
    assert!(tips.iter().flatten().zip(payment).all(|(tip, payment)| tip == 0.0 || payment != Some("Cash")));
}

#[test]
fn moments_agree_with_each_other() {
    let batch = planted(5_000, &[]);
    for row in 0..batch.num_rows() {
        let timestamp = ints(&batch, "trip_start_timestamp").value(row);
        let day = timestamp.div_euclid(86_400);
        assert_eq!(timestamp % 900, 0);
        assert_eq!(ints(&batch, "trip_start_hour").value(row), timestamp.rem_euclid(86_400) / 3_600);
        // 1970-01-01 was a Thursday, day 5 of a week that begins on Sunday.
        assert_eq!(ints(&batch, "trip_start_day").value(row), (day + 4).rem_euclid(7) + 1);
        assert!((1..=12).contains(&ints(&batch, "trip_start_month").value(row)));
    }
}

#[test]
fn trouble_is_planted_and_nothing_else_changes() {
    let sound = planted(20_000, &[]);
    let same_but = |batch: &RecordBatch, changed: &[&str]| {
        for field in sound.schema().fields() {
            let equal = batch.column_by_name(field.name()).unwrap() == sound.column_by_name(field.name()).unwrap();
            assert_eq!(equal, !changed.contains(&field.name().as_str()), "{}", field.name());
        }
    };
    let batch = planted(20_000, &[Plant::NewCategory]);
    same_but(&batch, &["company", "payment_type"]);
    let known: HashSet<_> = texts(&sound, "company").iter().collect();
    let unseen = share(&batch, |row| {
        !known.contains(&{
            let c = texts(&batch, "company");
            c.is_valid(row).then(|| c.value(row))
        })
    });
    assert!((0.007..0.013).contains(&unseen), "{unseen}");

    let batch = planted(20_000, &[Plant::NullBurst]);
    same_but(&batch, &["trip_miles"]);
    assert!(floats(&batch, "trip_miles").null_count() > 15_000);

    let batch = planted(20_000, &[Plant::NegativeFares]);
    same_but(&batch, &["fare"]);
    let negative = share(&batch, |row| floats(&batch, "fare").value(row) < 0.0);
    assert!((0.001..0.003).contains(&negative), "{negative}");

    let batch = planted(20_000, &[Plant::TypeChange]);
    same_but(&batch, &["trip_seconds"]);
    assert_eq!(batch.column_by_name("trip_seconds").unwrap().data_type(), &DataType::Utf8);
    let first = ints(&sound, "trip_seconds").value(0);
    assert_eq!(texts(&batch, "trip_seconds").value(0), format!("{first}s"));

    let batch = planted(20_000, &[Plant::ShiftedSpan]);
    let rise = mean(floats(&batch, "fare")) / mean(floats(&sound, "fare"));
    assert!((1.12..1.24).contains(&rise), "{rise}");
    let night = |batch: &RecordBatch| share(batch, |row| ints(batch, "trip_start_hour").value(row) < 5);
    assert!(night(&batch) > 1.5 * night(&sound));
}

#[test]
fn plants_have_names() {
    for plant in Plant::ALL {
        assert_eq!(plant.to_string().parse(), Ok(plant));
    }
    assert!("earthquake".parse::<Plant>().unwrap_err().to_string().starts_with("`earthquake` cannot be planted"));
}
