//! Files as people have them, through the commands that read them.

use serde_json::{Value, json};

use crate::support::Sandbox;

fn query(sandbox: &Sandbox, sql: &str, tables: &[&str]) -> Value {
    let mut args = vec!["sql", sql];
    args.extend(tables);
    sandbox.json(&args)
}

#[test]
fn codes_keep_their_zeros_everywhere() {
    let sandbox = Sandbox::empty();
    sandbox.write("customers.csv", "customer,zip\n000017,02134\n000018,00501\n000019,10115\n");
    let rows = json!([
        { "customer": "000017", "zip": "02134" },
        { "customer": "000018", "zip": "00501" },
        { "customer": "000019", "zip": "10115" },
    ]);
    assert_eq!(query(&sandbox, "SELECT customer, zip FROM t", &["t=customers.csv"]), rows);
    let schema = "version: 1\nfeatures:\n  customer: { type: string }\n  zip: { type: string }\n";
    sandbox.write("schema.yaml", schema);
    let valid = sandbox.tidemill(&["validate", "customers.csv", "--schema", "schema.yaml"]);
    assert_eq!(valid.code, 0, "{valid}");
    let inferred = sandbox.tidemill(&["infer-schema", "customers.csv"]);
    assert!(inferred.stdout.matches("type: string").count() == 2, "{inferred}");
    let number = ["t=customers.csv", "--type", "zip=int"];
    assert_eq!(query(&sandbox, "SELECT sum(zip) AS s FROM t", &number), json!([{ "s": 2134 + 501 + 10_115 }]));
    let wrong = sandbox.tidemill(&["stats", "customers.csv", "--type", "zip=number"]);
    assert!(wrong.code == 2 && wrong.stderr.contains("`number` is not a type"), "{wrong}");
}

#[test]
fn a_column_of_text_may_hold_digits_only() {
    let sandbox = Sandbox::empty();
    let week = |offset: u32, odd: &str| {
        let rows: String = (0..100).map(|i| format!("{}\n", offset + i)).collect();
        format!("ticket\n{odd}{rows}")
    };
    sandbox.write("week1.csv", week(1_000, "A/5 21171\n"));
    sandbox.write("week2.csv", week(2_000, ""));
    sandbox.tidemill(&["infer-schema", "week1.csv", "--out", "schema.yaml", "-q"]);
    let valid = sandbox.tidemill(&["validate", "week2.csv", "--schema", "schema.yaml"]);
    assert!(!valid.stdout.contains("the values are `int`"), "{valid}");
    let stats = sandbox.json(&["stats", "week2.csv", "--schema", "schema.yaml"]);
    assert_eq!(stats["features"][0]["type"], "string");
    // Two files that are compared decide together.
    let codes = |values: [&str; 3]| {
        let rows: String = (0..1_200).map(|i| format!("{}\n", values[i % 3])).collect();
        format!("code\n{rows}")
    };
    sandbox.write("codes1.csv", codes(["10", "20", "X"]));
    sandbox.write("codes2.csv", codes(["10", "20", "30"]));
    let drift = sandbox.tidemill(&["drift", "codes1.csv", "codes2.csv"]);
    assert!(!drift.stdout.contains("cannot be compared") && drift.stdout.contains("code"), "{drift}");
    sandbox.write("a.csv", "id,code\n1,07\n2,8\n");
    sandbox.write("b.csv", "id,code\n1,7\n2,8\n");
    let diff = sandbox.json(&["diff", "a.csv", "b.csv", "--key", "id"]);
    assert_eq!((&diff["changed"], &diff["same"]), (&json!(1), &json!(1)), "{diff}");
}

#[test]
fn identifiers_beyond_64_bits_stay_apart() {
    let sandbox = Sandbox::empty();
    sandbox.write("before.csv", "id,x\n18446744073709551615,1\n18446744073709551614,2\n7,3\n");
    sandbox.write("after.csv", "id,x\n18446744073709551615,1\n18446744073709551613,2\n7,3\n");
    let diff = sandbox.json(&["diff", "before.csv", "after.csv", "--key", "id"]);
    assert_eq!(diff["only"], json!({ "a": 1, "b": 1 }), "{diff}");
    assert_eq!(diff["duplicate_keys"], json!({ "a": 0, "b": 0 }), "{diff}");
    let groups = query(&sandbox, "SELECT id, count(*) AS n FROM t GROUP BY id ORDER BY id", &["t=before.csv"]);
    let expected = json!([
        { "id": "18446744073709551614", "n": 1 },
        { "id": "18446744073709551615", "n": 1 },
        { "id": "7", "n": 1 },
    ]);
    assert_eq!(groups, expected);
    let said = sandbox.tidemill(&["stats", "before.csv"]);
    assert!(said.stderr.contains("column `id` has whole numbers beyond 64 bits"), "{said}");
}

