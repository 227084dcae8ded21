//! `automl`: from a table to the best model, and what it says of data that has none.

use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Sandbox, Server, Transcript};

/// Numbers that are the same in every run, from 0 to 1.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Loans with an identifier and a column that gives the label away: what decides is partly linear, partly not.
fn loans(rows: usize) -> String {
    let mut draw = Draw(7);
    let mut csv = "loan_id,income,age,purpose,region,closing_code,bad\n".to_owned();
    for row in 0..rows {
        let (income, age) = (10.0 + 90.0 * draw.next(), 18.0 + 60.0 * draw.next());
        let purpose = ["car", "house", "study"][(draw.next() * 3.0) as usize];
        let score = (50.0 - income) / 25.0 + if purpose == "study" && age > 40.0 { 2.0 } else { -0.5 };
        let bad = draw.next() < 1.0 / (1.0 + (-score).exp());
        let code = if bad { "X" } else { "O" };
        writeln!(csv, "L{row:06},{income:.2},{age:.0},{purpose},{},{code},{}", row % 7, u8::from(bad))
            .expect("text grows");
    }
    csv
}

fn ok(transcript: Transcript) -> Transcript {
    assert_eq!(transcript.code, 0, "{transcript}");
    transcript
}

fn json(transcript: &Transcript) -> Value {
    serde_json::from_str(&transcript.stdout).unwrap_or_else(|error| panic!("{error}: {transcript}"))
}

#[test]
fn one_command_leads_from_a_file_to_the_best_model() {
    let sandbox = Sandbox::empty();
    sandbox.write("loans.csv", loans(1_200));
    let flags = ["automl", "loans.csv", "--label", "bad", "--trials", "7", "-o", "json"];
    let found = ok(sandbox.tidemill(&flags));
    let result = json(&found);
    // Trials are cross-validated, since rows are few; the winner is judged on rows that none has read.
    let search = &result["search"];
    assert_eq!((&search["judged_on"], &search["trials"]), (&Value::from("5 folds"), &Value::from(7)));
    let best = &search["rows"][0];
    assert!(best["value"].as_f64() < search["floor"].as_f64(), "{search}");
    assert!(search["rows"].as_array().is_some_and(|rows| rows.len() >= 6), "{search}");
    let judged = &result["judged"];
    let of = |key: &str| judged[key].as_f64().unwrap_or(f64::NAN);
    let (low, high) = (judged["interval"][0].as_f64().unwrap(), judged["interval"][1].as_f64().unwrap());
    assert!(low < of("value") && of("value") < high, "{judged}");
    assert!((250..350).contains(&judged["rows"].as_u64().unwrap()), "{judged}");
    let left_out: Vec<&str> = result["draft"]["columns"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|column| column["used"] == false)
        .map(|column| column["column"].as_str().unwrap())
        .collect();
    assert_eq!(left_out, ["loan_id", "closing_code"]);

    // The project says what was found, and its model answers.
    let file = sandbox.read("loans/pipeline.yaml");
    for line in ["# found by `tidemill automl`", "component: Trainer", "thresholds:", "component: Pusher"] {
        assert!(file.contains(line), "{line}: {file}");
    }
    let server = Server::start_with(&sandbox, &["--project", "loans"], &[]);
    let url = format!("{}/v1/models/loans:predict", server.url);
    let body = r#"{"instances": [{"income": 20.0, "age": 50, "purpose": "study", "region": 1}]}"#;
    let mut answer = ureq::post(&url).send(body).expect("an answer");
    let answer: Value = serde_json::from_str(&answer.body_mut().read_to_string().expect("text")).expect("JSON");
    assert!(answer["predictions"][0].as_f64().is_some_and(|of| of > 0.5), "{answer}");
    drop(server);

    // Every trial is a record.
    let searches = ok(sandbox.tidemill(&["trials", "--project", "loans"]));
    assert!(searches.stdout.contains("log_loss"), "{searches}");
    let wanted = [
        "trials",
        "last",
        "--project",
        "loans",
        "--learner",
        "gradient_boosting",
        "--where",
        "leaves=31",
        "-o",
        "json",
    ];
    let trials = json(&ok(sandbox.tidemill(&wanted)));
    let trial = &trials["trials"][0];
    assert_eq!(trial["params"]["gradient_boosting.learning_rate"], 0.1, "{trials}");
    assert!(trial["steps"].as_array().is_some_and(|steps| steps.len() > 10) && trial["seconds"].as_f64() > Some(0.0));
    let front = json(&ok(sandbox.tidemill(&["trials", "last", "--project", "loans", "--pareto", "-o", "json"])));
    assert!((1..7).contains(&front["matching"].as_u64().unwrap()), "{front}");
    ok(sandbox.tidemill(&["trials", "last", "--project", "loans", "--optuna", "study.db"]));
    assert!(std::fs::read(sandbox.path("study.db")).unwrap().starts_with(b"SQLite format 3"));
    let twice = sandbox.tidemill(&["trials", "last", "--project", "loans", "--optuna", "study.db"]);
    assert!(twice.code == 2 && twice.stderr.contains("is there already"), "{twice}");
    let none = sandbox.tidemill(&["trials", "123456", "--project", "loans"]);
    assert!(none.stderr.contains("no search `123456`"), "{none}");
    ok(sandbox.tidemill(&["report", "--project", "loans", "--type", "search", "--html", "search.html"]));
    let page = sandbox.read("search.html");
    for part in ["History", "What speed costs", "without any column", "gradient_boosting"] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("{{") && !page.contains("<script") && !page.contains("NaN"), "{page}");

    // The same command finds everything done; a run of the project too; another request is another folder's.
    let again = ok(sandbox.tidemill(&flags));
    assert_eq!(json(&again)["search"], *search);
    let run = ok(sandbox.tidemill(&["run", "loans"]));
    assert!(run.stdout.contains("nothing to do"), "{run}");
    let other = sandbox.tidemill(&["automl", "loans.csv", "--label", "bad", "--trials", "8"]);
    assert_eq!(other.code, 2, "{other}");
    assert!(other.stderr.contains("asked for in another way") && other.stderr.contains("--out DIR"), "{other}");
}

