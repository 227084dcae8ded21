//! `init --data` and `explore`: from a table of one's own to a model that answers.

use std::fmt::Write as _;

use serde_json::Value;

use crate::support::{Sandbox, Server, Transcript};

/// Numbers that are the same in every run, from 0 to 1.
fn noise(seed: u64) -> f64 {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x1234_5678);
    x ^= x >> 31;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^= x >> 27;
    (x >> 11) as f64 / (1_u64 << 53) as f64
}

/// Customers with an identifier, a constant, a column that gives the label away, missing cells and labels.
fn customers(rows: u64) -> String {
    let mut csv = "customer_id,plan,fee,calls,country,closed_on,churned\n".to_owned();
    for row in 0..rows {
        let (calls, fee) = ((noise(row) * 7.0) as u32, 10.0 + noise(row + 1_000_000) * 30.0);
        let leaves = f64::from(calls) / 7.0 + 0.3 * noise(row + 2_000_000) > 0.75;
        let plan = ["basic", "plus", "family"][(noise(row + 3_000_000) * 3.0) as usize];
        let label = match (row % 50 == 7, leaves) {
            (true, _) => "",
            (false, true) => "yes",
            (false, false) => "no",
        };
        let closed = if leaves { "left" } else { "here" };
        let fee = if row % 20 == 3 { String::new() } else { format!("{fee:.2}") };
        writeln!(csv, "C{row:05},{plan},{fee},{calls},SE,{closed},{label}").expect("text grows");
    }
    csv
}

fn ok(transcript: Transcript) -> Transcript {
    assert_eq!(transcript.code, 0, "{transcript}");
    transcript
}

#[test]
fn three_commands_lead_from_a_file_to_an_answer() {
    let sandbox = Sandbox::empty();
    sandbox.write("customers.csv", customers(2_000));
    let made = ok(sandbox.tidemill(&["init", "--data", "customers.csv"]));
    for said in [
        "`churned`: 2 classes: no",
        "its name says so",
        "40 of 2,000 rows have none",
        "`customer_id`: it looks like an identifier",
        "`country`: it never varies",
        "`closed_on`",
        "a first model reached auc",
        "cd customers && tidemill run",
    ] {
        assert!(made.stdout.contains(said), "{said}: {made}");
    }
    let file = sandbox.read("customers/pipeline.yaml");
    for line in [
        "source: { csv: ../customers.csv }",
        "where: \"churned IS NOT NULL\"",
        "split_except: [churned]",
        "expression: \"churned = 'yes'\"",
        "- customer_id",
    ] {
        assert!(file.contains(line), "{line}: {file}");
    }

    // The thresholds are ones that the first model meets, and the run ends with a request to copy.
    let run = ok(sandbox.tidemill(&["run", "customers"]));
    assert!(run.stdout.contains("customers version 1"), "{run}");
    let curl = run.stdout.lines().find(|line| line.contains("curl -s localhost:8501")).expect("a request");
    let (from, to) = (curl.find("-d '").expect("a body") + 4, curl.rfind("}'").expect("its end") + 1);
    let body: Value = serde_json::from_str(&curl[from..to]).expect("JSON");
    let server = Server::start_with(&sandbox, &["--project", "customers"], &[]);
    let url = format!("{}/v1/models/customers:predict", server.url);
    let mut answer = ureq::post(&url).send(body.to_string()).expect("an answer");
    let answer: Value = serde_json::from_str(&answer.body_mut().read_to_string().expect("text")).expect("JSON");
    assert!(answer["predictions"][0].as_f64().is_some_and(|of| (0.0..=1.0).contains(&of)), "{answer}");

    // Nothing is written over.
    let again = sandbox.tidemill(&["init", "--data", "customers.csv"]);
    assert_eq!(again.code, 2, "{again}");
    assert!(again.stderr.contains("is there already"), "{again}");
}

