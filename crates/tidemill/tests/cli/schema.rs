//! Schemas as files, the day after training, two tables row by row.

use crate::support::{Sandbox, golden};

#[test]
fn the_day_after_is_noticed_in_all_four_ways() {
    let sandbox = Sandbox::empty();
    let sample = |span: &str, plant: &[&str], out: &str| {
        let args = ["sample", "taxi", "--rows", "20000", "--span", span, "--out", out];
        assert_eq!(sandbox.tidemill(&[&args, plant].concat()).code, 0);
    };
    sample("0", &[], "day1.parquet");
    sample("1", &[], "honest.parquet");
    let plant = ["--plant", "shifted-span,negative-fares,new-category,missing-companies"];
    sample("1", &plant, "day2.parquet");
    sandbox.tidemill(&["infer-schema", "day1.parquet", "--out", "schema.yaml"]);
    let found = |file: &str| {
        let rules = sandbox.json(&["validate", file]);
        let moved = sandbox.json(&["drift", "day1.parquet", file, "--schema", "schema.yaml"]);
        let mut found: Vec<String> = [&rules["anomalies"], &moved["anomalies"]]
            .into_iter()
            .flat_map(|list| list.as_array().expect("a list"))
            .filter(|anomaly| anomaly["severity"] == "ERROR")
            .map(|anomaly| format!("{} {}", anomaly["feature"].as_str().unwrap(), anomaly["type"].as_str().unwrap()))
            .collect();
        found.sort();
        found
    };
    assert_eq!(found("honest.parquet"), [""; 0]);
    let all = found("day2.parquet");
    for expected in [
        "company ENUM_TYPE_UNEXPECTED_STRING_VALUES",
        "company FEATURE_TYPE_LOW_FRACTION_PRESENT",
        "fare COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH",
        "fare FLOAT_TYPE_SMALL_FLOAT",
    ] {
        assert!(all.iter().any(|found| found == expected), "{expected} is not among {all:?}");
    }
    golden("validate-rows", sandbox.tidemill(&["validate", "day2.parquet", "--show-rows", "2"]));
}

#[test]
fn a_schema_is_edited_compared_and_converted() {
    let sandbox = Sandbox::empty();
    sandbox.write("a.csv", "fare,company\n1.5,x\n2.5,y\n".to_owned() + &"3.5,x\n4.5,y\n".repeat(30));
    sandbox.write("b.csv", "fare,company\n-1.5,x\n2.5,z\n".to_owned() + &"3.5,x\n4.5,z\n".repeat(30));
    sandbox.tidemill(&["infer-schema", "a.csv", "--out", "schema.yaml"]);
    // A tolerance has no form in TensorFlow's schema, with which this one is compared below.
    let mut schema = sandbox.read("schema.yaml");
    while let Some(at) = schema.find(", tolerance: ") {
        let end = at + schema[at..].find(" }").expect("the end of a presence");
        schema.replace_range(at..end, "");
    }
    sandbox.write("schema.yaml", schema);
    sandbox.edit("schema.yaml", "  fare:", "  # Dollars.\n  fare:");
    let before = sandbox.read("schema.yaml");
    let update = |more: &[&str]| sandbox.tidemill(&[&["schema", "update", "b.csv"], more].concat());
    golden("schema-update-dry", update(&["--accept", "all", "--dry-run"]));
    assert_eq!(sandbox.read("schema.yaml"), before);
    golden("schema-update-unknown", update(&["--accept", "FLOAT_TYPE_SMAL_FLOAT"]));
    golden("schema-update-none", update(&["--accept", "FLOAT_TYPE_SMALL_FLOAT:company"]));
    sandbox.write("before.yaml", before.clone());
    golden("schema-update", update(&["--accept", "ENUM_TYPE_UNEXPECTED_STRING_VALUES:company"]));
    golden("schema-diff", sandbox.tidemill(&["schema", "diff", "before.yaml", "schema.yaml"]));
    assert_eq!(sandbox.tidemill(&["schema", "diff", "schema.yaml", "schema.yaml"]).code, 0);

    golden("schema-convert", sandbox.tidemill(&["schema", "convert", "schema.yaml", "--out", "schema.pbtxt"]));
    golden("schema-convert-again", sandbox.tidemill(&["schema", "convert", "schema.yaml", "--out", "schema.pbtxt"]));
    assert_eq!(sandbox.tidemill(&["schema", "diff", "schema.yaml", "schema.pbtxt"]).code, 0);
    assert_eq!(
        sandbox
            .tidemill(&["validate", "b.csv", "--schema", "schema.pbtxt", "-o", "json"])
            .stdout
            .replace(".pbtxt", ".yaml"),
        sandbox.tidemill(&["validate", "b.csv", "-o", "json"]).stdout
    );
    sandbox.tidemill(&["infer-schema", "a.csv", "--out", "inferred.pbtxt"]);
    assert!(sandbox.read("inferred.pbtxt").contains("jensen_shannon_divergence"));
    sandbox.write("bad.pbtxt", "feature {\n  name: \"fare\"\n  typ: FLOAT\n}\n");
    golden("schema-bad-pbtxt", sandbox.tidemill(&["validate", "b.csv", "--schema", "bad.pbtxt"]));
}

