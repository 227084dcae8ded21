//! Parquet from other tools, and tables written by this crate.
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DurationMicrosecondArray,
    FixedSizeListArray, Float32Array, Float64Array, Int32Array, Int64Array, Int64Builder, LargeListArray, ListArray,
    MapBuilder, RecordBatch, StringArray, StringBuilder, StructArray, UInt64Array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Float64Type, Int32Type, Int64Type};
use parquet::arrow::ArrowWriter;
use parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
use parquet::file::properties::WriterProperties;
use proptest::prelude::*;
use tidemill_core::{Code, Coded as _};
use tidemill_data::{DataError, ReadOptions, Table, TaxiOptions, generate_taxi, list_of, open_table, write_table};

fn write(path: &Path, columns: Vec<(&str, ArrayRef)>, group_rows: usize) {
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true))).unwrap();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(group_rows)).build();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn read(path: &Path) -> Result<RecordBatch, DataError> {
    let reader = open_table(path, &ReadOptions::default())?;
    let schema = reader.schema();
    let batches = reader.collect::<Result<Vec<_>, _>>()?;
    Ok(concat_batches(&schema, &batches).unwrap())
}

#[test]
fn other_types_become_the_four() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.parquet");
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("int", Arc::new(Int32Array::from(vec![Some(0), None, Some(-3)]))),
        ("float", Arc::new(Float32Array::from(vec![Some(0.0), Some(0.5), None]))),
        ("flag", Arc::new(BooleanArray::from(vec![Some(false), None, Some(true)]))),
        ("day", Arc::new(Date32Array::from(vec![Some(19_782), None, Some(0)]))),
        ("text", Arc::new(StringArray::from(vec![Some(""), Some("x"), None]))),
    ];
    write(&path, columns, 2);
    let batch = read(&path).unwrap();
    // Zeros, false and empty text are values, not missing.
    assert_eq!(batch.column(0).as_primitive::<Int64Type>(), &Int64Array::from(vec![Some(0), None, Some(-3)]));
    assert_eq!(batch.column(1).as_primitive::<Float64Type>(), &Float64Array::from(vec![Some(0.0), Some(0.5), None]));
    assert_eq!(batch.column(2).as_boolean(), &BooleanArray::from(vec![Some(false), None, Some(true)]));
    let day = StringArray::from(vec![Some("2024-02-29"), None, Some("1970-01-01")]);
    assert_eq!(batch.column(3).as_string::<i32>(), &day);
    assert_eq!(batch.column(4).as_string::<i32>(), &StringArray::from(vec![Some(""), Some("x"), None]));
}

#[test]
fn what_does_not_fit_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.parquet");
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![Some(1)])]);
    let field = Arc::new(Field::new_list_field(list.data_type().clone(), true));
    let lists = ListArray::new(field, OffsetBuffer::from_lengths([1]), Arc::new(list), None);
    write(&path, vec![("tags", Arc::new(lists))], 10);
    let error = read(&path).unwrap_err();
    assert_eq!(error.code(), Code::ColumnType);
    assert!(error.to_string().contains("column `tags` is a list of lists; lists of numbers"), "{error}");

    std::fs::write(&path, "").unwrap();
    assert_eq!(read(&path).unwrap_err().code(), Code::SourceEmpty);
    write(&path, vec![("id", Arc::new(Int64Array::from(Vec::<i64>::new())))], 10);
    assert_eq!(read(&path).unwrap_err().code(), Code::SourceEmpty);
    std::fs::write(&path, "a,b\n1,2\n").unwrap();
    let error = read(&path).unwrap_err();
    assert_eq!(error.code(), Code::SourceMalformed);
    assert!(error.to_string().contains("not Parquet, or cut short or damaged"), "{error}");
}

