//! Statistics of lists, bytes, pictures, times and running text, and the laws that merging keeps for them.

use std::io::Cursor;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, Float64Array, Float64Builder, Int64Builder, ListArray, ListBuilder, RecordBatch,
    StringArray, StringBuilder,
};
use proptest::prelude::*;
use tidemill_core::{DatasetStatistics, FeatureStatistics, FeatureType};
use tidemill_validation::DatasetAccumulator;

fn accumulate(batch: &RecordBatch) -> DatasetAccumulator {
    let mut accumulator = DatasetAccumulator::new(&batch.schema());
    accumulator.update(batch);
    accumulator
}

fn of(name: &str, array: ArrayRef) -> FeatureStatistics {
    let batch = RecordBatch::try_from_iter_with_nullable([(name, array, true)]).unwrap();
    let statistics = accumulate(&batch).finish("all");
    let text = serde_json::to_string(&statistics).unwrap();
    assert_eq!(serde_json::from_str::<DatasetStatistics>(&text).unwrap(), statistics, "JSON reads back");
    statistics.features.into_iter().next().unwrap()
}

fn floats(rows: &[Option<Vec<Option<f64>>>]) -> ListArray {
    let mut builder = ListBuilder::new(Float64Builder::new());
    for row in rows {
        match row {
            Some(values) => builder.append_value(values.iter().copied()),
            None => builder.append_null(),
        }
    }
    builder.finish()
}

#[test]
fn missing_empty_and_zero_are_three_things() {
    let rows = [None, Some(vec![]), Some(vec![Some(0.0)]), Some(vec![Some(1.0), None, Some(5.0)])];
    let feature = of("scores", Arc::new(floats(&rows)));
    let common = feature.common;
    assert_eq!(feature.feature_type, FeatureType::Float);
    assert_eq!((common.num_missing, common.num_non_missing, common.tot_num_values), (1, 3, 4));
    assert_eq!((common.min_num_values, common.max_num_values), (0, 3));
    assert!((common.avg_num_values - 4.0 / 3.0).abs() < 1e-12);
    let valency = feature.valency.unwrap();
    assert_eq!((valency.num_empty, valency.num_null_values), (1, 1));
    let buckets: Vec<_> = valency.num_values.buckets.iter().map(|b| (b.low, b.high, b.count)).collect();
    assert_eq!(buckets, [(0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 1.0, 1.0), (1.0, 3.0, 0.0), (3.0, 3.0, 1.0)]);
    let numbers = feature.numeric.unwrap();
    assert_eq!((numbers.mean, numbers.num_zeros, numbers.max), (2.0, 1, 5.0));
}

#[test]
fn what_lies_under_a_null_list_or_outside_a_slice_is_not_seen() {
    use arrow::buffer::{NullBuffer, OffsetBuffer};
    let field = Arc::new(arrow::datatypes::Field::new_list_field(arrow::datatypes::DataType::Float64, true));
    let values = Arc::new(Float64Array::from(vec![7.0, 9.0, 99.0, 1.0]));
    let lists = ListArray::new(
        field,
        OffsetBuffer::new(vec![0, 1, 3, 4].into()),
        values,
        Some(NullBuffer::from(vec![true, false, true])),
    );
    let feature = of("x", Arc::new(lists.clone()));
    assert_eq!((feature.common.tot_num_values, feature.numeric.unwrap().max), (2, 7.0));
    let feature = of("x", Arc::new(lists.slice(2, 1)));
    assert_eq!((feature.common.tot_num_values, feature.numeric.unwrap().max), (1, 1.0));
}

#[test]
fn lists_of_text_and_whole_numbers_have_the_statistics_of_their_values() {
    let mut builder = ListBuilder::new(StringBuilder::new());
    builder.append_value([Some("a"), Some("b")]);
    builder.append_value([Some("a")]);
    let feature = of("tags", Arc::new(builder.finish()));
    let text = feature.string.unwrap();
    assert_eq!((text.unique, text.top_values[0].value.as_str(), text.top_values[0].frequency), (2, "a", 2));
    let mut builder = ListBuilder::new(Int64Builder::new());
    builder.append_value([Some(3), Some(4)]);
    let feature = of("ids", Arc::new(builder.finish()));
    assert_eq!((feature.feature_type, feature.numeric.unwrap().mean), (FeatureType::Int, 3.5));
}

