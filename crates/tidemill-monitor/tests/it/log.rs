//! The inference log: every row is there once, whatever was compacted, cut short or erased.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use arrow::array::{Array, AsArray};
use proptest::prelude::*;
use serde_json::json;
use tidemill_monitor::{InferenceLog, Micros, Subject, parse_time, rfc3339};

const HOUR: Micros = 3_600_000_000;

fn start() -> Micros {
    parse_time("2026-03-01T00:00:00Z").unwrap()
}

/// A file as the server names it, with a row for each of these times.
fn write(dir: &Path, number: usize, began: Micros, rows: &[(Micros, String)]) -> String {
    let stamp = rfc3339(began).replace(['-', ':'], "");
    let name = format!("{stamp}-17-{number}.jsonl");
    let line = |(at, id): &(Micros, String)| {
        let row = json!({ "fare": 2.5, "rider": format!("r{}", id.len() % 3), "_probability": 0.25, "_time": rfc3339(*at),
            "_model": "m", "_version": 1, "_request_id": id, "_row": 0, "_latency_us": 40 });
        format!("{row}\n")
    };
    fs::create_dir_all(dir.join("m")).unwrap();
    fs::write(dir.join("m").join(&name), rows.iter().map(line).collect::<String>()).unwrap();
    name
}

/// The names of all requests, in the order in which they are read.
fn requests(log: &InferenceLog) -> Vec<String> {
    let mut all = Vec::new();
    for file in log.files().unwrap() {
        for batch in file.read(None, None).unwrap() {
            let batch = batch.unwrap();
            let ids = batch.column_by_name("_request_id").unwrap().as_string::<i32>().clone();
            all.extend((0..ids.len()).map(|row| ids.value(row).to_owned()));
        }
    }
    all.sort();
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn every_row_is_there_once_after_any_compactions(
        files in prop::collection::vec((0i64..6, prop::collection::vec(0i64..2 * HOUR, 0..6)), 1..6),
        holds in prop::collection::vec(0i64..8, 1..4),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut expected = Vec::new();
        for (number, (hour, offsets)) in files.iter().enumerate() {
            let began = start() + hour * HOUR;
            let rows: Vec<(Micros, String)> =
                offsets.iter().enumerate().map(|(row, offset)| (began + offset, format!("q{number}-{row}"))).collect();
            expected.extend(rows.iter().map(|(_, id)| id.clone()));
            write(dir.path(), number, began, &rows);
        }
        expected.sort();
        let log = InferenceLog::open(dir.path(), "m").unwrap();
        let mut holds = holds.clone();
        holds.sort_unstable();
        for now in holds {
            log.compact(start() + now * HOUR, Duration::from_hours(1)).unwrap();
            let left: Vec<String> = log.files().unwrap().iter()
                .filter(|file| fs::metadata(&file.path).unwrap().len() > 0)
                .flat_map(|file| file.sources.clone()).collect();
            prop_assert!(!left.is_empty() || expected.is_empty());
        }
        let empty_left = files.iter().any(|(_, offsets)| offsets.is_empty());
        if !empty_left {
            prop_assert_eq!(requests(&log), expected.clone());
        }
        log.compact(start() + 99 * HOUR, Duration::ZERO).unwrap();
        prop_assert_eq!(requests(&log), expected.clone());
        prop_assert!(log.files().unwrap().iter().all(|file| file.compacted));
        prop_assert_eq!(log.status().unwrap().rows, expected.len() as u64);
    }
}