#[test]
fn tasks_groups_and_times_follow_from_the_data() {
    let sandbox = Sandbox::empty();
    // An amount, several rows of each shop.
    let mut csv = "shop_id,size,weekday,sales\n".to_owned();
    for row in 0..900_u64 {
        let size = 10.0 + 90.0 * noise(row % 60);
        let day = ["Mon", "Tue", "Wed"][(row % 3) as usize];
        writeln!(csv, "{},{size:.1},{day},{:.2}", 100 + row % 60, size * 3.0 + 9.0 * noise(row + 9_000))
            .expect("text grows");
    }
    sandbox.write("sales.csv", &csv);
    let made = ok(sandbox.tidemill(&["init", "--data", "sales.csv", "amount", "--label", "sales"]));
    assert!(made.stdout.contains("rows with the same `shop_id` (60 values) stay together"), "{made}");
    let file = sandbox.read("amount/pipeline.yaml");
    assert!(
        file.contains("split_by: [shop_id]") && file.contains("task: regression") && file.contains("rmse: { at_most"),
        "{file}"
    );
    ok(sandbox.tidemill(&["run", "amount"]));

    // Three classes, in the order of time.
    let mut csv = "seen_at,length,width,species\n".to_owned();
    for row in 0..600_u64 {
        let kind = (noise(row) * 3.0) as usize;
        let (day, hour) = (1 + row / 24 % 28, row % 24);
        let length = 3.0 + kind as f64 + noise(row + 77);
        writeln!(
            csv,
            "2024-0{}-{day:02} {hour:02}:00,{length:.2},{:.2},{}",
            1 + row / 672,
            noise(row + 5),
            ["ant", "bee", "fly"][kind]
        )
        .expect("text grows");
    }
    sandbox.write("insects.csv", &csv);
    let made = ok(sandbox.tidemill(&["init", "--data", "insects.csv"]));
    assert!(made.stdout.contains("3 classes") && made.stdout.contains("by `seen_at`"), "{made}");
    assert!(sandbox.read("insects/pipeline.yaml").contains("split_by_time: seen_at"));
    let run = ok(sandbox.tidemill(&["run", "insects"]));
    assert!(run.stdout.contains("accuracy"), "{run}");
    let newest = sandbox.json(&["sql", "SELECT max(seen_at) AS newest FROM t", "t=insects.csv"]);
    assert!(newest.to_string().contains("2024-01-25"), "{newest}");
}

#[test]
fn what_cannot_be_learned_is_an_error_that_says_what_to_do() {
    let sandbox = Sandbox::empty();
    sandbox.write("a.csv", "id,name,same\n1,Ann,x\n2,Bob,x\n3,Cid,x\n");
    let fails = |args: &[&str], said: &str, help: &str| {
        let failed = sandbox.tidemill(args);
        assert_eq!(failed.code, 2, "{failed}");
        assert!(failed.stderr.contains(said) && failed.stderr.contains(help), "{said}, {help}: {failed}");
        assert!(!sandbox.path("a").exists(), "something was left behind");
    };
    fails(&["init", "--data", "a.csv"], "column `same` is `x` in every row", "--label COLUMN");
    fails(&["init", "--data", "a.csv", "--label", "name"], "so it is no label", "--label COLUMN");
    fails(&["init", "--data", "a.csv", "--label", "nam"], "has no column `nam`", "did you mean `name`?");
    fails(&["init", "--data", "b.csv"], "no file at", "");
    fails(&["init", "a.csv"], "`a.csv` is not a template", "tidemill init --data a.csv");
    fails(&["init"], "nothing says what the project is for", "tidemill init taxi");
    fails(&["init", "taxii"], "there is no template `taxii`", "tidemill init taxi");
}

#[test]
fn unusual_files_keep_their_dialect_in_the_project() {
    let sandbox = Sandbox::empty();
    let mut csv = "größe;art\n".to_owned();
    for row in 0..400_u64 {
        let tall = noise(row) > 0.5;
        writeln!(
            csv,
            "{};{}",
            format!("{:.2}", if tall { 2.0 } else { 1.0 } + noise(row + 9)).replace('.', ","),
            if tall { "on" } else { "off" }
        )
        .expect("text grows");
    }
    sandbox.write("x y.txt", &csv);
    let args = ["init", "--data", "x y.txt", "--format", "csv", "--delimiter", ";", "--decimal", ",", "p"];
    ok(sandbox.tidemill(&args));
    let file = sandbox.read("p/pipeline.yaml");
    assert!(file.contains(r#"source: { csv: { path: "../x y.txt", delimiter: ";", decimal: "," } }"#), "{file}");
    ok(sandbox.tidemill(&["run", "p"]));
}

#[test]
fn explore_shows_problems_first() {
    let sandbox = Sandbox::empty();
    sandbox.write("customers.csv", customers(1_200));
    let shown = ok(sandbox.tidemill(&["explore", "customers.csv", "--label", "churned", "--schema", "s.yaml"]));
    let at = |text: &str| shown.stdout.find(text).unwrap_or_else(|| panic!("{text}: {shown}"));
    assert!(at("constant") < at("numeric"), "{shown}");
    assert!(at("`closed_on`") > 0 && at("next: tidemill init --data customers.csv --label churned") > 0);
    assert!(sandbox.read("s.yaml").contains("customer_id"));
    let value = sandbox.json(&["explore", "customers.csv"]);
    assert!(value["alerts"].as_array().is_some_and(|alerts| !alerts.is_empty()), "{value}");
    assert!(value["draft"].is_null() && value["statistics"]["num_examples"] == 1200);
}