#[test]
fn sums_are_right_or_refused() {
    let sandbox = Sandbox::empty();
    sandbox.write("big.csv", "k,v\na,9223372036854775807\na,9223372036854775807\nb,-5\nb,7\n");
    let fails = |sql: &str| {
        let failed = sandbox.tidemill(&["sql", sql, "t=big.csv"]);
        assert_eq!(failed.code, 2, "{failed}");
        failed.stderr
    };
    let all = fails("SELECT sum(v) AS s FROM t");
    assert!(all.contains("the sum 18446744073709551616 does not fit 64 bits"), "{all}");
    let group = fails("SELECT k, sum(v) AS s FROM t GROUP BY k");
    assert!(group.contains("the sum 18446744073709551614 does not fit 64 bits"), "{group}");
    for (sql, what) in [
        ("SELECT 9223372036854775807 + 1 AS x", "a sum of whole numbers does not fit 64 bits"),
        ("SELECT v - (-2) AS x FROM t WHERE k = 'a'", "a difference of whole numbers does not fit 64 bits"),
        ("SELECT v * 2 AS x FROM t", "a product of whole numbers does not fit 64 bits"),
        ("SELECT k FROM t WHERE v + v > 0", "a sum of whole numbers does not fit 64 bits"),
    ] {
        let said = fails(sql);
        assert!(said.contains(what), "{sql}: {said}");
    }
    let sums = query(
        &sandbox,
        "SELECT k, sum(v) AS s, sum(DISTINCT v) AS d, avg(v) AS a, v * 2 + 1 AS x FROM t WHERE k = 'b' GROUP BY k, v ORDER BY v",
        &["t=big.csv"],
    );
    let expected = json!([
        { "k": "b", "s": -5, "d": -5, "a": -5.0, "x": -9 },
        { "k": "b", "s": 7, "d": 7, "a": 7.0, "x": 15 },
    ]);
    assert_eq!(sums, expected);
    let windows = "SELECT v, sum(v) OVER (ORDER BY v ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS s FROM t WHERE k = 'b' ORDER BY v";
    assert_eq!(query(&sandbox, windows, &["t=big.csv"]), json!([{ "v": -5, "s": -5 }, { "v": 7, "s": 2 }]));
    let floats = query(&sandbox, "SELECT sum(CAST(v AS DOUBLE)) AS s FROM t WHERE k = 'a'", &["t=big.csv"]);
    assert_eq!(floats, json!([{ "s": 18_446_744_073_709_551_616.0 }]));
    let names = query(&sandbox, "SELECT v + 1 FROM t WHERE k = 'b' ORDER BY v LIMIT 1", &["t=big.csv"]);
    assert_eq!(names.as_array().and_then(|rows| rows[0].as_object()).map(serde_json::Map::len), Some(1));
}

#[test]
fn lists_stay_lists() {
    let sandbox = Sandbox::empty();
    sandbox.write("lists.jsonl", "{\"tags\": [\"a, b\", \"c\"], \"n\": [1, 2.5]}\n{\"tags\": [], \"n\": null}\n");
    let rows = json!([{ "tags": ["a, b", "c"], "n": [1.0, 2.5] }, { "tags": [], "n": null }]);
    assert_eq!(query(&sandbox, "SELECT tags, n FROM t", &["t=lists.jsonl"]), rows);
    for name in ["out.jsonl", "out.parquet"] {
        let written = sandbox.tidemill(&["sql", "SELECT tags, n FROM t", "t=lists.jsonl", "--out", name, "-q"]);
        assert_eq!(written.code, 0, "{written}");
        assert_eq!(query(&sandbox, "SELECT tags, n FROM t", &[&format!("t={name}")]), rows, "{name}");
    }
    let csv = sandbox.tidemill(&["sql", "SELECT tags FROM t", "t=lists.jsonl", "--csv"]);
    assert!(csv.code == 2 && csv.stderr.contains("column `tags` is a list, which CSV cannot hold"), "{csv}");
    let nested = query(&sandbox, "SELECT named_struct('a', 1, 'b', tags) AS s FROM t LIMIT 1", &["t=lists.jsonl"]);
    assert_eq!(nested, json!([{ "s": { "a": 1, "b": ["a, b", "c"] } }]));
}

