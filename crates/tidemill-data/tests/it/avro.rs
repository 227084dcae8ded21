//! Avro: recorded files of another tool, and damaged ones.
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::util::display::array_value_to_string;
use proptest::prelude::*;
use tidemill_core::{Code, Coded as _};
use tidemill_data::{DataError, Format, ReadOptions, Table};

fn recorded(codec: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/trips-{codec}.avro"))
}

fn read(path: &Path) -> Result<RecordBatch, DataError> {
    let table = Table::open(path, &ReadOptions { format: Some(Format::Avro), ..ReadOptions::default() })?;
    let reader = table.read()?;
    let schema = reader.schema();
    let batches = reader.collect::<Result<Vec<_>, _>>()?;
    let all = concat_batches(&schema, &batches)?;
    assert_eq!(table.row_count(), Some(all.num_rows() as u64));
    Ok(all)
}

fn read_bytes(content: &[u8]) -> Result<RecordBatch, DataError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.avro");
    std::fs::write(&path, content).unwrap();
    read(&path)
}

fn message(content: &[u8]) -> String {
    read_bytes(content).unwrap_err().to_string().split_once("`: ").unwrap().1.to_owned()
}

/// Written by the Python package `fastavro` (see `tests/data/make.py`).
#[test]
fn files_of_another_tool_are_read() {
    let batch = read(&recorded("null")).unwrap();
    let shown: Vec<String> = batch
        .schema()
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, column)| {
            let cell = |row| {
                if column.is_null(row) { "-".to_owned() } else { array_value_to_string(column, row).unwrap() }
            };
            format!("{} {}: {} | {}", field.name(), field.data_type(), cell(0), cell(1))
        })
        .collect();
    assert_eq!(
        shown,
        [
            "id Int64: 1 | -2",
            "seconds Int64: 0 | -",
            "fare Float64: 0.0 | -",
            "share Float64: 0.5 | -0.25",
            "shared Boolean: false | true",
            "company Utf8:  | -",
            "payment Utf8: Cash | Card",
            "day Utf8: 2024-02-29 | 1969-12-31",
            "start Utf8: 2024-02-29T12:00:00.500Z | -",
            "end Utf8: 2024-02-29T12:00:00.500Z | 2024-02-29T12:00:00.500Z",
            "local Utf8: 2024-02-29T12:00:00.500 | 2024-02-29T12:00:00.500",
            "tip Float64: 1.25 | -3.0",
            "key Utf8: 00000000-0000-0000-0000-000000000001 | 00000000-0000-0000-0000-000000000002",
            "photo Binary: ffd8 | ",
            "note Utf8: café | ",
            "stops List(Int64): [1, 2] | []",
            "words List(Utf8): [a, ] | -",
            "rider.age Int64: 30 | -",
            "rider.city Utf8: Oslo | -",
        ]
    );
    for codec in ["deflate", "snappy", "zstandard"] {
        assert_eq!(read(&recorded(codec)).unwrap(), batch, "{codec}");
    }
}

#[test]
fn damage_is_found_and_located() {
    let whole = std::fs::read(recorded("null")).unwrap();
    let sync: Vec<u8> = (0..16).collect();
    let ends: Vec<usize> = (0..whole.len() - 15).filter(|at| whole[*at..*at + 16] == sync).map(|at| at + 16).collect();
    assert_eq!(ends.len(), 3, "a header and two blocks");
    // Cut short: no row is lost in silence.
    for end in 0..whole.len() {
        let cut = read_bytes(&whole[..end]);
        if end == ends[1] {
            assert_eq!(cut.unwrap().num_rows(), 1);
        } else {
            let error = cut.unwrap_err();
            let expected = if end == 0 || end == ends[0] { Code::SourceEmpty } else { Code::SourceMalformed };
            assert_eq!(error.code(), expected, "{end}: {error}");
        }
    }
    let mut wrong = whole.clone();
    wrong[ends[2] - 1] ^= 1;
    let expected =
        format!("block 2 at byte {}: the marker after it is not that of the file: the file is damaged", ends[1]);
    assert_eq!(message(&wrong), expected);
    let mut snappy = std::fs::read(recorded("snappy")).unwrap();
    let at = snappy.len() - 17;
    snappy[at] ^= 1;
    assert!(message(&snappy).contains("its checksum is wrong: the file is damaged"), "{}", message(&snappy));
    assert!(message(b"a,b\n1,2\n").contains("not an Avro file, or damaged"));
    let absurd = [&whole[..ends[0]], &[2], &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]].concat();
    assert!(message(&absurd).contains("it holds 9223372036854775807 bytes, more than the 64 MiB that are read"));
    let many = [&whole[..ends[0]], &[0xfe, 0xff, 0x7f], &[2, 0], &sync[..]].concat();
    assert!(message(&many).contains("records but holds 1 bytes"), "{}", message(&many));
}

