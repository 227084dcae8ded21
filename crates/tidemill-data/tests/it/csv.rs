//! CSV as people have it: what is read, and what is refused and where.
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use arrow::util::display::array_value_to_string;
use proptest::prelude::*;
use tempfile::TempDir;
use tidemill_core::{Code, Coded as _, FeatureType};
use tidemill_data::{CsvOptions, DataError, Decimal, Header, ReadOptions, Table, open_table, write_table};

fn file(name: &str, bytes: &[u8]) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (dir, path)
}

fn read(path: &Path, options: &ReadOptions) -> Result<RecordBatch, DataError> {
    let reader = open_table(path, options)?;
    let schema = reader.schema();
    let batches = reader.collect::<Result<Vec<_>, _>>()?;
    Ok(concat_batches(&schema, &batches).unwrap())
}

fn read_text(text: impl AsRef<[u8]>) -> Result<RecordBatch, DataError> {
    let (_dir, path) = file("t.csv", text.as_ref());
    read(&path, &ReadOptions::default())
}

/// Types and cells of a table, missing ones as `-`.
fn shown(batch: &RecordBatch) -> Vec<String> {
    let mut lines = vec![batch.schema().fields().iter().map(|f| format!("{}:{}", f.name(), f.data_type())).collect()];
    for row in 0..batch.num_rows() {
        let cells = batch.columns().iter().map(|column| {
            if column.is_null(row) { "-".to_owned() } else { array_value_to_string(column, row).unwrap() }
        });
        lines.push(cells.collect::<Vec<_>>());
    }
    lines.into_iter().map(|line| line.join("|")).collect()
}

/// The error of a text, without the folder of the file.
fn error_of(text: impl AsRef<[u8]>) -> (Code, String) {
    let Err(error) = read_text(text) else { panic!("the file was read") };
    let message = error.to_string();
    let name = message.find("t.csv").expect("the message names the file");
    (error.code(), message[name..].to_owned())
}

#[test]
fn types_are_decided_over_all_rows() {
    let batch = read_text("i,f,b,t,n\n1,1,true,1,\n,2.5,FALSE,x,\n-7,,,\"a,b\",\n").unwrap();
    let expected = ["i:Int64|f:Float64|b:Boolean|t:Utf8|n:Int64", "1|1.0|true|1|-", "-|2.5|false|x|-", "-7|-|-|a,b|-"];
    assert_eq!(shown(&batch), expected);
}

#[test]
fn a_column_changes_type_in_the_last_row() {
    // Far more than a block, so that early blocks were read as whole numbers.
    let mut text = String::from("id,x\n");
    for i in 0..900_000 {
        text.push_str(&format!("{i},12345\n"));
    }
    assert!(text.len() > 8 << 20);
    text.push_str("900000,300s\n");
    let batch = read_text(&text).unwrap();
    assert_eq!(batch.num_rows(), 900_001);
    assert_eq!(batch.schema().field(1).data_type(), &DataType::Utf8);
    assert_eq!(batch.column(1).as_string::<i32>().value(0), "12345");
    assert_eq!(batch.column(0).as_primitive::<Int64Type>().value(900_000), 900_000);
}

/// Cells of a table as rows of text, missing ones as `-`, with what is remarked about the file.
fn read_remarked(text: &str, options: &ReadOptions) -> (Vec<String>, Vec<String>) {
    let (_dir, path) = file("t.csv", text.as_bytes());
    let table = Table::open(&path, options).unwrap();
    let remarks = table.warnings().iter().map(|remark| remark.replace(&path.display().to_string(), "t.csv")).collect();
    (shown(&read(&path, options).unwrap()), remarks)
}