#[test]
fn a_stopped_search_keeps_its_best_and_goes_on() {
    let sandbox = Sandbox::empty();
    sandbox.write("loans.csv", loans(1_200));
    let flags = ["automl", "loans.csv", "--label", "bad", "--trials", "14", "--explain-only"];
    let child = Command::new(env!("CARGO_BIN_EXE_tidemill"))
        .args(flags)
        .current_dir(sandbox.path(""))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    // Until some trials are on disk.
    let work = sandbox.path("loans/.tidemill");
    let until = Instant::now() + Duration::from_mins(4);
    while trials_in(&work) < 3 {
        assert!(Instant::now() < until, "no trial is finished");
        std::thread::sleep(Duration::from_millis(50));
    }
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill is there");
    assert!(killed.success());
    let ended = child.wait_with_output().expect("it ends");
    let (stdout, stderr) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert_eq!(ended.status.code(), Some(130), "{stdout}{stderr}");
    assert!(stdout.contains("has the best so far") && stdout.contains("the same command goes on"), "{stdout}{stderr}");
    assert!(sandbox.read("loans/pipeline.yaml").starts_with("# The best so far of an unfinished search"));
    let done = ok(sandbox.tidemill(&flags));
    assert!(done.stderr.contains("trials of an earlier attempt were kept"), "{done}");
    assert!(done.stdout.contains("judged"), "{done}");
    let file = sandbox.read("loans/pipeline.yaml");
    assert!(file.contains("of 14") && !file.contains("unfinished"), "{file}");
}

/// Finished trials of an unfinished search in a store.
fn trials_in(store: &std::path::Path) -> usize {
    let Ok(entries) = std::fs::read_dir(store) else { return 0 };
    let of = |path: std::path::PathBuf| {
        if path.is_dir() {
            return trials_in(&path);
        }
        let is_journal = path.file_name().is_some_and(|name| name == "trials.jsonl");
        if is_journal { std::fs::read_to_string(&path).map_or(0, |text| text.lines().count()) } else { 0 }
    };
    entries.flatten().map(|entry| of(entry.path())).sum()
}

#[test]
fn amounts_groups_and_other_goals() {
    let sandbox = Sandbox::empty();
    let mut draw = Draw(3);
    let mut csv = "shop,size,kind,sales\n".to_owned();
    for row in 0..600 {
        let size = 10.0 + 90.0 * draw.next();
        let kind = ["kiosk", "hall"][row % 2];
        let sales = size * if kind == "hall" { 5.0 } else { 2.0 } + 20.0 * draw.next();
        writeln!(csv, "S{},{size:.1},{kind},{sales:.2}", row / 10).expect("text grows");
    }
    sandbox.write("sales.csv", csv);
    let flags = ["--label", "sales", "--metric", "mae", "--group", "shop", "--trials", "4", "--max-latency", "1s"];
    let found = ok(sandbox.tidemill(&[&["automl", "sales.csv", "-o", "json"], &flags[..]].concat()));
    let result = json(&found);
    assert_eq!((&result["search"]["metric"], &result["draft"]["split"]["by"]), (&"mae".into(), &"group".into()));
    assert!(result["judged"]["value"].as_f64().is_some_and(|mae| mae < 30.0), "{result}");
    let search = sandbox.read("sales/search.yaml");
    for line in ["split_by: [shop]", "metric: mae", "latency_p99_ms: 1000", "task: regression", "folds: 5"] {
        assert!(search.contains(line), "{line}: {search}");
    }
}