#[test]
fn columns_that_cannot_be_read_are_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.parquet");
    let x: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![Some(1)]), None]);
    let field = Arc::new(Field::new_list_field(list.data_type().clone(), true));
    let lists = ListArray::new(field, OffsetBuffer::from_lengths([1, 1]), Arc::new(list), None);
    let mut map = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
    for value in [1, 2] {
        map.keys().append_value("k");
        map.values().append_value(value);
        map.append(true).unwrap();
    }
    write(&path, vec![("m", Arc::new(map.finish())), ("x", x.clone()), ("n", Arc::new(lists))], 10);
    let table = Table::open(&path, &ReadOptions::default()).unwrap();
    assert_eq!(
        table.warnings(),
        [
            "column `m` is left out: it is a map; write each key that is wanted as a column of its own",
            "column `n` is left out: it is a list of lists; lists of numbers, text and booleans are read",
        ]
    );
    let batch = read(&path).unwrap();
    assert_eq!((batch.num_columns(), batch.column(0)), (1, &x));
    let error = table.select(&["m"]).unwrap_err();
    assert!(
        error.to_string().ends_with("column `m` is a map; write each key that is wanted as a column of its own"),
        "{error}"
    );
    let columns = Some(vec!["x".to_owned()]);
    let only = Table::open(&path, &ReadOptions { columns, ..ReadOptions::default() }).unwrap();
    assert!(only.warnings().is_empty());
}

#[test]
fn whole_numbers_and_decimals_are_exact() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.parquet");
    let decimals = |values: Vec<i128>, digits, scale| -> ArrayRef {
        Arc::new(Decimal128Array::from(values).with_precision_and_scale(digits, scale).unwrap())
    };
    let columns = |big: [u64; 2]| -> Vec<(&str, ArrayRef)> {
        vec![
            ("big", Arc::new(UInt64Array::from(big.to_vec()))),
            ("small", Arc::new(UInt64Array::from(vec![5, 7]))),
            ("id", decimals(vec![9_007_199_254_740_993, 9_007_199_254_740_992], 20, 0)),
            ("price", decimals(vec![1_234_500_000_000, 5], 38, 10)),
            ("third", decimals(vec![333_333_333_333_333_333, 1], 38, 18)),
            ("waited", Arc::new(DurationMicrosecondArray::from(vec![Some(1_500_000), None]))),
        ]
    };
    write(&path, columns([u64::MAX, 7]), 1);
    let batch = read(&path).unwrap();
    let column = |name: &str| batch.column_by_name(name).unwrap().clone();
    assert_eq!(column("big").as_string::<i32>(), &StringArray::from(vec!["18446744073709551615", "7"]));
    assert_eq!(column("small").as_primitive::<Int64Type>(), &Int64Array::from(vec![5, 7]));
    let ids = Int64Array::from(vec![9_007_199_254_740_993, 9_007_199_254_740_992]);
    assert_eq!(column("id").as_primitive::<Int64Type>(), &ids);
    assert_eq!(column("price").as_primitive::<Float64Type>().value(0), 123.45);
    assert_eq!(column("third").as_primitive::<Float64Type>().value(0), 1.0 / 3.0);
    assert_eq!(column("waited").as_primitive::<Int64Type>(), &Int64Array::from(vec![Some(1_500_000), None]));
    let table = Table::open(&path, &ReadOptions::default()).unwrap();
    let about: Vec<&str> = table.warnings().iter().filter_map(|warning| warning.split('`').nth(1)).collect();
    assert_eq!(about, ["waited", "big", "third"]);
    // A file whose numbers all fit beside one whose numbers do not.
    write(&dir.path().join("u.parquet"), columns([1, 2]), 10);
    let both = read(dir.path()).unwrap();
    let expected = StringArray::from(vec!["18446744073709551615", "7", "1", "2"]);
    assert_eq!(both.column_by_name("big").unwrap().as_string::<i32>(), &expected);
}

/// Written by pyarrow 21; 20 rows of two columns each.
#[test]
fn every_common_compression_is_read() {
    for codec in ["gzip", "lz4", "brotli"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/parquet/{codec}.parquet"));
        let batch = read(&path).unwrap();
        assert_eq!((batch.num_rows(), batch.num_columns()), (20, 2), "{codec}");
    }
    // Both framings of LZ4, and the rest, as this library writes them.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.parquet");
    let values: ArrayRef = Arc::new(Int64Array::from_iter_values((0..5_000).map(|i| i % 7)));
    let batch = RecordBatch::try_from_iter([("x", values)]).unwrap();
    for codec in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::BROTLI(BrotliLevel::default()),
        Compression::LZ4,
        Compression::LZ4_RAW,
        Compression::ZSTD(ZstdLevel::default()),
    ] {
        let properties = WriterProperties::builder().set_compression(codec).build();
        let file = File::create(&path).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        assert_eq!(read(&path).unwrap().column(0), batch.column(0), "{codec}");
    }
}