#[test]
fn digits_that_would_lose_something_as_numbers_are_text() {
    let (cells, remarks) =
        read_remarked("customer,zip\n000017,02134\n000018,00501\n000019,10115\n", &ReadOptions::default());
    assert_eq!(cells, ["customer:Utf8|zip:Utf8", "000017|02134", "000018|00501", "000019|10115"]);
    assert!(remarks.is_empty(), "{remarks:?}");
    let (cells, remarks) =
        read_remarked("id,x\n18446744073709551615,1\n18446744073709551614,2\n7,\n", &ReadOptions::default());
    assert_eq!(cells, ["id:Utf8|x:Int64", "18446744073709551615|1", "18446744073709551614|2", "7|-"]);
    assert!(remarks[0].starts_with("column `id` has whole numbers beyond 64 bits; it is read as text"), "{remarks:?}");
    // Among fractions there are no identifiers.
    assert_eq!(shown(&read_text("x\n0.5\n18446744073709551616\n").unwrap())[0], "x:Float64");
    assert_eq!(shown(&read_text("x\n9223372036854775807\n").unwrap())[0], "x:Int64");
    let given = ReadOptions::default().with_types([("zip".to_owned(), FeatureType::Int)]);
    assert_eq!(read_remarked("zip\n02134\n", &given).0, ["zip:Int64", "2134"]);
}

#[test]
fn words_for_missing_values_leave_numbers_numbers() {
    let text = "mass,sex,flag,n\n3590,male,TRUE,1\nNA,female,FALSE,NaN\n3580.5,NA,NA,3\nnull,male,,4\n";
    let (cells, remarks) = read_remarked(text, &ReadOptions::default());
    let expected = [
        "mass:Float64|sex:Utf8|flag:Boolean|n:Int64",
        "3590.0|male|true|1",
        "-|female|false|-",
        "3580.5|NA|-|3",
        "-|male|-|4",
    ];
    assert_eq!(cells, expected);
    assert_eq!(
        remarks,
        [
            "`NA` is read as missing in column `flag` (1) of 4 rows; `null_tokens: [\"NA\"]` (`--null-tokens 'NA'`) reads it so in columns of text too",
            "`NA`, `null` are read as missing in column `mass` (2) of 4 rows; `null_tokens: [\"NA\", \"null\"]` (`--null-tokens 'NA,null'`) reads it so in columns of text too",
            "`NaN` is read as missing in column `n` (1) of 4 rows; `null_tokens: [\"NaN\"]` (`--null-tokens 'NaN'`) reads it so in columns of text too",
        ]
    );
    // The same where types are given and nobody looks at the cells first.
    let all = [
        ("mass", FeatureType::Float),
        ("sex", FeatureType::String),
        ("flag", FeatureType::Bool),
        ("n", FeatureType::Int),
    ];
    let given = ReadOptions::default().with_types(all.map(|(name, of)| (name.to_owned(), of)));
    assert_eq!(read_remarked(text, &given).0, expected);
}

#[test]
fn signs_that_may_be_missing_values_are_offered() {
    let text = "power,x\n130,1\n?,2\n95,3\n";
    let (cells, remarks) = read_remarked(text, &ReadOptions::default());
    assert_eq!(cells[0], "power:Utf8|x:Int64");
    assert_eq!(
        remarks,
        [
            "column `power` is text only because of `?` (1 of 3 rows); `null_tokens: [\"?\"]` (`--null-tokens '?'`) reads it as missing"
        ]
    );
    let csv = CsvOptions { null_tokens: vec!["?".to_owned()], ..CsvOptions::default() };
    let (cells, remarks) = read_remarked(text, &ReadOptions { csv, ..ReadOptions::default() });
    assert_eq!(cells, ["power:Int64|x:Int64", "130|1", "-|2", "95|3"]);
    assert!(remarks.is_empty());
    // A column of text has such signs too, and nothing is offered.
    assert!(read_remarked("a\nx\n?\n1\n", &ReadOptions::default()).1.is_empty());
}

#[test]
fn a_schema_decides_where_the_values_allow_it() {
    let hints = |types: &[(&str, DataType)]| {
        let fields = types.iter().map(|(name, kind)| Field::new(*name, kind.clone(), true));
        ReadOptions { hints: Some(Arc::new(Schema::new(fields.collect::<Vec<_>>()))), ..ReadOptions::default() }
    };
    let text = "ticket,whole,number,empty,text,gone\n1001,1.0,3,,x,1\n1002,2.0,4,,7,2\n";
    let types = [
        ("ticket", DataType::Utf8),
        ("whole", DataType::Int64),
        ("number", DataType::Float64),
        ("empty", DataType::Boolean),
        ("text", DataType::Int64),
        ("unknown", DataType::Int64),
    ];
    let (cells, remarks) = read_remarked(text, &hints(&types));
    assert_eq!(cells[0], "ticket:Utf8|whole:Int64|number:Float64|empty:Boolean|text:Utf8|gone:Int64");
    assert_eq!(cells[1], "1001|1|3.0|-|x|1");
    assert!(remarks.is_empty(), "{remarks:?}");
    // What is asked for by name goes first.
    let asked = hints(&types).with_types([("ticket".to_owned(), FeatureType::Int)]);
    assert_eq!(read_remarked(text, &asked).0[1], "1001|1|3.0|-|x|1");
    assert!(read_remarked(text, &asked).0[0].starts_with("ticket:Int64"));
}