#[test]
fn a_process_killed_after_its_commit_leaves_no_row_twice() {
    let dir = tempfile::tempdir().unwrap();
    let rows = [(start() + 5, "a".to_owned()), (start() + HOUR + 5, "b".to_owned())];
    let name = write(dir.path(), 1, start(), &rows);
    let kept = fs::read(dir.path().join("m").join(&name)).unwrap();
    let log = InferenceLog::open(dir.path(), "m").unwrap();
    log.compact(start() + 99 * HOUR, Duration::ZERO).unwrap();
    // As if it had been killed before it removed the file, and another before its commit.
    fs::write(dir.path().join("m").join(&name), kept).unwrap();
    fs::write(dir.path().join("m/hours/2026-03-01T00-9.parquet"), b"half").unwrap();
    assert_eq!(requests(&log), ["a", "b"]);
    log.compact(start() + 99 * HOUR, Duration::ZERO).unwrap();
    assert_eq!(requests(&log), ["a", "b"]);
    let left: BTreeSet<String> = fs::read_dir(dir.path().join("m"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(left, BTreeSet::from(["hours".to_owned()]));
    assert!(!dir.path().join("m/hours/2026-03-01T00-9.parquet").exists());
}

#[test]
fn the_rows_of_a_person_are_erased_from_all_files() {
    let dir = tempfile::tempdir().unwrap();
    let rows = |ids: &[&str]| {
        ids.iter().enumerate().map(|(at, id)| (start() + at as i64, (*id).to_owned())).collect::<Vec<_>>()
    };
    write(dir.path(), 1, start(), &rows(&["a", "bb", "ccc", "dddd"]));
    let log = InferenceLog::open(dir.path(), "m").unwrap();
    log.compact(start() + 99 * HOUR, Duration::ZERO).unwrap();
    write(dir.path(), 2, start() + HOUR, &rows(&["e", "ff"]));
    let subject = Subject { column: "rider".to_owned(), values: ["r1".to_owned()].into() };
    let erased = log.erase(&subject).unwrap();
    assert_eq!((erased.rows, erased.files), (3, 2));
    assert_eq!(erased.requests, ["a", "dddd", "e"].map(str::to_owned).into());
    assert_eq!(requests(&log), ["bb", "ccc", "ff"]);
    assert_eq!(log.erase(&subject).unwrap().rows, 0);
    let wrong = Subject { column: "ridr".to_owned(), values: ["r1".to_owned()].into() };
    assert!(log.erase(&wrong).unwrap_err().to_string().contains("no column `ridr`"));
}

#[test]
fn what_is_too_old_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let rows: Vec<_> = (0..5).map(|hour| (start() + hour * HOUR + 1, format!("q{hour}"))).collect();
    write(dir.path(), 1, start(), &rows);
    let log = InferenceLog::open(dir.path(), "m").unwrap();
    log.compact(start() + 99 * HOUR, Duration::ZERO).unwrap();
    let before = start() + 3 * HOUR + 7;
    assert_eq!(log.prune(before, true).unwrap().hours, 3);
    assert_eq!(requests(&log).len(), 5);
    assert_eq!(log.prune(before, false).unwrap().rows, 3);
    assert_eq!(requests(&log), ["q3", "q4"]);
    let status = log.status().unwrap();
    assert_eq!((status.rows, status.hours, status.empty_hours.len()), (2, 2, 0));
}

#[test]
fn files_that_are_no_log_are_named() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 1, start(), &[(start(), "a".to_owned())]);
    let error = InferenceLog::open(dir.path(), "mm").unwrap_err();
    assert!(error.to_string().contains("no log of the model `mm`"), "{error}");
    let log = InferenceLog::open(dir.path(), "m").unwrap();
    fs::write(dir.path().join("m/x.jsonl"), "{\"fare\": 1.0}\n").unwrap();
    let error = log.compact(start() + 99 * HOUR, Duration::ZERO).unwrap_err().to_string();
    assert!(error.contains("x.jsonl") && error.contains("_time"), "{error}");
    fs::remove_file(dir.path().join("m/x.jsonl")).unwrap();
    fs::create_dir_all(dir.path().join("m/hours")).unwrap();
    fs::write(dir.path().join("m/hours/manifest.json"), "{}").unwrap();
    assert!(log.files().unwrap_err().to_string().contains("not a manifest"));
}