#[test]
fn weights_come_from_a_column_or_from_statistics() {
    let sandbox = Sandbox::empty();
    // What lacks a fare weighs nothing.
    let rows = "3.5,x,1\n4.5,y,1\n".repeat(30);
    sandbox.write("a.csv", format!("fare,company,w\n{rows}{}", ",x,0\n,y,0\n".repeat(10)));
    sandbox.write("b.csv", format!("fare,company,w\n{rows}-1,z,0.5\n{rows}"));
    let weight = ["--weight", "w"];
    let with = |args: &[&str], more: &[&str]| sandbox.tidemill(&[args, more].concat());
    let infer = with(&["infer-schema", "a.csv", "--out", "schema.yaml"], &weight);
    assert_eq!(infer.code, 0, "{infer}");
    assert_eq!(with(&["validate", "a.csv"], &weight).code, 0);
    let plain = with(&["validate", "a.csv"], &[]);
    assert!(plain.code == 1 && plain.stdout.contains("20 of 80 examples (25 %) lack a value"), "{plain}");
    for file in ["a.pb", "a.json"] {
        with(&["stats", "a.csv", "--out", file], &weight);
        assert_eq!(with(&["validate", file], &weight).code, 0, "{file}");
        assert_eq!(with(&["validate", file], &[]).code, 0, "{file}");
    }
    with(&["stats", "a.csv", "--out", "plain.pb"], &[]);
    let refused = with(&["validate", "plain.pb"], &weight);
    assert!(refused.code == 2 && refused.stderr.contains("holds no statistics by the weights in `w`"), "{refused}");
    let wrong = with(&["validate", "a.csv", "--weight", "company"], &[]);
    assert!(wrong.code == 2 && wrong.stderr.contains("the weight column `company` holds"), "{wrong}");
    let drift = sandbox.json(&["drift", "a.pb", "b.csv", "--weight", "w"]);
    assert_eq!(drift["by_weight"], true, "{drift}");
    // Statistics stand for the rows here too.
    with(&["stats", "b.csv", "--out", "b.pb"], &weight);
    let update = with(&["schema", "update", "b.pb", "--accept", "FLOAT_TYPE_SMALL_FLOAT"], &weight);
    assert!(update.code == 0 && sandbox.read("schema.yaml").contains("min: -1"), "{update}");
}

#[test]
fn tables_are_compared_row_by_row() {
    let sandbox = Sandbox::empty();
    sandbox.write("a.csv", "id,fare,paid,old\n1,10.0,Cash,1\n2,7.5,Cash,1\n3,4.0,,1\n5,1,x,1\n5,1,x,1\n,1,x,1\n");
    sandbox.write("b.csv", "paid,id,fare\nCash,1,10\nCard,2,7.6\nCard,4,1.0\nCard,3,4.0\n");
    golden("diff", sandbox.tidemill(&["diff", "a.csv", "b.csv", "--key", "id"]));
    let json = sandbox.json(&["diff", "a.csv", "b.csv", "--key", "id", "--ignore", "paid,old", "--tolerance", "0.1"]);
    assert_eq!((json["changed"].as_u64(), json["same"].as_u64()), (Some(0), Some(3)));
    let same = sandbox.tidemill(&["diff", "b.csv", "b.csv", "--key", "id,paid"]);
    assert_eq!(same.code, 0);
    golden("diff-same", same);
    golden("diff-column", sandbox.tidemill(&["diff", "a.csv", "b.csv", "--key", "idd"]));
    golden("diff-tolerance", sandbox.tidemill(&["diff", "a.csv", "b.csv", "--key", "id", "--tolerance=-1"]));
}
