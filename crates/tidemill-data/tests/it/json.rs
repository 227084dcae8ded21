//! JSON lines from file to rows.
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, ListArray, RecordBatch, StringArray,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema};
use flate2::write::GzEncoder;
use proptest::prelude::*;
use tempfile::TempDir;
use tidemill_core::{Code, Coded as _};
use tidemill_data::{DataError, Format, ReadOptions, Table, list_of, open_table, write_table};

fn file(name: &str, bytes: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (dir, path)
}

fn read(path: &Path, options: &ReadOptions) -> Result<RecordBatch, DataError> {
    let table = Table::open(path, options)?;
    let reader = table.read()?;
    let schema = reader.schema();
    let batches = reader.collect::<Result<Vec<_>, _>>()?;
    let all = concat_batches(&schema, &batches)?;
    assert_eq!(table.row_count(), Some(all.num_rows() as u64));
    Ok(all)
}

fn rows(text: impl AsRef<[u8]>) -> Result<RecordBatch, DataError> {
    let (_dir, path) = file("t.jsonl", text);
    read(&path, &ReadOptions::default())
}

fn columns(batch: &RecordBatch) -> Vec<(String, DataType)> {
    batch.schema().fields().iter().map(|field| (field.name().clone(), field.data_type().clone())).collect()
}

fn named(columns: &[(&str, DataType)]) -> Vec<(String, DataType)> {
    columns.iter().map(|(name, data_type)| ((*name).to_owned(), data_type.clone())).collect()
}

#[test]
fn types_hold_for_all_rows_and_missing_keys_are_null() {
    let text = concat!(
        "\u{feff}{\"int\": 1, \"num\": 2, \"flag\": true, \"text\": \"7\"}\r\n",
        "\r\n",
        "{\"num\": 2.5, \"int\": null, \"late\": \"\", \"mixed\": 1.50}\n",
        "{\"int\": -9223372036854775808, \"mixed\": false, \"text\": \"é\\n\"}\n",
        "{\"big\": 9223372036854775808, \"mixed\": \"x\"}",
    );
    let batch = rows(text).unwrap();
    let expected: Vec<(&str, ArrayRef)> = vec![
        ("int", Arc::new(Int64Array::from(vec![Some(1), None, Some(i64::MIN), None]))),
        ("num", Arc::new(Float64Array::from(vec![Some(2.0), Some(2.5), None, None]))),
        ("flag", Arc::new(BooleanArray::from(vec![Some(true), None, None, None]))),
        ("text", Arc::new(StringArray::from(vec![Some("7"), None, Some("é\n"), None]))),
        ("late", Arc::new(StringArray::from(vec![None, Some(""), None, None]))),
        ("mixed", Arc::new(StringArray::from(vec![None, Some("1.5"), Some("false"), Some("x")]))),
        ("big", Arc::new(StringArray::from(vec![None, None, None, Some("9223372036854775808")]))),
    ];
    for (i, (name, array)) in expected.iter().enumerate() {
        assert_eq!(batch.schema().field(i).name(), name);
        assert_eq!(batch.column(i), array, "{name}");
    }
}

#[test]
fn members_of_objects_are_columns() {
    let batch = rows("{\"a\": null, \"b\": {}}\n{\"a\": {\"x\": 1, \"y\": {\"z\": true}}}\n{\"a\": null}\n").unwrap();
    assert_eq!(columns(&batch), named(&[("a.x", DataType::Int64), ("a.y.z", DataType::Boolean)]));
    assert_eq!(batch.column(0).null_count(), 2);
}