#[test]
fn lists_bytes_and_structs_become_columns() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.parquet");
    let tags =
        ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![Some(1), None]), None, Some(Vec::new())]);
    let vector = FixedSizeListArray::from_iter_primitive::<Float64Type, _, _>(
        vec![Some(vec![Some(0.5), Some(1.5)]), Some(vec![Some(2.5), Some(3.5)]), None],
        2,
    );
    let large = LargeListArray::from_iter_primitive::<Int64Type, _, _>(vec![Some(vec![Some(7)]); 3]);
    let image = BinaryArray::from_opt_vec(vec![Some(b"\x89PNG".as_slice()), Some(b"abc"), None]);
    let name = BinaryArray::from_opt_vec(vec![Some("é".as_bytes()), None, Some(b"")]);
    let age: ArrayRef = Arc::new(Int64Array::from(vec![Some(30), Some(40), None]));
    let home: ArrayRef = Arc::new(StructArray::from(vec![(
        Arc::new(Field::new("zip", DataType::Utf8, true)),
        Arc::new(StringArray::from(vec![Some("a"), Some("b"), Some("c")])) as ArrayRef,
    )]));
    let members = vec![Field::new("age", DataType::Int64, true), Field::new("home", home.data_type().clone(), true)];
    // The second rider is missing, though its members have values.
    let there = NullBuffer::from(vec![true, false, true]);
    let rider = StructArray::new(members.into(), vec![age, home], Some(there));
    write(
        &path,
        vec![
            ("tags", Arc::new(tags)),
            ("vector", Arc::new(vector)),
            ("large", Arc::new(large)),
            ("image", Arc::new(image.clone())),
            ("name", Arc::new(name)),
            ("rider", Arc::new(rider)),
        ],
        2,
    );
    let batch = read(&path).unwrap();
    let schema = batch.schema();
    let types: Vec<(&str, &DataType)> = schema.fields().iter().map(|f| (f.name().as_str(), f.data_type())).collect();
    assert_eq!(
        types,
        [
            ("tags", &list_of(DataType::Int64)),
            ("vector", &list_of(DataType::Float64)),
            ("large", &list_of(DataType::Int64)),
            ("image", &DataType::Binary),
            ("name", &DataType::Utf8),
            ("rider.age", &DataType::Int64),
            ("rider.home.zip", &DataType::Utf8),
        ]
    );
    let expected = vec![Some(vec![Some(1), None]), None, Some(Vec::new())];
    let expected = ListArray::from_iter_primitive::<Int64Type, _, _>(expected);
    assert_eq!(batch.column(0).as_list::<i32>(), &expected);
    assert_eq!(batch.column(3).as_binary::<i32>(), &image);
    assert_eq!(batch.column(4).as_string::<i32>(), &StringArray::from(vec![Some("é"), None, Some("")]));
    assert_eq!(batch.column(5).as_primitive::<Int64Type>(), &Int64Array::from(vec![Some(30), None, None]));
    assert_eq!(batch.column(6).as_string::<i32>(), &StringArray::from(vec![Some("a"), None, Some("c")]));

    // What was read is written and read again; text formats refuse what they cannot hold, by name.
    let copy = dir.path().join("copy.parquet");
    write_table(&copy, std::iter::once(Ok(batch.clone()))).unwrap();
    assert_eq!(read(&copy).unwrap(), batch);
    let error = write_table(&dir.path().join("t.csv"), std::iter::once(Ok(batch.clone()))).unwrap_err();
    assert!(error.to_string().contains("column `tags` is a list, which CSV cannot hold; Parquet can"), "{error}");
    let error = write_table(&dir.path().join("t.jsonl"), std::iter::once(Ok(batch))).unwrap_err();
    assert!(error.to_string().contains("column `image` is of type bytes, which JSON lines cannot hold"), "{error}");
    assert!(!dir.path().join("t.csv").exists() && !dir.path().join("t.jsonl").exists());
}

