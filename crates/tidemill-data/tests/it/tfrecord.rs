//! TFRecord of `tf.Example`: recorded files of another tool, and what another decoder makes of ours.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Float64Array, Int64Array, ListArray, RecordBatch, StringArray,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use proptest::prelude::*;
use prost::Message;
use tidemill_core::{Code, Coded as _};
use tidemill_data::{DataError, Format, ReadOptions, Table, TaxiOptions, generate_taxi, list_of, write_table};

/// The messages of `tensorflow/core/example/{example,feature}.proto`.
#[derive(Clone, PartialEq, Message)]
struct Example {
    #[prost(message, optional, tag = "1")]
    features: Option<Features>,
}

#[derive(Clone, PartialEq, Message)]
struct Features {
    #[prost(btree_map = "string, message", tag = "1")]
    feature: BTreeMap<String, Feature>,
}

#[derive(Clone, PartialEq, Message)]
struct Feature {
    #[prost(oneof = "Kind", tags = "1, 2, 3")]
    kind: Option<Kind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Kind {
    #[prost(message, tag = "1")]
    Bytes(BytesList),
    #[prost(message, tag = "2")]
    Floats(FloatList),
    #[prost(message, tag = "3")]
    Ints(Int64List),
}

#[derive(Clone, PartialEq, Message)]
struct BytesList {
    #[prost(bytes = "vec", repeated, tag = "1")]
    value: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct FloatList {
    #[prost(float, repeated, tag = "1")]
    value: Vec<f32>,
}

#[derive(Clone, PartialEq, Message)]
struct Int64List {
    #[prost(int64, repeated, tag = "1")]
    value: Vec<i64>,
}

/// The message of `tensorflow/core/example/example.proto` with lists of features.
#[derive(Clone, PartialEq, Message)]
struct SequenceExample {
    #[prost(message, optional, tag = "1")]
    context: Option<Features>,
    #[prost(message, optional, tag = "2")]
    feature_lists: Option<FeatureLists>,
}

#[derive(Clone, PartialEq, Message)]
struct FeatureLists {
    #[prost(btree_map = "string, message", tag = "1")]
    feature_list: BTreeMap<String, FeatureList>,
}

#[derive(Clone, PartialEq, Message)]
struct FeatureList {
    #[prost(message, repeated, tag = "1")]
    feature: Vec<Feature>,
}

/// A step for each kind.
fn sequence(context: &[(&str, Option<Kind>)], lists: &[(&str, Vec<Option<Kind>>)]) -> Vec<u8> {
    let map = context.iter().map(|(name, kind)| ((*name).to_owned(), Feature { kind: kind.clone() })).collect();
    let steps = |kinds: &Vec<Option<Kind>>| FeatureList {
        feature: kinds.iter().map(|kind| Feature { kind: kind.clone() }).collect(),
    };
    let feature_list = lists.iter().map(|(name, kinds)| ((*name).to_owned(), steps(kinds))).collect();
    SequenceExample { context: Some(Features { feature: map }), feature_lists: Some(FeatureLists { feature_list }) }
        .encode_to_vec()
}

fn crc(bytes: &[u8]) -> [u8; 4] {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

fn framed(record: &[u8]) -> Vec<u8> {
    let length = (record.len() as u64).to_le_bytes();
    [&length[..], &crc(&length), record, &crc(record)].concat()
}

fn example(features: &[(&str, Option<Kind>)]) -> Vec<u8> {
    let feature = features.iter().map(|(name, kind)| ((*name).to_owned(), Feature { kind: kind.clone() })).collect();
    Example { features: Some(Features { feature }) }.encode_to_vec()
}

#[allow(clippy::unnecessary_wraps, reason = "a feature without values has none")]
fn ints(value: &[i64]) -> Option<Kind> {
    Some(Kind::Ints(Int64List { value: value.to_vec() }))
}

#[allow(clippy::unnecessary_wraps, reason = "a feature without values has none")]
fn bytes(value: &[&[u8]]) -> Option<Kind> {
    Some(Kind::Bytes(BytesList { value: value.iter().map(|bytes| bytes.to_vec()).collect() }))
}

fn recorded(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn read(path: &Path) -> Result<RecordBatch, DataError> {
    let table = Table::open(path, &ReadOptions::default())?;
    let reader = table.read()?;
    let schema = reader.schema();
    let batches = reader.collect::<Result<Vec<_>, _>>()?;
    let all = concat_batches(&schema, &batches)?;
    assert_eq!(table.row_count(), Some(all.num_rows() as u64));
    Ok(all)
}

fn read_bytes(content: &[u8]) -> Result<RecordBatch, DataError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.tfrecord");
    std::fs::write(&path, content).unwrap();
    read(&path)
}

fn message(content: &[u8]) -> String {
    let error = read_bytes(content).unwrap_err();
    assert_eq!(error.code(), Code::SourceMalformed, "{error}");
    error.to_string().split_once("`: ").unwrap().1.to_owned()
}

fn lists(values: Vec<Option<Vec<Option<i64>>>>) -> ListArray {
    ListArray::from_iter_primitive::<Int64Type, _, _>(values)
}

/// Written by the Python package `tfrecord` (see `tests/data/make.py`).
#[test]
fn files_of_another_tool_are_read() {
    let batch = read(&recorded("trips.tfrecord")).unwrap();
    assert_eq!(read(&recorded("trips.tfrecord.gz")).unwrap(), batch);
    let column = |name: &str| batch.column_by_name(name).unwrap();
    let id = Int64Array::from(vec![Some(1), Some(i64::MIN), Some(i64::MAX), None]);
    assert_eq!(column("id").as_primitive::<Int64Type>(), &id);
    let fare = Float64Array::from(vec![Some(f64::from(0.1_f32)), Some(f64::INFINITY), None, None]);
    assert_eq!(column("fare").as_primitive::<Float64Type>(), &fare);
    let name = StringArray::from(vec![Some("Café"), None, Some(""), None]);
    assert_eq!(column("name").as_string::<i32>(), &name);
    let image = BinaryArray::from_opt_vec(vec![Some(b"\x89PNG".as_slice()), Some(b"abc"), None, None]);
    assert_eq!(column("image").as_binary::<i32>(), &image);
    let tags = lists(vec![Some(vec![Some(1), Some(-2)]), Some(vec![Some(7)]), None, Some(Vec::new())]);
    assert_eq!(column("tags").as_list::<i32>(), &tags);
    assert_eq!(column("words").data_type(), &list_of(DataType::Utf8));
}

#[test]
fn damage_is_found_and_located() {
    let good = [example(&[("a", ints(&[1]))]), example(&[("a", ints(&[2]))])].map(|record| framed(&record));
    let offset = good[0].len();
    let whole = good.concat();
    assert_eq!(read_bytes(&whole).unwrap().num_rows(), 2);
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        message(&bytes)
    };
    assert_eq!(
        flipped(0),
        "record 1 at byte 0: the checksum of its length is wrong: the file is no TFRecord, or damaged"
    );
    let second =
        |at: usize| flipped(offset + at).strip_prefix(&format!("record 2 at byte {offset}: ")).unwrap().to_owned();
    assert_eq!(second(3), "the checksum of its length is wrong: the file is damaged");
    assert_eq!(second(9), "the checksum of its length is wrong: the file is damaged");
    assert_eq!(second(14), "the checksum of its bytes is wrong: the file is damaged");
    assert_eq!(second(good[1].len() - 1), "the checksum of its bytes is wrong: the file is damaged");
    // Cut short anywhere but between records.
    for end in 1..whole.len() {
        match read_bytes(&whole[..end]) {
            Ok(batch) => assert_eq!((end, batch.num_rows()), (offset, 1)),
            Err(error) => assert!(error.to_string().contains(": the file ends after "), "{end}: {error}"),
        }
    }
    let absurd = u64::MAX.to_le_bytes();
    let absurd = [&absurd[..], &crc(&absurd), b"x"].concat();
    assert!(message(&absurd).contains("is 18446744073709551615 bytes long, more than the 64 MiB that are read"));
    let promised = (60_u64 << 20).to_le_bytes();
    let promised = [&promised[..], &crc(&promised), b"x"].concat();
    assert!(message(&promised).contains("the file ends after 1 of its 62914560 bytes"));
    assert_eq!(read_bytes(b"").unwrap_err().code(), Code::SourceEmpty);
}

#[test]
fn records_that_are_no_examples_are_named() {
    assert!(message(&framed(b"hello")).starts_with("record 1 at byte 0: it is no tf.Example: "));
    assert_eq!(message(&framed(b"")), "no record has a feature");
    let mixed = [example(&[("a", ints(&[1]))]), example(&[("a", bytes(&[b"x"]))])].map(|record| framed(&record));
    assert_eq!(
        message(&mixed.concat()),
        format!("record 2 at byte {}: feature `a` holds numbers in record 1 and bytes in record 2", mixed[0].len())
    );
    let one = example(&[("a", ints(&[1]))]);
    assert!(message(&framed(&[&one[..], &one].concat())).contains("feature `a` is there twice"));
    let odd = read_bytes(&framed(&example(&[("a", bytes(&[b"\xff", b"x"]))]))).unwrap_err();
    assert!(odd.to_string().contains("column `a` holds lists of bytes that are not text"), "{odd}");
}

#[test]
fn sequences_are_lists_of_their_steps() {
    let step = |value: &[i64]| ints(value);
    let records = [
        sequence(
            &[("user", bytes(&[b"ann"]))],
            &[
                ("page", vec![step(&[1]), step(&[2]), step(&[3])]),
                ("words", vec![bytes(&[b"a", b"b"]), bytes(&[]), bytes(&[b"c"])]),
            ],
        ),
        sequence(&[("user", bytes(&[b"bob"]))], &[("page", vec![step(&[9])]), ("words", vec![bytes(&[b"d"])])]),
        sequence(&[], &[("page", vec![])]),
        example(&[("user", bytes(&[b"eve"]))]),
    ];
    let content: Vec<u8> = records.iter().flat_map(|record| framed(record)).collect();
    let batch = read_bytes(&content).unwrap();
    let names: Vec<String> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["user", "page", "words", "words.lengths"]);
    let user = StringArray::from(vec![Some("ann"), Some("bob"), None, Some("eve")]);
    assert_eq!(batch.column(0).as_string::<i32>(), &user);
    let of = |values: &[i64]| Some(values.iter().map(|value| Some(*value)).collect());
    assert_eq!(batch.column(1).as_list::<i32>(), &lists(vec![of(&[1, 2, 3]), of(&[9]), of(&[]), None]));
    let words = batch.column(2).as_list::<i32>();
    assert_eq!(words.value(0).as_string::<i32>(), &StringArray::from(vec!["a", "b", "c"]));
    assert!(words.is_null(2) && words.is_null(3));
    assert_eq!(batch.column(3).as_list::<i32>(), &lists(vec![of(&[2, 0, 1]), of(&[1]), None, None]));
}

#[test]
fn sequences_that_contradict_themselves_are_named() {
    let twice = sequence(&[("a", ints(&[1]))], &[("a", vec![ints(&[1])])]);
    assert!(message(&framed(&twice)).contains("feature `a` is there twice"));
    let mixed = sequence(&[], &[("a", vec![ints(&[1]), bytes(&[b"x"])])]);
    assert!(message(&framed(&mixed)).contains("record 1 at byte 0: feature `a` holds values of several kinds"));
    let taken = sequence(&[("a.lengths", ints(&[1]))], &[("a", vec![ints(&[1, 2])])]);
    assert!(message(&framed(&taken)).contains("`a.lengths` is there"));
    let later =
        [framed(&sequence(&[], &[("a", vec![ints(&[1])])])), framed(&sequence(&[], &[("a", vec![bytes(&[b"x"])])]))];
    assert!(message(&later.concat()).contains("feature `a` holds numbers in record 1 and bytes in record 2"));
    // Cut inside: the checksums are right, the message is not.
    let whole = sequence(&[("u", ints(&[1]))], &[("a", vec![bytes(&[b"x"]), bytes(&[b"yz"])])]);
    for end in 1..whole.len() {
        match read_bytes(&framed(&whole[..end])) {
            Ok(batch) => assert_eq!(batch.num_rows(), 1),
            Err(error) => assert!(error.to_string().contains("record"), "{end}: {error}"),
        }
    }
}

/// A length can look like the first bytes of gzip.
#[test]
fn a_plain_file_is_not_taken_for_a_compressed_one() {
    let filler = vec![b'x'; 35_615];
    let mut record = example(&[("a", bytes(&[&filler]))]);
    let excess = record.len() - 35_615;
    record = example(&[("a", bytes(&[&filler[excess..]]))]);
    assert_eq!((record.len() as u64).to_le_bytes()[..2], [0x1f, 0x8b]);
    assert_eq!(read_bytes(&framed(&record)).unwrap().num_rows(), 1);
}

#[test]
fn what_is_written_is_read_by_others() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.tfrecord");
    let tags = lists(vec![Some(vec![Some(1), Some(-1)]), Some(Vec::new()), None]);
    let columns: [(&str, ArrayRef); 6] = [
        ("z", Arc::new(Int64Array::from(vec![Some(-1), None, Some(300)]))),
        ("fare", Arc::new(Float64Array::from(vec![Some(0.5), Some(f64::NAN), None]))),
        ("flag", Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]))),
        ("name", Arc::new(StringArray::from(vec![Some("é"), Some(""), None]))),
        ("image", Arc::new(BinaryArray::from_opt_vec(vec![Some(b"\xff".as_slice()), Some(b""), None]))),
        ("tags", Arc::new(tags)),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(columns.map(|(n, a)| (n, a, true))).unwrap();
    assert_eq!(write_table(&path, std::iter::once(Ok(batch.clone()))).unwrap(), 3);
    let written = std::fs::read(&path).unwrap();
    let (mut rest, mut examples) = (written.as_slice(), Vec::new());
    while let Some((length, tail)) = rest.split_first_chunk::<8>() {
        let count = u64::from_le_bytes(*length) as usize;
        assert_eq!(tail[..4], crc(length));
        assert_eq!(tail[4 + count..8 + count], crc(&tail[4..4 + count]));
        examples.push(Example::decode(&tail[4..4 + count]).unwrap().features.unwrap().feature);
        rest = &tail[8 + count..];
    }
    assert_eq!(examples.len(), 3);
    assert_eq!(examples[0]["z"].kind, ints(&[-1]));
    assert_eq!(examples[0]["fare"].kind, Some(Kind::Floats(FloatList { value: vec![0.5] })));
    assert_eq!(examples[0]["flag"].kind, ints(&[1]));
    assert_eq!(examples[0]["name"].kind, bytes(&["é".as_bytes()]));
    assert_eq!(examples[0]["image"].kind, bytes(&[b"\xff"]));
    assert_eq!(examples[0]["tags"].kind, ints(&[1, -1]));
    assert_eq!(examples[1]["flag"].kind, ints(&[0]));
    assert_eq!(examples[1]["tags"].kind, ints(&[]));
    assert!(!examples[1].contains_key("z"));
    assert_eq!(examples[2].keys().collect::<Vec<_>>(), ["z"]);
    let back = read(&path).unwrap();
    for name in ["z", "fare", "name", "image", "tags"] {
        assert_eq!(back.column_by_name(name), batch.column_by_name(name), "{name}");
    }
    let gap = RecordBatch::try_from_iter([("l", Arc::new(lists(vec![Some(vec![None])])) as ArrayRef)]).unwrap();
    let error = write_table(&path, std::iter::once(Ok(gap))).unwrap_err();
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("`l` holds a list with a missing value"));
    assert_eq!(std::fs::read(&path).unwrap(), written, "nothing half-written");
}