fn picture(format: image::ImageFormat, width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image::DynamicImage::new_rgb8(width, height).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

#[test]
fn bytes_have_lengths_and_pictures_have_sizes() {
    let (png, jpeg) = (picture(image::ImageFormat::Png, 4, 3), picture(image::ImageFormat::Jpeg, 16, 8));
    let cut = &png[..20];
    let values: Vec<Option<&[u8]>> =
        vec![Some(&png), Some(&jpeg), Some(&png), Some(cut), Some(b"text"), Some(&[0xff, 0xfe]), None];
    let feature = of("photo", Arc::new(BinaryArray::from(values)));
    assert_eq!((feature.feature_type, feature.common.num_missing), (FeatureType::Bytes, 1));
    let bytes = feature.bytes.unwrap();
    assert_eq!((bytes.unique, bytes.unique_is_estimate), (5, false));
    assert_eq!((bytes.min_num_bytes, bytes.max_num_bytes), (2, png.len().max(jpeg.len()) as u64));
    // Pictures and the last value; `text` is UTF-8.
    assert_eq!(bytes.invalid_utf8_count, 5);
    let images = bytes.images.unwrap();
    let formats: Vec<_> = images.formats.iter().map(|format| (format.value.as_str(), format.frequency)).collect();
    assert_eq!((images.num_images, images.num_unreadable, formats), (4, 1, vec![("png", 3), ("jpeg", 1)]));
    assert_eq!((images.width.min, images.width.max, images.height.mean), (4.0, 16.0, 14.0 / 3.0));
}

#[test]
fn text_that_is_times_is_known_as_such() {
    let values = vec!["2024-02-29T23:00:00", "2024-03-01 01:30:00", "2024-03-02", "soon"];
    let time = of("at", Arc::new(StringArray::from(values))).time.unwrap();
    assert_eq!((time.num_parsed, time.share), (3, 0.75));
    assert_eq!((time.min.as_str(), time.max.as_str()), ("2024-02-29T23:00:00", "2024-03-02T00:00:00"));
    assert_eq!((time.hours[23], time.hours[1], time.weekdays[3], time.weekdays[4], time.weekdays[5]), (1, 1, 1, 1, 1));
    assert_eq!((time.formats[0].value.as_str(), time.formats[0].frequency), ("date-time", 2));
    assert!(of("name", Arc::new(StringArray::from(vec!["a", "2024-01-01", "b"]))).time.is_none());
    let days = of("day", Arc::new(StringArray::from(vec!["2024-01-01", "2024-01-02"]))).time.unwrap();
    assert_eq!((days.min.as_str(), days.hours.len()), ("2024-01-01", 0));
}

#[test]
fn running_text_is_known_as_such() {
    let values: Vec<String> =
        (0..120).map(|i| if i < 100 { format!("the driver was late again {i}") } else { "no".into() }).collect();
    let language = of("complaint", Arc::new(StringArray::from(values))).language.unwrap();
    assert_eq!((language.min_tokens, language.max_tokens, language.is_text), (1, 6, true));
    assert!(
        (language.avg_tokens - 620.0 / 120.0).abs() < 1e-12 && (language.sentence_share - 100.0 / 120.0).abs() < 1e-12
    );
    assert!(of("payment", Arc::new(StringArray::from(vec!["Cash", "Credit Card"]))).language.is_none());
}

/// 12,000 different texts, a time and a few words each: beyond what is counted one by one.
fn many(seed: usize, rows: usize) -> RecordBatch {
    let text = |i: usize| format!("2024-01-{:02} 10:{:02}:{:02}", 1 + (i + seed) % 28, i / 60 % 60, i % 60);
    let times: StringArray = (0..rows).map(|i| Some(text(i))).collect();
    let words: StringArray = (0..rows).map(|i| Some(format!("word{} {}", i + seed, "more ".repeat(i % 5)))).collect();
    RecordBatch::try_from_iter([("time", Arc::new(times) as ArrayRef), ("words", Arc::new(words) as ArrayRef)]).unwrap()
}

#[test]
fn times_and_words_are_counted_beyond_what_is_held_and_merge() {
    let parts = [many(0, 30_000), many(7, 25_000), many(31, 4_000)];
    let whole = accumulate(&arrow::compute::concat_batches(&parts[0].schema(), &parts).unwrap()).finish("all");
    let mut merged = DatasetAccumulator::new(&parts[0].schema());
    for part in &parts {
        merged.merge(&accumulate(part));
    }
    let merged = merged.finish("all");
    let (got, expected) = (merged.feature("time").unwrap(), whole.feature("time").unwrap());
    assert_eq!((got.time.as_ref().unwrap().num_parsed, got.time.as_ref().unwrap().share), (59_000, 1.0));
    assert_eq!(got.time.as_ref().unwrap().weekdays, expected.time.as_ref().unwrap().weekdays);
    let (got, expected) = (merged.feature("words").unwrap(), whole.feature("words").unwrap());
    assert!(expected.string.as_ref().unwrap().unique_is_estimate);
    assert_eq!(got.language, expected.language);
    assert_eq!(got.language.as_ref().unwrap().max_tokens, 5);
}

#[test]
fn long_text_is_the_same_on_any_number_of_threads() {
    let values: StringArray = (0..3000).map(|i| Some(format!("{i} {}", "lorem ipsum é ".repeat(i % 97)))).collect();
    let batch = RecordBatch::try_from_iter([("t", Arc::new(values) as ArrayRef)]).unwrap();
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| accumulate(&batch).finish("all"))
    };
    assert_eq!(on(1), on(4));
}