#[test]
fn two_tables_agree_on_the_types_of_their_columns() {
    let dir = tempfile::tempdir().unwrap();
    let open = |name: &str, text: &str| {
        std::fs::write(dir.path().join(name), text).unwrap();
        Table::open(&dir.path().join(name), &ReadOptions::default()).unwrap()
    };
    let (a, b) = (open("a.csv", "code,n,same\nA1,1,1\n12,2,2\n"), open("b.csv", "same,code,n,new\n3,12,1.5,x\n"));
    let common = a.common_types(&b);
    let types: Vec<_> =
        common.fields().iter().map(|field| (field.name().as_str(), field.data_type().clone())).collect();
    assert_eq!(types, [("code", DataType::Utf8), ("n", DataType::Float64)]);
    assert_eq!(b.common_types(&a).fields().len(), 2);
}

#[test]
fn columns_without_a_name_are_called_by_their_place() {
    let (cells, remarks) = read_remarked(",a,b\n0,1,x\n1,2,y\n", &ReadOptions::default());
    assert_eq!(cells, ["column_1:Int64|a:Int64|b:Utf8", "0|1|x", "1|2|y"]);
    assert_eq!(remarks, ["`t.csv`: column 1 has no name; it is called `column_1`"]);
    // As R's `write.csv` and `write.table` write row names.
    assert_eq!(read_remarked("\"\",\"a\"\n\"r1\",1\n", &ReadOptions::default()).0, ["column_1:Utf8|a:Int64", "r1|1"]);
    assert_eq!(
        read_remarked("\"a\",\"b\"\n\"r1\",1,2\n\"r2\",3,4\n", &ReadOptions::default()).0,
        ["column_1:Utf8|a:Int64|b:Int64", "r1|1|2", "r2|3|4"]
    );
    let (cells, remarks) = read_remarked("a,,column_2,\n1,2,3,4\n", &ReadOptions::default());
    assert_eq!(cells, ["a:Int64|column_2_:Int64|column_2:Int64|column_4:Int64", "1|2|3|4"]);
    assert_eq!(remarks, ["`t.csv`: column 2 has no name; it is called `column_2_`, and so on for 1 more"]);
}

#[test]
fn a_delimiter_at_the_end_of_lines_is_no_column() {
    for text in
        ["a,b,c,\n1,2,x,\n3,4,y,\n", "a,b,c\n1,2,x,\n3,4,y,\n", "a,b,c,\n1,2,x\n3,4,y\n", "a,b,c\n1,2,x,\n3,4,y\n"]
    {
        let (cells, remarks) = read_remarked(text, &ReadOptions::default());
        assert_eq!(cells, ["a:Int64|b:Int64|c:Utf8", "1|2|x", "3|4|y"], "{text}");
        assert!(remarks.is_empty(), "{text}: {remarks:?}");
    }
    assert_eq!(shown(&read_text("a,\"b\",\n1,\"2\",\n").unwrap()), ["a:Int64|b:Int64", "1|2"]);
}