#[test]
fn many_rows_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let trips = TaxiOptions { rows: 20_000, ..TaxiOptions::default() };
    let whole: Vec<RecordBatch> = generate_taxi(&trips).collect();
    let whole = concat_batches(&whole[0].schema(), &whole).unwrap();
    for name in ["t.tfrecord", "t.tfrecord.gz"] {
        let path = dir.path().join(name);
        write_table(&path, generate_taxi(&trips).map(Ok)).unwrap();
        let back = read(&path).unwrap();
        assert_eq!(back.num_rows(), 20_000);
        for field in whole.schema().fields() {
            let (back, column) =
                (back.column_by_name(field.name()).unwrap(), whole.column_by_name(field.name()).unwrap());
            if column.data_type() == &DataType::Float64 {
                let narrow =
                    column.as_primitive::<Float64Type>().unary::<_, Float64Type>(|value| f64::from(value as f32));
                assert_eq!(back.as_primitive::<Float64Type>(), &narrow, "{}", field.name());
            } else {
                assert_eq!(back, column, "{}", field.name());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Any records that another encoder writes are read as they are.
    #[test]
    fn any_examples_are_read(rows in prop::collection::vec(
        (prop::collection::vec(any::<i64>(), 0..3), prop::option::of(any::<f32>()), prop::option::of(".{0,5}")), 1..20)
    ) {
        let encoded = rows.iter().flat_map(|(list, float, text)| {
            framed(&example(&[
                ("list", ints(list)),
                ("float", float.map(|value| Kind::Floats(FloatList { value: vec![value] }))),
                ("text", text.as_ref().and_then(|text| bytes(&[text.as_bytes()]))),
            ]))
        });
        let batch = read_bytes(&encoded.collect::<Vec<u8>>()).unwrap();
        prop_assert_eq!(batch.num_rows(), rows.len());
        let is_list = rows.iter().any(|(list, ..)| list.len() > 1);
        for (i, (list, float, text)) in rows.iter().enumerate() {
            let found = batch.column_by_name("list").unwrap();
            if is_list {
                let found = found.as_list::<i32>().value(i);
                prop_assert_eq!(found.as_primitive::<Int64Type>().values().as_ref(), list.as_slice());
            } else {
                let found = found.as_primitive::<Int64Type>();
                prop_assert_eq!(found.is_valid(i).then(|| found.value(i)), list.first().copied());
            }
            if let Some(value) = float {
                let found = batch.column_by_name("float").unwrap().as_primitive::<Float64Type>().value(i);
                prop_assert_eq!(found.to_bits(), f64::from(*value).to_bits());
            }
            if let Some(text) = text {
                prop_assert_eq!(batch.column_by_name("text").unwrap().as_string::<i32>().value(i), text.as_str());
            }
        }
    }

    #[test]
    fn damaged_files_are_read_or_refused(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), cut: prop::sample::Index) {
        let mut content = std::fs::read(recorded("trips.tfrecord")).unwrap();
        for (at, byte) in flips {
            let at = at.index(content.len());
            content[at] = byte;
        }
        content.truncate(cut.index(content.len()) + 1);
        let _ = read_bytes(&content);
    }

    #[test]
    fn damaged_sequences_are_read_or_refused(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let mut record = sequence(
            &[("user", bytes(&[b"ann"]))],
            &[("page", vec![ints(&[1]), ints(&[2, 3])]), ("fare", vec![Some(Kind::Floats(FloatList { value: vec![0.5] }))])],
        );
        for (at, byte) in flips {
            let at = at.index(record.len());
            record[at] = byte;
        }
        let _ = read_bytes(&framed(&record));
    }

    /// Behind right checksums, any bytes are an example or an error.
    #[test]
    fn arbitrary_records_are_read_or_refused(records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..4)) {
        let content: Vec<u8> = records.iter().flat_map(|record| framed(record)).collect();
        let _ = read_bytes(&content);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("records");
        std::fs::write(&path, records.concat()).unwrap();
        let _ = Table::open(&path, &ReadOptions { format: Some(Format::TfRecord), ..ReadOptions::default() });
    }
}