#[test]
fn files_of_a_folder_agree_on_types() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("a.parquet"), vec![("x", Arc::new(Int64Array::from(vec![1])))], 10);
    write(&dir.path().join("b.parquet"), vec![("x", Arc::new(Float64Array::from(vec![2.5])))], 10);
    let batch = read(dir.path()).unwrap();
    assert_eq!(batch.column(0).as_primitive::<Float64Type>(), &Float64Array::from(vec![1.0, 2.5]));
    write(&dir.path().join("c.parquet"), vec![("x", Arc::new(StringArray::from(vec!["2.5"])))], 10);
    let error = read(dir.path()).unwrap_err();
    assert_eq!(error.code(), Code::SchemasDiffer);
    assert!(error.to_string().contains("column `x` is Utf8 in the former and Float64 in the latter"), "{error}");
}

#[test]
fn a_large_row_group_is_read_in_pieces() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.parquet");
    let values = || 0..300_000_i64;
    write(&path, vec![("x", Arc::new(Int64Array::from_iter_values(values())))], 1_000_000);
    let reader = open_table(&path, &ReadOptions::default()).unwrap();
    assert_eq!(reader.row_count(), Some(300_000));
    let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    assert!(batches.iter().all(|batch| (1..=65_536).contains(&batch.num_rows())));
    let found = batches.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec());
    assert!(found.eq(values()));
}

#[test]
fn damaged_bytes_never_panic() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.parquet");
    let trips = TaxiOptions { rows: 40, ..TaxiOptions::default() };
    write_table(&path, generate_taxi(&trips).map(Ok)).unwrap();
    let sound = std::fs::read(&path).unwrap();
    for cut in (0..sound.len()).step_by(97) {
        std::fs::write(&path, &sound[..cut]).unwrap();
        assert!(read(&path).is_err(), "cut at {cut}");
    }
    for at in (0..sound.len()).step_by(7) {
        let mut bytes = sound.clone();
        bytes[at] ^= 0xff;
        std::fs::write(&path, bytes).unwrap();
        // A flipped bit in a value cannot be noticed; all else is an error.
        let _ = read(&path);
    }
}

#[test]
fn tables_are_written_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let trips = TaxiOptions { rows: 70_000, ..TaxiOptions::default() };
    for name in ["t.csv", "t.tsv", "t.csv.gz", "t.parquet"] {
        let path = dir.path().join(name);
        assert_eq!(write_table(&path, generate_taxi(&trips).map(Ok)).unwrap(), 70_000, "{name}");
        let before = std::fs::read(&path).unwrap();
        let failing = generate_taxi(&trips).map(Ok).chain([Err(DataError::Params { message: "stop".to_owned() })]);
        assert_eq!(write_table(&path, failing).unwrap_err().to_string(), "stop");
        assert_eq!(std::fs::read(&path).unwrap(), before, "{name}");
        let expected =
            concat_batches(&generate_taxi(&trips).next().unwrap().schema(), &generate_taxi(&trips).collect::<Vec<_>>());
        assert_eq!(read(&path).unwrap(), expected.unwrap(), "{name}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 4, "drafts are left behind");
    let nowhere = dir.path().join("none/t.csv");
    assert_eq!(write_table(&nowhere, generate_taxi(&trips).map(Ok)).unwrap_err().code(), Code::Io);
    let unknown = dir.path().join("t.xlsx");
    assert_eq!(write_table(&unknown, generate_taxi(&trips).map(Ok)).unwrap_err().code(), Code::UnknownFormat);
    assert_eq!(write_table(&dir.path().join("e.csv"), std::iter::empty()).unwrap_err().code(), Code::Params);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.parquet");
        std::fs::write(&path, [b"PAR1", &bytes[..], b"PAR1"].concat()).unwrap();
        prop_assert!(read(&path).is_err());
    }
}
