//! Queries over files, and rules written as queries.

use serde_json::{Value, json};

use crate::support::Sandbox;

const TRIPS: &str = "id,company,fare,tips,Trip Seconds\n1,Blue,10.5,2,60\n2,Blue,-3,0,\n3,Red,20,0,90\n4,,8,1,30\n";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::empty();
    sandbox.write("trips.csv", TRIPS);
    sandbox.write("more/a.csv", "id,fare\n5,1\n");
    sandbox.write("more/b.csv", "id,fare\n6,2\n7,-9\n");
    sandbox
}

#[test]
fn files_answer_queries() {
    let sandbox = sandbox();
    let ask = |query: &str, tables: &[&str]| sandbox.json(&[&["sql", query], tables].concat());
    assert_eq!(
        ask(
            "SELECT company, count(*) AS n, sum(fare) AS fare FROM trips GROUP BY company ORDER BY n DESC, fare",
            &["trips.csv"]
        ),
        json!([
            { "company": "Blue", "n": 2, "fare": 7.5 },
            { "company": null, "n": 1, "fare": 8.0 },
            { "company": "Red", "n": 1, "fare": 20.0 },
        ])
    );
    assert_eq!(ask("SELECT count(*) AS n FROM t", &["t=more"]), json!([{ "n": 3 }]));
    assert_eq!(ask("SELECT max(\"Trip Seconds\") AS most FROM trips", &["trips.csv"]), json!([{ "most": 90 }]));
    assert_eq!(
        ask(
            "SELECT t.id FROM t JOIN m ON m.id = t.id + 4 WHERE m.fare < 0 OR t.tips > 0 ORDER BY 1",
            &["t=trips.csv", "m=more/*.csv"]
        ),
        json!([{ "id": 1 }, { "id": 3 }])
    );
    assert_eq!(ask("SELECT 1 AS one WHERE false", &[]), json!([]));
    let text = sandbox.tidemill(&["sql", "SELECT id, fare FROM trips LIMIT 1", "trips.csv"]);
    assert!(text.stdout.contains("10.5") && text.stdout.contains("1 row\n"), "{text}");
    let csv = sandbox.tidemill(&["sql", "SELECT id, company FROM trips WHERE id > 2", "trips.csv", "--csv"]);
    assert_eq!(csv.stdout, "id,company\n3,Red\n4,\n", "{csv}");
    let out = sandbox.tidemill(&["sql", "SELECT * FROM trips WHERE fare > 0", "trips.csv", "--out", "good.parquet"]);
    assert_eq!(out.stdout, "wrote 3 rows to `good.parquet`\n", "{out}");
    assert_eq!(ask("SELECT count(*) AS n FROM good", &["good.parquet"]), json!([{ "n": 3 }]));
}