#[test]
fn common_files_are_read_with_a_remark() {
    let sandbox = Sandbox::empty();
    sandbox.write("index.csv", ",a,b\n0,1,x\n1,2,y\n");
    let index = sandbox.tidemill(&["stats", "index.csv"]);
    assert!(index.code == 0 && index.stderr.contains("column 1 has no name; it is called `column_1`"), "{index}");
    sandbox.write("trailing.csv", "a,b,c,\n1,2,x,\n3,4,y,\n");
    let trailing = sandbox.tidemill(&["stats", "trailing.csv"]);
    assert!(trailing.code == 0 && trailing.stdout.contains("2 rows, 3 features"), "{trailing}");
    sandbox.write("prices.csv", "id;price\n1;3,50\n2;4,25\n");
    let hint = sandbox.tidemill(&["stats", "prices.csv"]);
    assert!(hint.code == 2 && hint.stderr.contains("--delimiter ';'"), "{hint}");
    let price = ["t=prices.csv", "--delimiter", ";", "--decimal", ","];
    assert_eq!(query(&sandbox, "SELECT sum(price) AS s FROM t", &price), json!([{ "s": 7.75 }]));
    let mass = "mass,sex\n3590,male\nNA,female\n3580,male\n";
    sandbox.write("penguins.csv", mass);
    let said = sandbox.tidemill(&["stats", "penguins.csv"]);
    assert!(said.stderr.contains("`NA` is read as missing in column `mass` (1) of 3 rows"), "{said}");
    assert_eq!(query(&sandbox, "SELECT avg(mass) AS m FROM t", &["t=penguins.csv"]), json!([{ "m": 3585.0 }]));
    sandbox.write("array.json", "[\n  {\"a\": 1},\n  {\"a\": 2}\n]\n");
    assert_eq!(query(&sandbox, "SELECT sum(a) AS s FROM t", &["t=array.json"]), json!([{ "s": 3 }]));
    sandbox.write("utf16.csv", b"\xff\xfea\0,\0b\0\n\x001\0,\x002\0\n\0");
    let other = sandbox.tidemill(&["stats", "utf16.csv"]);
    assert!(other.stderr.contains("iconv -f UTF-16 -t UTF-8"), "{other}");
}

#[test]
fn a_table_of_few_distinct_rows_gives_a_model() {
    let sandbox = Sandbox::empty();
    // Two features that say something about the label, 600 rows of 8 kinds.
    let rows: String = (0..600)
        .map(|i| {
            let (group, cold) = (i % 2, i % 5 < 2);
            let bought = if cold { 1 - group } else { group };
            format!("{},{bought}\n", ["a", "b"][group])
        })
        .collect();
    sandbox.write("data.csv", format!("group,bought\n{rows}"));
    sandbox.write(
        "pipeline.yaml",
        "version: 1\npipeline: p\nsteps:\n  examples:\n    component: ExampleGen\n    source: { csv: data.csv }\n    \
         splits: { train: 2, eval: 1 }\n    split_except: [bought]\n  statistics: { component: StatisticsGen }\n  \
         schema: { component: SchemaGen, file: schema.yaml }\n  validate: { component: ExampleValidator }\n  \
         transform:\n    component: Transform\n    label: { column: bought }\n    features:\n      group: categorical\n  \
         train: { component: Trainer, learner: { gradient_boosting: { rounds: 20 } } }\n  \
         evaluate: { component: Evaluator }\n",
    );
    let run = sandbox.tidemill(&["run"]);
    assert_eq!(run.code, 0, "{run}");
    assert!(
        run.stdout.contains("equal to a row of another split")
            || run.stderr.contains("equal to a row of another split"),
        "{run}"
    );
    // Nothing to do: the schema that was written says nothing new.
    let again = sandbox.tidemill(&["plan"]);
    assert!(!again.stdout.contains("types of schema.yaml"), "{again}");
}