#[test]
fn what_breaks_a_rule_is_located() {
    let cases: &[(&str, Code, &str)] = &[
        ("{\"a\": 1}\n\n{\"a\": 1,}\n", Code::SourceMalformed, "t.jsonl` line 3 column 9: trailing comma"),
        ("{\"a\": 1}\n{\"b\": 1, \"b\": 2}\n", Code::SourceMalformed, "line 2 column 15: key `b` is there twice"),
        ("{\"b\": null, \"b\": 2}\n", Code::SourceMalformed, "column 18: key `b` is there twice"),
        ("{\"b\": {\"c\": 1}, \"b\": {\"d\": 1}}", Code::SourceMalformed, "key `b` is there twice"),
        ("{\"b\": 1, \"b\": {\"d\": 1}}", Code::SourceMalformed, "key `b` is there twice"),
        ("{\"b\": {\"d\": 1}, \"b\": 1}", Code::SourceMalformed, "key `b` is there twice"),
        ("{\"b\": {\"c\": 1}, \"b.c\": 1}", Code::SourceMalformed, "key `b.c` is there twice"),
        ("{\"a\": {\"b\": [{}]}}\n", Code::ColumnType, "column `a.b` holds a list of objects"),
        ("{\"a\": 1}\n[{\"a\": 1}]\n", Code::SourceMalformed, "line 2 column 1: sequence, expected an object"),
        ("[{\"a\": 1}, 7]\n", Code::SourceMalformed, "element 2 of the array: integer `7`, expected an object"),
        ("[{\"a\": 1}\n", Code::SourceMalformed, "the file ends before the array does"),
        ("[{\"a\": 1}]\n{}", Code::SourceMalformed, "there is something behind the end of the array"),
        ("[{\"a\": 1},\n {\"a\": x}]", Code::SourceMalformed, "element 2 of the array: expected value"),
        ("{\n  \"a\": 1\n}\n", Code::SourceMalformed, "line 1 column 1: the line ends inside the object"),
        ("{\"a\": NaN}\n", Code::SourceMalformed, "line 1 column 7: expected value"),
        ("", Code::SourceEmpty, "is empty"),
        ("\n \n", Code::SourceEmpty, "is empty"),
        ("{}\n{}\n", Code::SourceMalformed, "no row has a key"),
    ];
    for (text, code, message) in cases {
        let error = rows(text).unwrap_err();
        assert!(error.to_string().contains(message), "{text:?}: {error}");
        assert_eq!(error.code(), *code, "{text:?}: {error}");
    }
    let error = rows(b"{\"a\": \"\xff\"}\n").unwrap_err();
    assert!(error.to_string().contains("line 1: byte 0xff at offset 7"), "{error}");
    let error = rows(format!("{{\"a\": \"{}\"}}", "x".repeat(70 << 20))).unwrap_err();
    assert!(error.to_string().contains("line 1: a line is longer than 64 MiB"), "{error}");
}

#[test]
fn an_array_of_objects_is_read_as_its_objects() {
    let lines = "{\"a\": 1, \"b\": {\"c\": \"x, [y]\"}}\n{\"a\": 2.5, \"l\": [1, 2]}\n{}\n";
    let expected = rows(lines).unwrap();
    let array = format!("[{}]", lines.trim_end().replace('\n', ","));
    assert_eq!(rows(&array).unwrap(), expected);
    let values: serde_json::Value = serde_json::from_str(&array).unwrap();
    let pretty = serde_json::to_string_pretty(&values).unwrap();
    assert_eq!(rows(format!("\u{feff}\n {pretty}\n\n")).unwrap(), expected);
}

#[test]
fn what_is_nested_in_lists_is_left_out() {
    let text = "{\"x\": 1, \"deep\": [[1]], \"items\": [{\"n\": 1}]}\n{\"x\": 2, \"deep\": [], \"items\": 3}\n";
    let (_dir, path) = file("t.jsonl", text);
    let table = Table::open(&path, &ReadOptions::default()).unwrap();
    assert_eq!(columns(&rows(text).unwrap()), named(&[("x", DataType::Int64)]));
    assert_eq!(
        table.warnings(),
        [
            "column `deep` is left out: it holds a list of lists; lists of single values are read",
            "column `items` is left out: it holds a list of objects; lists of single values are read",
        ]
    );
    let asked = ReadOptions { columns: Some(vec!["deep".to_owned()]), ..ReadOptions::default() };
    let error = read(&path, &asked).unwrap_err();
    assert_eq!(error.code(), Code::ColumnType);
    assert!(error.to_string().contains("column `deep` holds a list of lists"), "{error}");
}

#[test]
fn long_numbers_keep_every_digit() {
    let text = "{\"id\": 18446744073709551616, \"x\": 1}\n{\"id\": 18446744073709551617, \"x\": 18446744073709551615}\n{\"id\": 7, \"x\": 0.5}\n";
    let batch = rows(text).unwrap();
    assert_eq!(columns(&batch), named(&[("id", DataType::Utf8), ("x", DataType::Float64)]));
    let expected = StringArray::from(vec!["18446744073709551616", "18446744073709551617", "7"]);
    assert_eq!(batch.column(0).as_ref(), &expected);
}