fn part() -> impl Strategy<Value = RecordBatch> {
    let number = prop::option::weighted(0.9, (-20i32..20).prop_map(f64::from));
    let list = prop::option::weighted(0.8, prop::collection::vec(number, 0..5));
    let bytes =
        prop::option::weighted(0.8, prop::collection::vec(prop_oneof![Just(0x89u8), Just(b'P'), any::<u8>()], 0..6));
    let time = prop::option::of(prop_oneof!["2024-0[1-3]-1[0-9]", "2024-02-0[1-9]T0[0-9]:30:00Z", "[a-z ]{0,12}"]);
    prop::collection::vec((list, bytes, time), 0..40).prop_map(|rows| {
        let lists = floats(&rows.iter().map(|row| row.0.clone()).collect::<Vec<_>>());
        let bytes: BinaryArray = rows.iter().map(|row| row.1.clone()).collect();
        let times: StringArray = rows.iter().map(|row| row.2.clone()).collect();
        RecordBatch::try_from_iter_with_nullable([
            ("list", Arc::new(lists) as ArrayRef, true),
            ("bytes", Arc::new(bytes) as ArrayRef, true),
            ("time", Arc::new(times) as ArrayRef, true),
        ])
        .unwrap()
    })
}

/// Everything but moments of numbers, which agree up to rounding.
fn exact(feature: &FeatureStatistics) -> FeatureStatistics {
    let mut feature = feature.clone();
    if let Some(numbers) = &mut feature.numeric {
        (numbers.mean, numbers.std_dev) = (0.0, 0.0);
    }
    feature
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn merging_is_associative_commutative_has_an_identity_and_equals_one_pass(a in part(), b in part(), c in part()) {
        let [x, y, z] = [&a, &b, &c].map(accumulate);
        let whole = accumulate(&arrow::compute::concat_batches(&a.schema(), [&a, &b, &c]).unwrap()).finish("all");
        let merged = |parts: &[&DatasetAccumulator]| {
            let mut all = DatasetAccumulator::new(&a.schema());
            for part in parts {
                all.merge(part);
            }
            all
        };
        let yz = merged(&[&y, &z]);
        for candidate in [merged(&[&x, &y, &z]), merged(&[&x, &yz]), merged(&[&z, &y, &x])] {
            let candidate = candidate.finish("all");
            for (got, expected) in candidate.features.iter().zip(&whole.features) {
                prop_assert_eq!(exact(got), exact(expected));
            }
        }
    }
}