#[test]
fn data_without_a_model_is_refused_with_what_to_do() {
    let sandbox = Sandbox::empty();
    sandbox.write("loans.csv", loans(300));
    sandbox.write("same.csv", "a,b,y\n1,2,7\n2,3,7\n3,4,7\n");
    let mut ids = "id,y\n".to_owned();
    (0..60).for_each(|row| writeln!(ids, "K{row:05},{}", row % 2).expect("text grows"));
    sandbox.write("ids.csv", ids);
    for (args, code, said) in [
        (&["automl", "same.csv", "--label", "y"][..], 2, "nothing to learn"),
        (&["automl", "ids.csv", "--label", "y"], 2, "no column can predict `y`"),
        (&["automl", "loans.csv", "--label", "bda"], 2, "did you mean `bad`?"),
        (&["automl", "loans.csv", "--label", "bad", "--metric", "rmse"], 2, "name one of `log_loss`, `auc`"),
        (&["automl", "loans.csv", "--label", "bad", "--group", "lone_id"], 2, "did you mean `loan_id`?"),
        (&["automl", "loans.csv", "--label", "bad", "--time", "age", "--group", "region"], 2, "cannot be used with"),
        (&["automl", "loans.csv", "--label", "bad", "--trials", "0"], 2, "0 is not in"),
        (&["automl", "none.csv", "--label", "bad"], 2, "none.csv"),
        (
            &["automl", "loans.csv", "--label", "bad", "--trials", "2", "--max-latency", "1ns", "--out", "slow"],
            2,
            "none of 2 trials answers within",
        ),
    ] {
        let refused = sandbox.tidemill(args);
        assert_eq!(refused.code, code, "{refused}");
        assert!(refused.stderr.contains(said), "{said}: {refused}");
    }
    assert!(!sandbox.path("same").exists() && !sandbox.path("ids").exists(), "nothing is half-written");
}

#[test]
fn a_handful_of_rows_wide_tables_and_little_time_still_give_a_model() {
    let sandbox = Sandbox::empty();
    let mut few = "x,z,y\n".to_owned();
    (0..12)
        .for_each(|row| writeln!(few, "{},{},{}", row % 5, row * 7 % 11, ["no", "yes"][row % 2]).expect("text grows"));
    sandbox.write("few.csv", few);
    ok(sandbox.tidemill(&["automl", "few.csv", "--label", "y", "--trials", "3"]));

    // Sentences, and a column of numbers with words between them.
    let mut draw = Draw(9);
    let mut mixed = "note,code,y\n".to_owned();
    for row in 0..240 {
        let bad = draw.next() < 0.5;
        let note = if bad { "the parcel came late and was broken" } else { "all is well, thank you very much" };
        let code =
            if row % 3 == 0 { "unknown".to_owned() } else { format!("{:.1}", draw.next() + f64::from(u8::from(bad))) };
        writeln!(mixed, "\"{note} {}\",{code},{}", row % 17, u8::from(bad)).expect("text grows");
    }
    sandbox.write("mixed.csv", mixed);
    let found = json(&ok(sandbox.tidemill(&["automl", "mixed.csv", "--label", "y", "--trials", "3", "-o", "json"])));
    assert!(found["judged"]["value"].as_f64().is_some_and(|loss| loss < 0.3), "{found}");

    let mut draw = Draw(5);
    let head: Vec<String> = (0..1_200).map(|column| format!("c{column}")).collect();
    let mut wide = format!("{},y\n", head.join(","));
    for _ in 0..120 {
        let row: Vec<String> = (0..1_200).map(|_| format!("{:.3}", draw.next())).collect();
        let label = u8::from(row[3].parse::<f64>().unwrap_or(0.0) > 0.5);
        writeln!(wide, "{},{label}", row.join(",")).expect("text grows");
    }
    sandbox.write("wide.csv", wide);
    // Less time than a trial takes.
    let found = ok(sandbox.tidemill(&["automl", "wide.csv", "--label", "y", "--budget", "1s", "-o", "json"]));
    assert!(json(&found)["search"]["trials"].as_u64().is_some_and(|trials| trials >= 1), "{found}");
}