#[test]
fn more_columns_than_can_be_read_are_refused() {
    let keys: Vec<String> = (0..40_000).map(|i| format!("\"k{i}\":1")).collect();
    let error = rows(format!("{{{}}}", keys.join(","))).unwrap_err();
    assert!(error.to_string().contains("more than the 32768 columns"), "{error}");
    // A few rows with many keys among many rows with none: memory follows the batches, not the file.
    let text = format!("{{{}}}\n{}", keys[..30_000].join(","), "{}\n".repeat(2_000));
    let (_dir, path) = file("t.jsonl", text);
    let batches: Vec<_> = open_table(&path, &ReadOptions::default()).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 2_001);
    assert!(batches.iter().all(|batch| batch.num_rows() <= 256));
}

#[test]
fn files_of_a_folder_may_have_different_keys() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.jsonl"), "{\"x\": 1, \"o\": null}\n").unwrap();
    std::fs::write(dir.path().join("b.ndjson"), "{\"y\": \"t\", \"x\": 2.5, \"o\": {\"p\": 1}}\n").unwrap();
    let batch = read(dir.path(), &ReadOptions::default()).unwrap();
    assert_eq!(columns(&batch), named(&[("x", DataType::Float64), ("y", DataType::Utf8), ("o.p", DataType::Int64)]));
    std::fs::write(dir.path().join("c.csv"), "x\n1\n").unwrap();
    let error = read(dir.path(), &ReadOptions::default()).unwrap_err();
    assert!(error.to_string().contains("one is CSV, the other JSON lines"), "{error}");
}

#[test]
fn types_and_columns_can_be_asked_for() {
    let (_dir, path) = file("t.json", "{\"a\": \"1\", \"b\": 2.0, \"c\": 5}\n{\"a\": \"\", \"b\": 3, \"c\": true}\n");
    let types = Arc::new(Schema::new(vec![
        Field::new("a", DataType::Int64, true),
        Field::new("b", DataType::Int64, true),
        Field::new("c", DataType::Utf8, true),
    ]));
    let options = ReadOptions { types: Some(types), columns: Some(vec!["b".into(), "a".into()]), ..Default::default() };
    let batch = read(&path, &options).unwrap();
    assert_eq!(batch.column(0).as_ref(), &Int64Array::from(vec![2, 3]));
    assert_eq!(batch.column(1).as_ref(), &Int64Array::from(vec![Some(1), None]));
    let types = Arc::new(Schema::new(vec![Field::new("c", DataType::Int64, true)]));
    let error = read(&path, &ReadOptions { types: Some(types), ..Default::default() }).unwrap_err();
    assert!(
        error.to_string().contains("line 2 column 27: column `c` is `true`, which is not a whole number"),
        "{error}"
    );
}

#[test]
fn gzip_is_recognised_and_damage_found() {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut encoder, "{\"a\": 1}\n".repeat(1_000).as_bytes()).unwrap();
    let bytes = encoder.finish().unwrap();
    let (_dir, path) = file("t.json.gz", &bytes);
    assert_eq!(read(&path, &ReadOptions::default()).unwrap().num_rows(), 1_000);
    std::fs::write(&path, &bytes[..bytes.len() - 9]).unwrap();
    let error = read(&path, &ReadOptions::default()).unwrap_err();
    assert!(error.to_string().contains("the compressed data is damaged"), "{error}");
}

#[test]
fn many_blocks_are_read_in_order() {
    let lines: Vec<String> = (0..700_000).map(|i| format!("{{\"id\":{i},\"t\":\"row {i}\"}}")).collect();
    let batch = rows(lines.join("\n")).unwrap();
    assert_eq!(batch.column(0).as_ref(), &Int64Array::from_iter_values(0..700_000));
}

