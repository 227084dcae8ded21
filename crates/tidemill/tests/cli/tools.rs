//! The parts alone, on any file: sample, stats, infer-schema, validate, predict.

use crate::support::{Sandbox, Server, golden, rows};

#[test]
fn sample_data_is_the_same_everywhere_and_wrong_requests_are_answered() {
    let sandbox = Sandbox::empty();
    golden("sample", sandbox.tidemill(&["sample", "taxi", "--rows", "1000", "--out", "trips.parquet"]));
    golden("sample-plant", sandbox.tidemill(&["sample", "taxi", "--out", "t.csv", "--plant", "null-brust"]));
    golden("sample-format", sandbox.tidemill(&["sample", "taxi", "--out", "t.xlsx"]));
    sandbox.tidemill(&["sample", "taxi", "--rows", "1000", "--out", "a.csv"]);
    sandbox.tidemill(&["sample", "taxi", "--rows", "2000", "--out", "b.csv"]);
    assert!(sandbox.read("b.csv").starts_with(&sandbox.read("a.csv")), "a longer sample begins like a shorter one");
}

#[test]
fn statistics_on_the_terminal_and_as_a_page() {
    let sandbox = Sandbox::taxi(3000);
    golden("stats", sandbox.tidemill(&["stats", "data/trips.csv", "--html", "report.html"]));
    let page = sandbox.read("report.html").replace("http://www.w3.org/2000/svg", "");
    assert!(page.contains("<svg") || page.contains("createElementNS"), "histograms are drawn");
    assert!(!page.contains("http://") && !page.contains("https://"), "the page needs no network");
    assert!(page.contains("<dt>File</dt><dd>data/trips.csv</dd>"), "the page names its file");
    golden("stats-missing", sandbox.tidemill(&["stats", "data/trip.csv"]));
}

#[test]
fn a_schema_is_inferred_and_other_data_held_against_it() {
    let sandbox = Sandbox::empty();
    sandbox.tidemill(&["sample", "taxi", "--rows", "5000", "--out", "day1.parquet"]);
    golden("infer-schema", sandbox.tidemill(&["infer-schema", "day1.parquet", "--out", "schema.yaml"]));
    sandbox.tidemill(&["sample", "taxi", "--rows", "5000", "--span", "1", "--out", "day2.parquet"]);
    golden("validate-clean", sandbox.tidemill(&["validate", "day2.parquet"]));
    let plant = "new-category,negative-fares,type-change";
    sandbox.tidemill(&["sample", "taxi", "--rows", "5000", "--span", "2", "--plant", plant, "--out", "day3.parquet"]);
    golden("validate-anomalies", sandbox.tidemill(&["validate", "day3.parquet", "--html", "report.html"]));
    assert!(sandbox.path("report.html").is_file());
    sandbox.edit("schema.yaml", "type: float", "type: flaot");
    golden("validate-bad-schema", sandbox.tidemill(&["validate", "day2.parquet"]));
}

#[test]
fn predictions_go_to_csv_and_parquet_and_agree() {
    let sandbox = Sandbox::trained(3000);
    golden("predict", sandbox.tidemill(&["predict", "data/trips.csv", "--keep", "tips", "--out", "out.csv"]));
    golden(
        "predict-parquet",
        sandbox.tidemill(&["predict", "data/trips.csv", "--keep", "tips", "--out", "out.parquet"]),
    );
    let printed = sandbox.tidemill(&["predict", "data/trips.csv", "--keep", "tips"]);
    assert_eq!(printed.stdout, sandbox.read("out.csv"));
    let from_parquet = sandbox.json(&["stats", "out.parquet"]);
    let from_csv = sandbox.json(&["stats", "out.csv"]);
    assert_eq!(from_parquet["features"][1]["numeric"], from_csv["features"][1]["numeric"]);
    assert_eq!(rows(&sandbox.path("out.csv"), usize::MAX).len(), 3000);
    golden("predict-keep", sandbox.tidemill(&["predict", "data/trips.csv", "--keep", "tip"]));
    golden("predict-model", sandbox.tidemill(&["predict", "data/trips.csv", "--model", "taxi-tops"]));
    let text = sandbox.read("data/trips.csv").replace("trip_miles", "miles");
    sandbox.write("other.csv", text);
    golden("predict-column", sandbox.tidemill(&["predict", "other.csv", "--out", "other.parquet"]));
    assert!(!sandbox.path("other.parquet").exists());
}

#[test]
fn an_optional_feature_may_be_left_out_of_a_file_as_of_a_request() {
    let sandbox = Sandbox::trained(3000);
    // The sample has rows without a company or a drop-off.
    let row = r#"{"trip_miles": 2.1, "fare": 9.5, "trip_seconds": 540, "payment_type": "Credit Card", "pickup_latitude": 41.88,
        "pickup_longitude": -87.63, "pickup_community_area": 8, "trip_start_hour": 19, "trip_start_day": 6, "trip_start_month": 5}"#;
    sandbox.write("one.jsonl", row.replace('\n', " ") + "\n");
    let predicted = sandbox.json(&["predict", "one.jsonl"])["predictions"][0].as_f64();
    let server = Server::start(&sandbox);
    let (status, answer) = server.post("/v1/models/taxi-tips:predict", &format!("{{\"instances\": [{row}]}}"));
    assert!(predicted.is_some());
    assert_eq!((status, answer["predictions"][0].as_f64()), (200, predicted));
    // A feature that no row may lack is still asked for.
    sandbox.write("two.csv", "trip_miles,fare\n2.1,9.5\n");
    assert_eq!(sandbox.tidemill(&["predict", "two.csv"]).code, 2);
}

#[test]
fn nothing_is_written_over_that_somebody_may_want() {
    let sandbox = Sandbox::trained(3000);
    let before = sandbox.read("data/trips.csv");
    let refused = sandbox.tidemill(&["predict", "data/trips.csv", "--out", "data/../data/trips.csv"]);
    assert_eq!((refused.code, sandbox.read("data/trips.csv") == before), (2, true), "{refused}");
    let refused = sandbox.tidemill(&["infer-schema", "data/trips.csv", "--out", "schema.yaml"]);
    assert!(refused.code == 2 && refused.stderr.contains("--force"), "{refused}");
    assert_eq!(sandbox.tidemill(&["infer-schema", "data/trips.csv", "--out", "schema.yaml", "--force"]).code, 0);
}

#[test]
fn data_cannot_steer_the_terminal() {
    let sandbox = Sandbox::empty();
    sandbox.write("evil.csv", "a\u{1b}[31m,b\n\"x\u{1b}]0;title\u{7}\ny\",1\nz,2\n");
    for args in [&["stats", "evil.csv"][..], &["predict", "evil.csv", "--model", "\u{1b}[2J"]] {
        let shown = sandbox.tidemill(args);
        let hostile = |text: &str| text.chars().any(|c| c.is_control() && c != '\n');
        assert!(!hostile(&shown.stdout) && !hostile(&shown.stderr), "{shown}");
    }
}

#[test]
fn booleans_and_infinities_are_shown_for_what_they_are() {
    let sandbox = Sandbox::empty();
    sandbox.write("odd.csv", "flag,x\ntrue,inf\nfalse,-inf\ntrue,inf\n");
    golden("stats-odd", sandbox.tidemill(&["stats", "odd.csv"]));
}
