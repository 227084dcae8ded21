//! How far one day lies from another: the table, the page, the exit code, statistics files.

use crate::support::{Sandbox, golden};

fn days() -> Sandbox {
    let sandbox = Sandbox::empty();
    for (name, span, plant) in [("day1", "0", ""), ("day2", "1", ""), ("day3", "2", "shifted-span,negative-fares")] {
        let file = format!("{name}.parquet");
        let mut args = vec!["sample", "taxi", "--rows", "5000", "--span", span, "--out", &file];
        if !plant.is_empty() {
            args.extend(["--plant", plant]);
        }
        assert_eq!(sandbox.tidemill(&args).code, 0);
    }
    sandbox
}

#[test]
fn an_honest_day_is_clean_and_a_shifted_one_is_not() {
    let sandbox = days();
    golden("drift-clean", sandbox.tidemill(&["drift", "day1.parquet", "day2.parquet"]));
    golden("drift-shifted", sandbox.tidemill(&["drift", "day1.parquet", "day3.parquet", "--html", "drift.html"]));
    let page = sandbox.read("drift.html");
    assert!(page.contains("day3.parquet against day1.parquet"));
    assert!(page.contains("<dt>Baseline</dt><dd>day1.parquet</dd>"), "the page names its files");
    assert!(page.contains("COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH"));
    assert!(!page.replace("http://www.w3.org/2000/svg", "").contains("http"), "the page needs no network");
    let report = sandbox.json(&["drift", "day1.parquet", "day3.parquet"]);
    assert_eq!(report["features"].as_array().map(Vec::len), Some(18), "distances are reported for every feature");
    assert_eq!(report["anomalies"][0]["severity"], "ERROR");
}

#[test]
fn statistics_stand_for_the_files_they_were_made_of() {
    let sandbox = days();
    for name in ["day1", "day3"] {
        let statistics = sandbox.tidemill(&["stats", &format!("{name}.parquet"), "-o", "json"]);
        sandbox.write(&format!("{name}.json"), statistics.stdout);
    }
    let of = |a: &str, b: &str| sandbox.tidemill(&["drift", a, b, "-o", "json"]);
    let files = of("day1.parquet", "day3.parquet");
    assert_eq!((files.code, files.stdout), (1, of("day1.json", "day3.json").stdout));
    let both = sandbox.tidemill(&["stats", "day1.parquet", "day3.parquet", "-o", "json"]);
    sandbox.write("both.json", both.stdout);
    golden("drift-two-statistics", sandbox.tidemill(&["drift", "day1.json", "both.json"]));
    sandbox.write("other.json", "{\"rows\": 3}");
    golden("drift-other-json", sandbox.tidemill(&["drift", "day1.json", "other.json"]));
    golden("drift-no-file", sandbox.tidemill(&["drift", "day1.json", "day9.parquet"]));
}

#[test]
fn the_schema_decides_what_is_too_far() {
    let sandbox = days();
    sandbox.tidemill(&["infer-schema", "day1.parquet", "--out", "schema.yaml"]);
    let schema = ["--schema", "schema.yaml"];
    let shifted =
        |more: &[&str]| sandbox.tidemill(&[&["drift", "day1.parquet", "day3.parquet"], &schema[..], more].concat());
    assert_eq!(shifted(&[]).code, 1);
    // The inferred file has comparators for drift, none for skew.
    assert_eq!(shifted(&["--skew"]).code, 0);
    let text = sandbox.read("schema.yaml").replace("jensen_shannon: 0.01 ", "jensen_shannon: 0.2 ");
    sandbox.write("schema.yaml", &text);
    assert_eq!(shifted(&[]).code, 0, "{}", shifted(&[]));
    let bounded = "version: 1\ndataset: { num_examples_drift: { min_fraction: 1.5 } }";
    sandbox.write("schema.yaml", text.replace("version: 1", bounded));
    golden("drift-few-examples", shifted(&["-q"]).stdout.lines().last().unwrap_or_default());
    assert_eq!(shifted(&[]).code, 1);
    sandbox.write("schema.yaml", text.replace("jensen_shannon: 0.2 ", "l_infinity: 0.2 "));
    let refused = shifted(&[]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("`l_infinity` does not apply to the type"), "{refused}");
    assert!(refused.stderr.contains("[schema.yaml:45:96]"), "{refused}");
}