fn cells() -> impl Strategy<Value = (Option<i64>, Option<f64>, Option<bool>, Option<String>)> {
    let finite = any::<f64>().prop_filter("JSON has only finite numbers", |value| value.is_finite());
    (any::<Option<i64>>(), prop::option::of(finite), any::<Option<bool>>(), any::<Option<String>>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read_back(rows in prop::collection::vec(cells(), 1..40), gzip: bool) {
        let ints: Int64Array = rows.iter().map(|row| row.0).chain([Some(1)]).collect();
        let floats: Float64Array = rows.iter().map(|row| row.1).chain([Some(0.5)]).collect();
        let flags: BooleanArray = rows.iter().map(|row| row.2).chain([Some(true)]).collect();
        let texts: StringArray = rows.iter().map(|row| row.3.clone()).chain([Some(String::new())]).collect();
        let batch = RecordBatch::try_from_iter_with_nullable([
            ("i", Arc::new(ints) as ArrayRef, true),
            ("f\"", Arc::new(floats) as ArrayRef, true),
            ("b.c", Arc::new(flags) as ArrayRef, true),
            ("t", Arc::new(texts) as ArrayRef, true),
        ]).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(if gzip { "t.jsonl.gz" } else { "t.jsonl" });
        write_table(&path, std::iter::once(Ok(batch.clone()))).unwrap();
        let back = read(&path, &ReadOptions::default()).unwrap();
        prop_assert_eq!(back, batch);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = rows(bytes);
    }

    #[test]
    fn text_like_json_is_read_or_refused(text in r#"([{}\[\]",:0-9.\\n\n a-c-]|null|true|"a":){0,40}"#) {
        let (_dir, path) = file("t", &text);
        let _ = read(&path, &ReadOptions { format: Some(Format::Json), ..ReadOptions::default() });
    }
}

#[test]
fn lists_become_columns_of_lists() {
    let (_dir, path) = file(
        "t.jsonl",
        "{\"a\": [1, 2.5, null], \"t\": [], \"o\": {\"l\": [\"x\"]}}\n{\"a\": null, \"t\": 3}\n{\"a\": []}\n",
    );
    let batch = read(&path, &ReadOptions::default()).unwrap();
    assert_eq!(
        columns(&batch),
        named(&[("a", list_of(DataType::Float64)), ("t", list_of(DataType::Int64)), ("o.l", list_of(DataType::Utf8))])
    );
    let lists = |values: Vec<Option<Vec<Option<f64>>>>| ListArray::from_iter_primitive::<Float64Type, _, _>(values);
    let expected = lists(vec![Some(vec![Some(1.0), Some(2.5), None]), None, Some(Vec::new())]);
    assert_eq!(batch.column(0).as_list::<i32>(), &expected);
    assert_eq!(batch.column(1).as_list::<i32>().value_length(0), 0);
    assert_eq!(batch.column(1).as_list::<i32>().value(1).as_primitive::<Int64Type>().values(), &[3], "a list of one");
    assert!(batch.column(1).is_null(2));
    // And back.
    let copy = path.with_file_name("copy.jsonl");
    write_table(&copy, std::iter::once(Ok(batch.clone()))).unwrap();
    assert_eq!(read(&copy, &ReadOptions::default()).unwrap(), batch);
}

#[test]
fn a_last_line_that_is_cut_off_is_left_out_with_a_warning() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    let whole = "{\"x\":1,\"y\":\"a\"}\n{\"x\":2,\"y\":\"\u{e9}\"}\n{\"x\":3,\"y\":\"b\"}";
    let second_end = whole.match_indices('\n').nth(1).unwrap().0 + 1;
    for end in second_end..=whole.len() {
        std::fs::write(&path, &whole.as_bytes()[..end]).unwrap();
        let table = Table::open(&path, &ReadOptions::default()).unwrap();
        let rows: usize = table.read().unwrap().map(|batch| batch.unwrap().num_rows()).sum();
        let is_whole = end == whole.len();
        assert_eq!(rows, if is_whole { 3 } else { 2 }, "cut at {end}");
        assert_eq!(table.row_count(), Some(rows as u64));
        let warnings: Vec<&String> =
            table.warnings().iter().filter(|warning| warning.contains("ends in the middle")).collect();
        assert_eq!(warnings.len(), usize::from(!is_whole && end > second_end), "cut at {end}: {warnings:?}");
    }
    // A line in the middle, or the only one, is an error as before.
    for broken in ["{\"x\":1}\n{\"x\":\n{\"x\":3}\n", "{\"x\":"] {
        std::fs::write(&path, broken).unwrap();
        assert!(Table::open(&path, &ReadOptions::default()).is_err(), "{broken}");
    }
}