#[test]
fn decimal_commas_are_offered_and_read() {
    let text = "id;price\n1;3,50\n2;-4,25\n3;5\n";
    let semicolons = separated_by(b';');
    let (cells, remarks) = read_remarked(text, &semicolons);
    assert_eq!(cells[0], "id:Int64|price:Utf8");
    assert!(
        remarks[0].starts_with("column `price` is text; its values are numbers with a decimal comma"),
        "{remarks:?}"
    );
    let csv = CsvOptions { decimal: Decimal::Comma, ..semicolons.csv.clone() };
    let comma = ReadOptions { csv, ..ReadOptions::default() };
    assert_eq!(read_remarked(text, &comma).0, ["id:Int64|price:Float64", "1|3.5", "2|-4.25", "3|5.0"]);
    assert_eq!(read_remarked("x\n1.234,5\n", &comma).0[0], "x:Utf8");
    // Thousands look the same.
    assert!(read_remarked("x\n1,234\n5,678\n", &semicolons).1.is_empty());
    let (_dir, path) = file("t.csv", text.as_bytes());
    let error = read(&path, &ReadOptions::default()).unwrap_err();
    assert!(error.to_string().ends_with("line 2: the row has 2 cells, the header has 1"), "{error}");
    assert_eq!(error.hint().unwrap(), "with `;` between cells, every row has 2: `--delimiter ';'`");
}

#[test]
fn quotes_line_ends_and_marks_are_understood() {
    let text =
        "\u{feff}\"name\", text \r\n\r\n1,\"two\r\nlines\"\r\n2,\"a \"\"quoted\"\" word\"\r\n3,5\" pipe\r\n4,\"\"";
    let expected = ["name:Int64|text:Utf8", "1|two\r\nlines", "2|a \"quoted\" word", "3|5\" pipe", "4|-"];
    assert_eq!(shown(&read_text(text).unwrap()), expected);
}

#[test]
fn three_records_with_line_ends_inside_are_three_rows() {
    let batch = read_text("id,note\n1,\"a\nb\"\n2,\"c\n\nd\"\n3,\"e\"\n").unwrap();
    assert_eq!(batch.num_rows(), 3);
    assert_eq!(batch.column(1).as_string::<i32>().value(1), "c\n\nd");
}

fn separated_by(delimiter: u8) -> ReadOptions {
    ReadOptions { csv: CsvOptions { delimiter: Some(delimiter), ..CsvOptions::default() }, ..ReadOptions::default() }
}

#[test]
fn tabs_delimiters_and_gzip() {
    let (_dir, path) = file("t.tsv", b"a\tb\n1\t2,3\n");
    assert_eq!(shown(&read(&path, &ReadOptions::default()).unwrap()), ["a:Int64|b:Utf8", "1|2,3"]);
    let (_dir, path) = file("t.csv", b"a;b\n1;2,3\n");
    let options = separated_by(b';');
    assert_eq!(shown(&read(&path, &options).unwrap()), ["a:Int64|b:Utf8", "1|2,3"]);
    let options = separated_by(b'"');
    assert_eq!(read(&path, &options).unwrap_err().code(), Code::Params);

    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(b"a,b\n1,x\n").unwrap();
    let packed = encoder.finish().unwrap();
    let (_dir, path) = file("t.csv.gz", &packed);
    assert_eq!(shown(&read(&path, &ReadOptions::default()).unwrap()), ["a:Int64|b:Utf8", "1|x"]);
    let (_dir, path) = file("t.csv.gz", &packed[..packed.len() - 6]);
    assert!(read(&path, &ReadOptions::default()).unwrap_err().to_string().contains("compressed data is damaged"));
}

#[test]
fn the_hint_for_other_encodings_fits_them() {
    let hint = |bytes: &[u8]| {
        let (_dir, path) = file("t.csv", bytes);
        read(&path, &ReadOptions::default()).unwrap_err().hint().unwrap()
    };
    assert!(hint(b"\xff\xfea\0,\0b\0\n\0").contains("`iconv -f UTF-16 -t UTF-8`"));
    assert!(hint(b"\xfe\xff\0a\0\n").contains("`iconv -f UTF-16 -t UTF-8`"));
    assert!(hint(b"a\ncaf\xe9\n").contains("`iconv -f LATIN1 -t UTF-8`"));
}