#[test]
fn statistics_are_a_function_of_sql() {
    let sandbox = sandbox();
    let ask = |query: &str, tables: &[&str]| sandbox.json(&[&["sql", query], tables].concat());
    let told = sandbox.json(&["stats", "trips.csv"]);
    let mut asked = ask("SELECT statistics(*) AS all FROM trips", &["trips.csv"])[0]["all"].take();
    asked["name"] = told["name"].clone();
    assert_eq!(asked, told, "the same as `tidemill stats`");
    let told = sandbox.json(&["stats", "more"]);
    for threads in ["1", "4"] {
        let all = ["sql", "SELECT statistics(*) AS all FROM t", "t=more/*.csv", "--threads", threads];
        let mut asked = sandbox.json(&all)[0]["all"].take();
        asked["name"] = told["name"].clone();
        assert_eq!(asked, told, "over files, on {threads} threads");
    }
    let by_company = ask(
        "SELECT company, statistics(fare, \"Trip Seconds\") AS s FROM trips GROUP BY company ORDER BY company",
        &["trips.csv"],
    );
    assert_eq!(by_company[0]["s"]["num_examples"], 2);
    assert_eq!(by_company[0]["s"]["features"][0]["numeric"]["min"], -3.0);
    assert_eq!(by_company[0]["s"]["features"][1]["name"], "Trip Seconds");
    // A star takes the columns of all tables; the queries of a union have one each.
    let joined = ask(
        "SELECT statistics(*) AS s FROM t JOIN m ON m.id = t.id + 4 UNION ALL SELECT statistics(*) FROM m",
        &["t=trips.csv", "m=more/*.csv"],
    );
    let features = |i: usize| joined[i]["s"]["features"].as_array().map_or(0, Vec::len);
    assert_eq!(features(0) + features(1), 9);
    // States are kept and merged later.
    let query = "SELECT company, statistics_state(fare, tips) AS state FROM trips GROUP BY company";
    let kept = sandbox.tidemill(&["sql", query, "trips.csv", "--out", "states.parquet"]);
    assert_eq!(kept.code, 0, "{kept}");
    let merged = ask("SELECT statistics_merge(state) AS s FROM states", &["states.parquet"]);
    assert_eq!(merged[0]["s"]["num_examples"], 4);
    assert_eq!(merged[0]["s"]["features"][0]["numeric"]["mean"], 8.875);
    let shown = sandbox.tidemill(&["sql", "SELECT statistics(fare) AS s FROM trips", "trips.csv"]);
    assert!(shown.stdout.contains('…') && shown.stdout.lines().all(|line| line.chars().count() < 80), "{shown}");
    let said = sandbox.tidemill(&["sql", "SELECT statistics() FROM trips", "trips.csv"]);
    assert!(said.code == 2 && said.stderr.contains("`statistics(*)`"), "{said}");
}

#[test]
fn the_same_query_gives_the_same_bytes() {
    let sandbox = Sandbox::empty();
    sandbox.tidemill(&["sample", "taxi", "--rows", "150000", "--out", "a.parquet"]);
    sandbox.tidemill(&["sample", "taxi", "--rows", "70000", "--span", "1", "--out", "b.parquet"]);
    let of = |query: &str, threads: &str| {
        let said = sandbox.tidemill(&["sql", query, "a.parquet", "b.parquet", "--threads", threads, "-o", "json"]);
        assert_eq!(said.code, 0, "{said}");
        said.stdout
    };
    // Rows that are picked keep their order, whatever the threads.
    let picked =
        "SELECT fare, tips, company FROM a WHERE fare > 5 UNION ALL SELECT fare, tips, company FROM b WHERE tips > 1";
    let once = of(picked, "1");
    assert!(once.lines().count() > 100_000 && once == of(picked, "4") && once == of(picked, "4"));
    for query in [
        "SELECT company, trip_start_hour, sum(fare) AS fare, avg(tips) AS tips FROM a GROUP BY company, trip_start_hour",
        "SELECT a.company, b.trip_miles FROM a JOIN b ON a.trip_start_timestamp = b.trip_start_timestamp + 604800",
        "SELECT company, statistics_state(fare) AS s FROM a GROUP BY company",
    ] {
        let once = of(query, "4");
        assert!(once.lines().count() > 1, "{query}");
        assert!((0..2).all(|_| of(query, "4") == once), "{query}");
    }
}

#[test]
fn queries_that_cannot_work_say_why() {
    let sandbox = sandbox();
    for (args, message) in [
        (&["SELECT * FROM trip", "trips.csv"][..], "tables: `trips`"),
        (&["SELECT * FROM trips"][..], "name the files after the query"),
        (&["SELECT fair FROM trips", "trips.csv"][..], "fair"),
        (&["SELEC 1"][..], "SELEC"),
        (&["DROP TABLE trips", "trips.csv"][..], "DDL"),
        (&["COPY trips TO 'x.csv'", "trips.csv"][..], "DML"),
        (&["SELECT 1", "a=trips.csv", "a=more"][..], "there are two tables `a`"),
        (&["SELECT 1", "none.csv"][..], "no file at `none.csv`"),
        (&["SELECT CAST(company AS BIGINT) FROM trips", "trips.csv"][..], "Blue"),
    ] {
        let said = sandbox.tidemill(&[&["sql"], args].concat());
        assert_eq!(said.code, 2, "{said}");
        assert!(said.stderr.contains(message), "{message}: {said}");
    }
    // An error halfway leaves no file behind.
    let out = ["sql", "SELECT 1 / (id - 3) AS x FROM trips", "trips.csv", "--out", "x.csv"];
    let said = sandbox.tidemill(&out);
    assert!(said.code != 0 && !sandbox.path("x.csv").exists(), "{said}");
}

