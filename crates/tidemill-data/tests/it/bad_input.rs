//! Input that is broken or absurd: refused with its name, in bounded memory, or read.
use std::fmt::Write as _;
use std::path::Path;

use proptest::prelude::*;
use tidemill_core::{Code, Coded as _};
use tidemill_data::{
    CsvOptions, DataError, Decimal, Format, Header, ReadOptions, Table, TaxiOptions, generate_taxi, open_table,
    write_table,
};

fn rows(path: &Path, options: &ReadOptions) -> Result<usize, DataError> {
    let table = Table::open(path, options)?;
    let rows = table.read()?.try_fold(0, |rows, batch| Ok::<_, DataError>(rows + batch?.num_rows()))?;
    assert!(table.row_count().is_none_or(|count| count == rows as u64), "rows in are rows out");
    Ok(rows)
}

/// Thirty thousand columns are read; a hundred thousand are refused before a row is looked at.
#[test]
fn very_wide_files_are_read_or_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("wide.csv");
    for (columns, fits) in [(30_000, true), (100_000, false)] {
        let mut text = String::new();
        (0..columns).for_each(|i| write!(text, "{}c{i}", if i > 0 { "," } else { "" }).unwrap());
        for _ in 0..3 {
            text.push('\n');
            (0..columns).for_each(|i| write!(text, "{}{i}", if i > 0 { "," } else { "" }).unwrap());
        }
        std::fs::write(&path, text).unwrap();
        match rows(&path, &ReadOptions::default()) {
            Ok(rows) => assert_eq!((fits, rows), (true, 3)),
            Err(error) => {
                assert!(
                    !fits && error.to_string().contains("100000 columns, more than the 32768 that are read"),
                    "{error}"
                );
            }
        }
    }
}

/// A cell of 200 MB is refused after 64 MiB of it, quoted or not, in every format of lines and records.
#[test]
fn a_cell_of_200_megabytes_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let cell = vec![b'x'; 200_000_000];
    let wrapped = |head: &[u8], tail: &[u8]| [head, &cell, tail].concat();
    for (name, content, message) in [
        ("quoted.csv.zst", wrapped(b"a,b\n1,\"", b"\"\n"), "line 2: a row is longer than 64 MiB"),
        ("plain.csv.zst", wrapped(b"a,b\n1,", b"\n2,y\n"), "line 2: a row is longer than 64 MiB"),
        ("long.jsonl.zst", wrapped(b"{\"a\":\"", b"\"}\n"), "line 1: a line is longer than 64 MiB"),
    ] {
        let path = dir.path().join(name);
        std::fs::write(&path, zstd::encode_all(content.as_slice(), 1).unwrap()).unwrap();
        let error = rows(&path, &ReadOptions::default()).unwrap_err();
        assert_eq!(error.code(), Code::SourceMalformed, "{error}");
        assert!(error.to_string().contains(message), "{error}");
    }
}

#[test]
fn truncated_parquet_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.parquet");
    write_table(&path, generate_taxi(&TaxiOptions { rows: 300, ..TaxiOptions::default() }).map(Ok)).unwrap();
    let whole = std::fs::read(&path).unwrap();
    for end in (0..whole.len()).step_by(97) {
        std::fs::write(&path, &whole[..end]).unwrap();
        let error = open_table(&path, &ReadOptions::default()).unwrap_err();
        let expected = if end == 0 { Code::SourceEmpty } else { Code::SourceMalformed };
        assert_eq!(error.code(), expected, "{end}: {error}");
        assert!(error.to_string().contains("t.parquet"), "{error}");
    }
}

/// Both files are named, and the column.
#[test]
fn files_of_one_folder_that_do_not_fit_are_named() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.csv"), "id,fare\n1,2\n").unwrap();
    std::fs::write(dir.path().join("b.csv"), "id,tip\n1,2\n").unwrap();
    let error = rows(dir.path(), &ReadOptions::default()).unwrap_err();
    assert_eq!(error.code(), Code::SchemasDiffer);
    let message = error.to_string();
    assert!(message.contains("b.csv` does not fit `") && message.contains("a.csv`"), "{message}");
    assert!(message.contains("column `tip`"), "{message}");
}

fn csv_options() -> impl Strategy<Value = CsvOptions> {
    let mark = || prop::sample::select(b",;|\t'\"x \n".to_vec());
    let header = prop_oneof![
        Just(Header::FirstLine),
        Just(Header::Numbered),
        prop::collection::vec("[ab]{0,2}", 0..4).prop_map(Header::Names)
    ];
    let decimal = prop::sample::select(vec![Decimal::Point, Decimal::Comma]);
    (
        prop::option::of(mark()),
        prop::option::of(mark()),
        prop::collection::vec("[NA\"',;-]{0,3}", 0..3),
        decimal,
        header,
    )
        .prop_map(|(delimiter, quote, null_tokens, decimal, header)| CsvOptions {
            delimiter,
            quote,
            null_tokens,
            decimal,
            header,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    /// Any text under any options is read whole or refused; it never panics, and no row is lost or made.
    #[test]
    fn any_csv_under_any_options(text in "[ab1,;|'\"\t NA\r\n-]{0,60}", csv in csv_options()) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.csv");
        std::fs::write(&path, &text).unwrap();
        let options = ReadOptions { format: Some(Format::Csv), csv: csv.clone(), ..ReadOptions::default() };
        if let Ok(found) = rows(&path, &options)
            && csv.quote.is_none()
        {
            // Without quotes a line is a row.
            let lines = text.split('\n').filter(|line| !line.is_empty() && *line != "\r").count();
            prop_assert_eq!(found, lines - usize::from(csv.header == Header::FirstLine));
        }
    }
}