#[test]
fn bad_files_are_refused_with_their_place() {
    let cases: [(&[u8], Code, &str); 12] = [
        (b"", Code::SourceEmpty, "t.csv` is empty"),
        (b"\n \n"[..1].as_ref(), Code::SourceEmpty, "t.csv` is empty"),
        (b"a,b\n", Code::SourceEmpty, "t.csv` has a header but no rows"),
        (b"a,b\n\n\n", Code::SourceEmpty, "t.csv` has a header but no rows"),
        (b"a,b\n1,2\n\n1,2,3\n", Code::RaggedRow, "t.csv` line 4: the row has 3 cells, the header has 2"),
        (b"a,b\n\"x\ny\",2\n1\n", Code::RaggedRow, "t.csv` line 4: the row has 1 cells, the header has 2"),
        (b"a,b,a\n1,2,3\n", Code::DuplicateColumn, "t.csv` has two columns named `a`"),
        (b"a,b\n1,caf\xe9\n", Code::NotUtf8, "t.csv` line 2: byte 0xe9 at offset 9 of the file is not UTF-8"),
        (b"\xff\xfea\0,\0b\0\n\0", Code::NotUtf8, "t.csv` line 1: byte 0xff at offset 0 of the file is not UTF-8"),
        (b"a,b\n1,2\n3,\"x\n4,5\n", Code::SourceMalformed, "t.csv` line 3: a quoted cell is not closed"),
        (
            b"a,b\n1,\"x\"y\n",
            Code::SourceMalformed,
            "t.csv` line 2: there is text between a closing quote and the next delimiter",
        ),
        (
            b"a,b\r1,2\r",
            Code::SourceMalformed,
            "t.csv` line 1: the header holds a carriage return; lines must end with LF or CR LF",
        ),
    ];
    for (text, code, message) in cases {
        assert_eq!(error_of(text), (code, message.to_owned()), "{:?}", String::from_utf8_lossy(text));
    }
}

#[test]
fn faults_deep_in_a_file_have_the_right_line() {
    let mut text = String::from("id,x\n");
    for i in 0..700_000 {
        text.push_str(&format!("{i},abcdef\n"));
    }
    let sound = text.clone();
    text.push_str("1,2,3\n");
    assert_eq!(error_of(&text).1, "t.csv` line 700002: the row has 3 cells, the header has 2");
    let mut bytes = sound.into_bytes();
    bytes.extend(b"1,\xff\n");
    let offset = bytes.len() - 2;
    assert_eq!(
        error_of(&bytes).1,
        format!("t.csv` line 700002: byte 0xff at offset {offset} of the file is not UTF-8")
    );
}

#[test]
fn a_cell_of_many_megabytes_and_very_many_columns_are_refused() {
    let mut text = b"a,b\n1,\"".to_vec();
    text.resize(70 << 20, b'x');
    text.extend(b"\"\n");
    assert_eq!(error_of(&text).1, "t.csv` line 2: a row is longer than 64 MiB; is a quote left open?");
    let header: Vec<String> = (0..40_000).map(|i| format!("c{i}")).collect();
    assert!(error_of(header.join(",") + "\n").1.contains("the header has 40000 columns"));
}

#[test]
fn wide_files_are_read() {
    let header: Vec<String> = (0..5_000).map(|i| format!("c{i}")).collect();
    let row: Vec<String> = (0..5_000).map(|i| i.to_string()).collect();
    let batch = read_text(format!("{}\n{}\n{}\n", header.join(","), row.join(","), row.join(","))).unwrap();
    assert_eq!((batch.num_columns(), batch.num_rows()), (5_000, 2));
    assert_eq!(batch.column(4_999).as_primitive::<Int64Type>().value(1), 4_999);
}

#[test]
fn types_can_be_given() {
    let (_dir, path) = file("t.csv", b"a,b\n1,2\n3,x\n");
    let types = |fields: &[(&str, DataType)]| ReadOptions {
        types: Some(Arc::new(Schema::new(
            fields.iter().map(|(name, kind)| Field::new(*name, kind.clone(), true)).collect::<Vec<_>>(),
        ))),
        ..ReadOptions::default()
    };
    let batch = read(&path, &types(&[("a", DataType::Utf8)])).unwrap();
    assert_eq!(shown(&batch)[0], "a:Utf8|b:Utf8");
    let all = types(&[("a", DataType::Float64), ("b", DataType::Int64)]);
    let error = read(&path, &all).unwrap_err();
    assert_eq!(error.code(), Code::ColumnType);
    assert!(
        error.to_string().ends_with("t.csv` line 3: column `b` is `x`, which is not a whole number of 64 bits"),
        "{error}"
    );
    let only_a = ReadOptions { columns: Some(vec!["a".to_owned()]), ..types(&[("a", DataType::Float64)]) };
    assert_eq!(shown(&read(&path, &only_a).unwrap()), ["a:Float64", "1.0", "3.0"]);
    let missing = read(&path, &types(&[("fair", DataType::Int64)])).unwrap_err();
    assert_eq!(missing.code(), Code::ColumnNotFound);
    let picked = ReadOptions { columns: Some(vec!["b".to_owned(), "a".to_owned()]), ..ReadOptions::default() };
    assert_eq!(shown(&read(&path, &picked).unwrap())[1], "2|1");
}