#[test]
fn broken_rules_are_anomalies_with_their_rows() {
    let sandbox = sandbox();
    sandbox.tidemill(&["infer-schema", "trips.csv", "--out", "schema.yaml"]);
    sandbox.write(
        "rules.yaml",
        "rules:\n\
         \x20 - { name: fares, sql: SELECT company FROM data WHERE fare < 0, message: no fare is negative }\n\
         \x20 - { name: many, sql: SELECT count(*) > 3 FROM data }\n\
         \x20 - { name: few, sql: SELECT count(*) < 3 FROM data, severity: WARNING }\n\
         \x20 - { name: zeros, sql: \"SELECT feature, num_zeros FROM statistics WHERE num_zeros / num_non_missing >= 0.5\" }\n",
    );
    let rules = |file: &str| {
        let found = sandbox.json(&["validate", file, "--rules", "rules.yaml"]);
        let all = found["anomalies"].as_array().cloned().unwrap_or_default();
        all.into_iter().filter(|anomaly| anomaly["type"] == "CUSTOM_VALIDATION").collect::<Vec<Value>>()
    };
    let found = rules("trips.csv");
    let text = |i: usize| found[i]["description"].as_str().unwrap_or_default().to_owned();
    assert_eq!(text(0), "rule `fares`: no fare is negative (1 row breaks it)");
    assert_eq!(found[0]["evidence"][0]["row"], 2);
    assert_eq!(found[0]["evidence"][0]["value"], "company Blue");
    assert_eq!((text(1).as_str(), found[1]["severity"].as_str()), ("rule `few`: it does not hold", Some("WARNING")));
    assert_eq!((found[2]["feature"].as_str(), text(2).as_str()), (Some("tips"), "rule `zeros`: num_zeros 2"));
    assert_eq!(found.len(), 3);
    assert_eq!(sandbox.tidemill(&["validate", "trips.csv", "--rules", "rules.yaml"]).code, 1);
    // A row of several files is named by its own.
    sandbox.tidemill(&["infer-schema", "more", "--out", "schema.yaml", "--force"]);
    sandbox.write("rules.yaml", "rules: [ { name: fares, sql: SELECT * FROM data WHERE fare < 0 } ]\n");
    let evidence = rules("more")[0]["evidence"][0].clone();
    assert_eq!((evidence["file"].as_str(), evidence["row"].as_u64()), (Some("more/b.csv"), Some(2)));
    for (text, message) in [
        ("rules: [ { name: x, sql: SELECT fair FROM data } ]", "rule `x`: "),
        ("rules: [ { name: x, sql: '' } ]", "rule `x` has no query"),
        ("rules: [ { name: x, sql: SELECT 1 }, { name: x, sql: SELECT 1 } ]", "there are two rules `x`"),
        ("rules: [ { nam: x, sql: SELECT 1 } ]", "nam"),
    ] {
        sandbox.write("rules.yaml", text);
        let said = sandbox.tidemill(&["validate", "more", "--rules", "rules.yaml"]);
        assert_eq!(said.code, 2, "{said}");
        assert!(said.stderr.contains(message), "{message}: {said}");
    }
}

#[test]
fn a_broken_rule_stops_a_pipeline() {
    let sandbox = Sandbox::taxi(600);
    let rule = "component: ExampleValidator, rules: [ { name: dear, sql: SELECT fare FROM data WHERE fare > 20 } ]";
    sandbox.edit("pipeline.yaml", "component: ExampleValidator", rule);
    let run = sandbox.tidemill(&["run"]);
    assert_eq!(run.code, 1, "{run}");
    assert!(format!("{run}").contains("rule `dear`"), "{run}");
    sandbox.edit("pipeline.yaml", "fare > 20", "fare < 0");
    let run = sandbox.tidemill(&["run"]);
    assert!(!format!("{run}").contains("rule `dear`"), "{run}");
}