/// A file with the schema and one block of so many records.
fn file(schema: &str, count: u8, records: &[u8]) -> Vec<u8> {
    let long = |value: usize, out: &mut Vec<u8>| {
        let mut rest = value << 1;
        while rest >= 0x80 {
            out.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        out.push(rest as u8);
    };
    let mut out = b"Obj\x01\x02".to_vec();
    for text in ["avro.schema", schema] {
        long(text.len(), &mut out);
        out.extend(text.as_bytes());
    }
    out.push(0);
    out.extend([7; 16]);
    long(usize::from(count), &mut out);
    long(records.len(), &mut out);
    out.extend(records);
    out.extend([7; 16]);
    out
}

#[test]
fn what_cannot_be_a_column_is_named() {
    let of = |field: &str| {
        let schema = format!(r#"{{"type":"record","name":"r","fields":[{{"name":"x","type":{field}}}]}}"#);
        message(&file(&schema, 1, &[0, 0, 0, 0]))
    };
    assert!(
        of(r#"["null","int","string"]"#).starts_with("column `x` is a union of several types"),
        "{}",
        of(r#"["null","int","string"]"#)
    );
    assert!(of(r#"{"type":"map","values":"int"}"#).starts_with("column `x` is a map"));
    let lists = of(r#"{"type":"array","items":{"type":"array","items":"int"}}"#);
    assert!(lists.starts_with("column `x` is a list of lists"), "{lists}");
    assert_eq!(of(r#"{"type":"array","items":"null"}"#), "column `x` is a list of nulls, which is not read");
    let schema = r#"{"type":"record","name":"r","fields":[]}"#;
    assert!(message(&file(schema, 1, &[0])).contains("has no fields"), "{}", message(&file(schema, 1, &[0])));
    assert!(message(&file("\"int\"", 1, &[2])).contains("not an Avro file, or damaged"));
    assert!(message(&file("{", 1, &[2])).contains("its schema is no JSON"));
    let schema = r#"{"type":"record","name":"r","fields":[{"name":"x","type":"int"}]}"#;
    assert!(
        message(&file(schema, 2, &[2, 0x80])).contains("block 1 at byte"),
        "{}",
        message(&file(schema, 2, &[2, 0x80]))
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn damaged_files_are_read_or_refused(
        codec in prop::sample::select(vec!["null", "deflate", "snappy", "zstandard"]),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut content = std::fs::read(recorded(codec)).unwrap();
        for (at, byte) in flips {
            let at = at.index(content.len());
            content[at] = byte;
        }
        let _ = read_bytes(&content);
    }

    #[test]
    fn any_records_are_read_or_refused(count in 1u8..5, records in prop::collection::vec(any::<u8>(), 1..60)) {
        let fields = r#"{"name":"s","type":"string"},{"name":"l","type":{"type":"array","items":"long"}},{"name":"o","type":["null","double"]}"#;
        let schema = format!(r#"{{"type":"record","name":"r","fields":[{fields}]}}"#);
        let _ = read_bytes(&file(&schema, count, &records));
    }
}