#[test]
fn a_folder_is_one_table() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("b.csv"), "y,x\n2.5,7\n").unwrap();
    std::fs::write(dir.path().join("a.csv"), "x,y\n1,2\n,3\n").unwrap();
    std::fs::write(dir.path().join("c.csv"), "x,y\n").unwrap();
    let table = Table::open(dir.path(), &ReadOptions::default()).unwrap();
    assert_eq!(table.files().iter().map(|file| file.rows).collect::<Vec<_>>(), [Some(2), Some(1), Some(0)]);
    assert_eq!(table.row_count(), Some(3));
    let batch = read(dir.path(), &ReadOptions::default()).unwrap();
    assert_eq!(shown(&batch), ["x:Int64|y:Float64", "1|2.0", "-|3.0", "7|2.5"]);

    std::fs::write(dir.path().join("d.csv"), "x,z\n1,2\n").unwrap();
    let error = read(dir.path(), &ReadOptions::default()).unwrap_err();
    assert_eq!(error.code(), Code::SchemasDiffer);
    assert!(error.to_string().contains("d.csv` does not fit"), "{error}");
    assert!(error.to_string().contains("only the former has column `z`"), "{error}");
}

fn csv_text(rows: &[Vec<Option<String>>]) -> String {
    let quoted = |cell: &Option<String>| match cell {
        Some(text) => format!("\"{}\"", text.replace('"', "\"\"")),
        None => String::new(),
    };
    let mut text = String::from("a,b,c\n");
    for row in rows {
        text.push_str(&row.iter().map(quoted).collect::<Vec<_>>().join(","));
        text.push('\n');
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_text(bytes);
    }

    #[test]
    fn no_text_makes_it_panic(text in "[abé1,\"\r\n.\\-]{0,60}") {
        let (_dir, path) = file("t.csv", text.as_bytes());
        if let Ok(table) = Table::open(&path, &ReadOptions::default()) {
            // What was accepted can be read, and gives as many rows as were counted.
            let rows: usize = table.read().unwrap().map(|batch| batch.unwrap().num_rows()).sum();
            prop_assert_eq!(Some(rows as u64), table.row_count());
        }
    }

    #[test]
    fn any_text_comes_back(rows in prop::collection::vec(prop::collection::vec(prop::option::of("[x,\"\r\n é]{1,8}"), 3), 1..20)) {
        let batch = read_text(csv_text(&rows)).unwrap();
        // A row of nothing but empty cells still has delimiters, so it is no blank line.
        prop_assert_eq!(batch.num_rows(), rows.len());
        for (i, row) in rows.iter().enumerate() {
            for (j, cell) in row.iter().enumerate() {
                let column = batch.column(j);
                let found = (!column.is_null(i)).then(|| column.as_string::<i32>().value(i).to_owned());
                prop_assert_eq!(&found, cell);
            }
        }
    }
}

#[test]
fn options_say_how_a_file_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.csv");
    let of = |text: &str, csv: CsvOptions| {
        std::fs::write(&path, text).unwrap();
        read(&path, &ReadOptions { csv, ..ReadOptions::default() }).map(|batch| shown(&batch))
    };
    let options = CsvOptions { delimiter: Some(b';'), quote: Some(b'\''), ..CsvOptions::default() };
    assert_eq!(of("a;b\n1;'x;''y\nz'\n", options.clone()).unwrap(), ["a:Int64|b:Utf8", "1|x;'y\nz"]);
    // Without quotes a line is a row, whatever stands in it.
    let plain = CsvOptions { delimiter: Some(b'|'), quote: None, ..CsvOptions::default() };
    assert_eq!(of("a|b\n\"1|2\"\n", plain).unwrap(), ["a:Utf8|b:Utf8", "\"1|2\""]);
    let nulls = CsvOptions { null_tokens: vec!["NA".to_owned(), "-".to_owned()], ..CsvOptions::default() };
    let text = "a,b,c\n1,NA,-5\nNA,-,-\n,\"NA\",NAN\n";
    assert_eq!(of(text, nulls).unwrap(), ["a:Int64|b:Int64|c:Int64", "1|-|-5", "-|-|-", "-|-|-"]);
    let named = CsvOptions { header: Header::Names(vec!["x".to_owned(), "y".to_owned()]), ..CsvOptions::default() };
    assert_eq!(of("1,a\n2,b\n", named.clone()).unwrap(), ["x:Int64|y:Utf8", "1|a", "2|b"]);
    let error = of("1,a,3\n", named).unwrap_err().to_string();
    assert!(error.ends_with("line 1: the row has 3 cells, but 2 columns are named"), "{error}");
    let numbered = CsvOptions { header: Header::Numbered, ..CsvOptions::default() };
    assert_eq!(of("\n1,a\n2,b\n", numbered.clone()).unwrap(), ["column_1:Int64|column_2:Utf8", "1|a", "2|b"]);
    let error = of("1,a\n2\n", numbered.clone()).unwrap_err().to_string();
    assert!(error.ends_with("line 2: the row has 1 cells, the first row has 2"), "{error}");
    assert_eq!(of("", numbered).unwrap_err().code(), Code::SourceEmpty);
    for (csv, message) in [
        (CsvOptions { delimiter: Some(b'\''), ..options.clone() }, "the delimiter and the quote are the same"),
        (CsvOptions { quote: Some(b'\n'), ..options.clone() }, "`\\n` cannot be a quote"),
        (CsvOptions { header: Header::Names(vec!["a".to_owned(); 2]), ..options.clone() }, "column `a` is named twice"),
        (CsvOptions { header: Header::Names(Vec::new()), ..options }, "every column needs a name"),
    ] {
        assert_eq!(of("a\n1\n", csv).unwrap_err().to_string(), message);
    }
}

#[test]
fn another_delimiter_is_suspected() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.csv");
    let warnings = |text: &str| {
        std::fs::write(&path, text).unwrap();
        Table::open(&path, &ReadOptions::default()).unwrap().warnings().to_vec()
    };
    let found = warnings("\na;b;c\n1;2;\"x;y\"\n3;4;5\n");
    assert!(found[0].ends_with("has one column; with the delimiter `;` it would have 3"), "{found:?}");
    assert!(warnings("a|b\tc\n1\t2\n")[0].contains("delimiter `\\t` it would have 2"));
    assert!(warnings("a;b\n1;2\n3\n").is_empty(), "not all rows fit");
    assert!(warnings("a\n1\n2\n").is_empty());
    assert!(warnings("a,b;c\n1,2;3\n").is_empty(), "two columns are no reason to doubt");
}

#[test]
fn zstandard_is_recognised_and_written() {
    let dir = tempfile::tempdir().unwrap();
    let plain = dir.path().join("t.csv");
    std::fs::write(&plain, "a,b\n1,x\n2,\n").unwrap();
    let batch = read(&plain, &ReadOptions::default()).unwrap();
    for name in ["u.csv.zst", "u.tsv.zst", "u.jsonl.zst"] {
        let path = dir.path().join(name);
        write_table(&path, std::iter::once(Ok(batch.clone()))).unwrap();
        assert!(std::fs::read(&path).unwrap().starts_with(&[0x28, 0xb5, 0x2f, 0xfd]), "{name}");
        assert_eq!(read(&path, &ReadOptions::default()).unwrap(), batch, "{name}");
    }
    let path = dir.path().join("u.csv.zst");
    let bytes = std::fs::read(&path).unwrap();
    let frames = [&b"a,b\n1,x\n"[..], b"2,\n"].map(|frame| zstd::encode_all(frame, 0).unwrap());
    std::fs::write(&path, frames.concat()).unwrap();
    assert_eq!(read(&path, &ReadOptions::default()).unwrap(), batch, "frames one after another");
    std::fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
    let error = read(&path, &ReadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("compressed data is damaged"), "{error}");
}
