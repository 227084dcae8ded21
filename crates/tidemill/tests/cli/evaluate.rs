//! Predictions judged: stored ones of any origin, and a run's evaluation as a page.

use std::fmt::Write as _;

use crate::support::{Sandbox, golden};

/// A file of 200 predictions, the same every time: a label, scores of two models, a group and a weight.
fn predictions() -> String {
    let mut text = String::from("tipped,score,old_score,payment,weight\n");
    for row in 0_u32..200 {
        let draw = |salt: u32| {
            let mixed = (row.wrapping_mul(2_654_435_761) ^ salt.wrapping_mul(0x9e37_79b9)).wrapping_mul(0x85eb_ca6b);
            f64::from((mixed ^ (mixed >> 15)) % 1000) / 1000.0
        };
        let score = draw(1);
        let label = u8::from(draw(2) < score);
        let old = f64::midpoint(score, draw(3));
        let payment = ["Cash", "Credit Card", "<script>alert(1)</script>"][row as usize % 3];
        let weight = 1 + row % 4;
        let _ = writeln!(text, "{label},{score:.3},{old:.3},{payment},{weight}");
    }
    text
}

const COLUMNS: [&str; 6] = ["evaluate", "p.csv", "--label", "tipped", "--prediction", "score"];

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&COLUMNS[..], more].concat()
}

#[test]
fn a_label_and_a_score_suffice() {
    let sandbox = Sandbox::empty();
    sandbox.write("p.csv", predictions());
    golden("evaluate", sandbox.tidemill(&COLUMNS));
    golden(
        "evaluate-compared",
        sandbox.tidemill(&with(&[
            "--baseline",
            "old_score",
            "--slice",
            "payment",
            "--find-slices",
            "2",
            "--threshold",
            "auc>=0.7",
            "--threshold",
            "auc>=baseline-0.05",
        ])),
    );
    golden("evaluate-weighted", sandbox.tidemill(&with(&["--weight", "weight", "--task", "regression"])));
    let evaluation = sandbox.json(&with(&["--slice", "payment", "--slice", "payment,weight"]));
    assert_eq!((&evaluation["task"], &evaluation["rows"]), (&"binary".into(), &200.into()));
    assert_eq!(evaluation["slices"].as_array().map(Vec::len), Some(1 + 3 + 12));
}

#[test]
fn parquet_gives_the_same_numbers() {
    let sandbox = Sandbox::trained(3000);
    for file in ["p.csv", "p.parquet"] {
        sandbox.tidemill(&["predict", "data/trips.csv", "--keep", "trip_start_hour,payment_type", "--out", file]);
    }
    let of = |file| {
        let args = ["evaluate", file, "--label", "trip_start_hour", "--prediction", "probability"];
        sandbox.json(&[&args[..], &["--slice", "payment_type"]].concat())["slices"].clone()
    };
    assert_eq!(of("p.csv"), of("p.parquet"));
}

#[test]
fn a_missed_threshold_is_exit_1_and_the_page_says_why() {
    let sandbox = Sandbox::empty();
    sandbox.write("p.csv", predictions());
    let missed = ["--slice", "payment", "--threshold", "log_loss<=0.1", "--html", "out/report.html"];
    golden("evaluate-missed", sandbox.tidemill(&with(&missed)));
    let page = sandbox.read("out/report.html");
    assert!(page.contains("Not blessed") && !page.contains("<script>alert"), "values of the data are escaped");
    let page = page.replace("http://www.w3.org/2000/svg", "");
    assert!(!page.contains("http://") && !page.contains("https://"), "the page needs no network");
    let transcript = sandbox.tidemill(&with(&["--threshold", "log_loss<=0.1", "-o", "json"]));
    assert_eq!(transcript.code, 1);
    assert!(transcript.stderr.contains("log_loss is "), "{transcript}");
    assert!(serde_json::from_str::<serde_json::Value>(&transcript.stdout).is_ok());
}

#[test]
fn what_cannot_be_judged_is_answered() {
    let sandbox = Sandbox::empty();
    sandbox.write("p.csv", predictions());
    let column = ["evaluate", "p.csv", "--label", "tiped", "--prediction", "score"];
    golden("evaluate-column", sandbox.tidemill(&column));
    golden("evaluate-metric", sandbox.tidemill(&with(&["--threshold", "auk>=0.9"])));
    golden("evaluate-no-baseline", sandbox.tidemill(&with(&["--threshold", "auc>=baseline"])));
    golden("evaluate-text", sandbox.tidemill(&["evaluate", "p.csv", "--label", "payment", "--prediction", "score"]));
    golden("evaluate-missing", sandbox.tidemill(&["evaluate", "q.csv", "--label", "a", "--prediction", "b"]));
    let other = ["--task", "regression", "--threshold", "auc>=0.9"];
    golden("evaluate-other-task", sandbox.tidemill(&with(&other)));
    for (name, rows) in [
        ("constant", "1,0.5\n1,0.6\n"),
        ("values", "0,0.5\n2,0.6\n"),
        ("score", "0,0.5\n1,1.6\n"),
        ("cells", "0,0.5\n1,\n1,0.7\n"),
        ("header", ""),
    ] {
        sandbox.write("p.csv", format!("tipped,score\n{rows}"));
        golden(&format!("evaluate-{name}"), sandbox.tidemill(&with(&["--task", "binary"])));
    }
    sandbox.write("p.csv", "");
    golden("evaluate-empty", sandbox.tidemill(&COLUMNS));
}

#[test]
fn a_run_has_a_page_of_its_evaluation_and_of_its_statistics() {
    let sandbox = Sandbox::taxi(3000);
    golden("report-no-run", sandbox.tidemill(&["report"]));
    sandbox.tidemill(&["run"]);
    golden("report", sandbox.tidemill(&["report"]));
    let page = sandbox.read("evaluation.html");
    assert!(page.contains("Evaluation of big_tip on eval") && page.contains("<b>Blessed</b>"));
    let statistics = ["report", "last", "--type", "statistics", "--html", "pages/data.html"];
    golden("report-statistics", sandbox.tidemill(&statistics));
    let data = sandbox.read("pages/data.html");
    assert!(data.contains("Statistics of eval, train"));
    // Both say what they are of.
    let run = sandbox.json(&["runs"])[0]["id"].as_str().expect("an id")[..8].to_owned();
    let examples = sandbox.json(&["artifacts", "--type", "Examples"]);
    let examples = examples[0]["artifact"]["digest"].as_str().expect("a digest")[..12].to_owned();
    for fact in ["taxi-tips", "taxi-tips version 1 @champion", &run, "3,000", "data/trips.csv", &examples] {
        let fact = format!("<dd>{fact}");
        assert!(page.contains(&fact) && data.contains(&fact), "{fact}");
    }
    // The same page by the artifact's digest, and after a run that took everything from the cache.
    let artifacts = sandbox.json(&["artifacts", "--type", "Evaluation"]);
    let digest = artifacts[0]["artifact"]["digest"].as_str().expect("a digest").to_owned();
    sandbox.tidemill(&["report", &digest[..16], "--html", "by-digest.html"]);
    assert_eq!(sandbox.read("by-digest.html"), page);
    sandbox.tidemill(&["run"]);
    sandbox.tidemill(&["report", "--html", "cached.html"]);
    // The heading names the newer run; everything else is the same.
    let body = |page: &str| page.split_once("</header>").expect("a header").1.to_owned();
    assert_eq!(body(&sandbox.read("cached.html")), body(&page));
}

#[test]
fn all_reports_of_a_run_are_linked_from_one_page() {
    let sandbox = Sandbox::trained(3000);
    golden("report-folder", sandbox.tidemill(&["report", "--html", "reports/"]));
    let index = sandbox.read("reports/index.html");
    for address in ["evaluation.html", "statistics.html", "statistics.html#anomalies"] {
        assert!(index.contains(&format!("href=\"{address}\"")), "{address}");
    }
    assert!(index.contains("AUC 0.") && index.contains("3,000 rows, 18 features"), "the links say what is behind them");
    assert!(index.contains("<th scope=\"row\">train</th><td>Trainer</td>"), "the steps of the run are listed");
    for page in ["evaluation", "statistics"] {
        assert!(sandbox.read(&format!("reports/{page}.html")).contains("href=\"index.html\""), "{page} leads back");
    }
    // A folder that exists needs no slash; a type chooses what is written.
    let one = sandbox.json(&["report", "--type", "statistics", "--html", "reports"]);
    assert_eq!(one["files"], serde_json::json!(["reports/index.html", "reports/statistics.html"]));
}

#[cfg(target_os = "linux")]
#[test]
fn a_page_is_opened_in_the_browser_and_a_machine_without_one_is_no_error() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = Sandbox::trained(3000);
    sandbox.write("bin/xdg-open", "#!/bin/sh\necho \"$1\" > opened.part && mv opened.part opened\n");
    std::fs::set_permissions(sandbox.path("bin/xdg-open"), std::fs::Permissions::from_mode(0o755)).expect("executable");
    let args = ["report", "--html", "reports/", "--open"];
    let with = |path: String| {
        let mut command = sandbox.command(&args);
        command.env("PATH", path);
        sandbox.run(command, &args)
    };
    let found = with(format!("{}:/usr/bin:/bin", sandbox.path("bin").display()));
    assert_eq!(found.code, 0, "{found}");
    // The browser is not waited for.
    let opened = (0..500).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        std::fs::read_to_string(sandbox.path("opened")).ok()
    });
    assert!(opened.expect("the page is opened").trim().ends_with("/reports/index.html"));
    let without = with(sandbox.path("nowhere").display().to_string());
    assert!(without.code == 0 && without.stderr.contains("open `reports/index.html` yourself"), "{without}");
}

#[test]
fn the_training_of_a_model_has_a_page() {
    let sandbox = Sandbox::trained(3000);
    let written = sandbox.tidemill(&["report", "--type", "training"]);
    assert!(written.code == 0 && written.stdout.contains("`training.html`"), "{written}");
    let page = sandbox.read("training.html");
    for part in
        ["Training of taxi-tips", "Learning curve", "best round ", "payment_type", "<code>early_stopping</code>"]
    {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("http://") && !page.contains("https://"), "the page needs no network");
}

/// Leaves so large that no tree has two: the model is no better than guessing, which is said.
#[test]
fn a_model_that_only_guesses_is_a_warning() {
    let sandbox = Sandbox::taxi(2000);
    let text = sandbox
        .read("pipeline.yaml")
        .replace("auc: { at_least: 0.9, no_worse_than_baseline_by: 0.005 }", "auc: { at_least: 0.1 }");
    sandbox.write("pipeline.yaml", text);
    sandbox.edit("pipeline.yaml", "early_stopping: 20", "early_stopping: 20\n        min_data_in_leaf: 5000");
    let run = sandbox.tidemill(&["run"]);
    assert!(run.code == 0 && run.stderr.contains("the model is no better than guessing: "), "{run}");
    sandbox.tidemill(&["report"]);
    assert!(sandbox.read("evaluation.html").contains("<th scope=\"col\">guessing</th>"));
}

#[test]
fn reports_that_do_not_exist_are_answered() {
    let sandbox = Sandbox::trained(3000);
    golden("report-unknown", sandbox.tidemill(&["report", "nothing-of-the-kind"]));
    golden("report-type", sandbox.tidemill(&["report", "--type", "evalution"]));
    let schema = sandbox.json(&["artifacts", "--type", "Schema"]);
    let digest = schema[0]["artifact"]["digest"].as_str().expect("a digest").to_owned();
    let transcript = sandbox.tidemill(&["report", &digest[..16]]);
    assert!(
        transcript.code == 2 && transcript.stderr.contains("no report of an artifact of type Schema"),
        "{transcript}"
    );
    // A run that was stopped before it judged has the page of its statistics.
    sandbox.edit("pipeline.yaml", "tips > fare * 0.2", "tips > 1000000");
    sandbox.tidemill(&["run"]);
    assert!(sandbox.tidemill(&["report"]).stdout.contains("wrote the statistics of run "));
    let none = sandbox.tidemill(&["report", "--type", "evaluation"]);
    assert!(none.code == 2 && none.stderr.contains("has no evaluation"), "{none}");
}

/// What `tidemill evaluate` makes of a file of every task.
#[test]
fn every_task_is_evaluated_from_a_file() {
    let sandbox = Sandbox::empty();
    sandbox.write("ranked.csv", "q,click,s,t\na,1,0.9,0.2\na,0,0.4,0.6\nb,0,0.7,0.1\nb,2,0.3,0.8\n");
    let ranking = ["evaluate", "ranked.csv", "--label", "click", "--prediction", "s", "--task", "ranking"];
    let found = sandbox.json(&[&ranking[..], &["--group", "q", "--metric", "precision@1"]].concat());
    let metrics = &found["slices"][0]["metrics"];
    assert_eq!(
        (&metrics["mrr"], &metrics["precision@1"], &metrics["queries"]),
        (&0.75.into(), &0.5.into(), &2.0.into())
    );
    let without = sandbox.tidemill(&ranking);
    assert!(without.code == 2 && without.stderr.contains("`--group`"), "{without}");

    sandbox.write(
        "tags.csv",
        "id,drama,war,p[war],p[drama]\n1,1,0,0.2,0.9\n2,0,1,0.7,0.1\n3,1,1,0.4,0.6\n4,0,0,0.6,0.3\n",
    );
    let tags = ["evaluate", "tags.csv", "--label", "drama,war", "--prediction", "p"];
    let found = sandbox.json(&[&tags[..], &["--metric", "recall[war]"]].concat());
    assert_eq!(found["slices"][0]["metrics"]["subset_accuracy"], 0.5);
    assert_eq!(found["slices"][0]["metrics"]["recall[war]"], 0.5);
    assert_eq!(found["slices"][0]["metrics"]["hamming_loss"], 0.25);
    let wrong = sandbox.tidemill(&["evaluate", "tags.csv", "--label", "drama,id", "--prediction", "p"]);
    assert!(wrong.code == 2 && wrong.stderr.contains("there are columns for war, drama of predictions"), "{wrong}");

    sandbox.write("sizes.csv", "kwh,q[0.9],q[0.1],q[0.5]\n12,14,9,11\n20,26,15,19\n8,12,6,9\n30,29,20,25\n");
    let sizes = ["evaluate", "sizes.csv", "--label", "kwh", "--prediction", "q"];
    let found = sandbox.json(&[&sizes[..], &["--metric", "coverage@0.9"]].concat());
    let metrics = &found["slices"][0]["metrics"];
    assert_eq!(
        (&metrics["coverage"], &metrics["coverage@0.9"], &metrics["mae"]),
        (&0.75.into(), &0.75.into(), &2.0.into())
    );

    sandbox.write("kinds.csv", "kind,p[a],p[b],p[c]\na,0.7,0.2,0.1\nb,0.2,0.5,0.3\nc,0.5,0.3,0.4\n");
    let kinds = ["evaluate", "kinds.csv", "--label", "kind", "--prediction", "p"];
    let shown = sandbox.tidemill(&[&kinds[..], &["--metric", "top_k_accuracy@2"]].concat());
    assert!(shown.stderr.contains("the probabilities of 1 of 3 rows do not sum to 1: in row 3 to 1.200"), "{shown}");
    let unknown = sandbox.tidemill(&[&kinds[..], &["--metric", "f1[d]"]].concat());
    assert!(unknown.code == 2 && unknown.stderr.contains("no class or label `d`"), "{unknown}");
}

#[test]
fn several_models_are_shown_side_by_side() {
    let sandbox = Sandbox::empty();
    sandbox.write("p.csv", predictions());
    let two = with(&["--prediction", "old_score", "--threshold", "auc>=0.5"]);
    let shown = sandbox.tidemill(&two);
    assert!(shown.code == 0 && shown.stdout.contains("Models") && shown.stdout.contains("old_score"), "{shown}");
    let found = sandbox.json(&two);
    assert_eq!(found["models"].as_array().map(Vec::len), Some(2));
    let second = &found["models"][1];
    assert_eq!(second["prediction"], "old_score");
    assert!(second["evaluation"]["slices"][0]["change_intervals"]["auc"]["source"] == "delong", "{second}");
}

#[test]
fn parameters_come_from_a_file_and_their_mistakes_have_places() {
    let sandbox = Sandbox::empty();
    sandbox.write("p.csv", predictions());
    let config = "slices: [[payment]]\nmetrics:\n  - recall@precision=0.6\n  - name: cost\n    costs: { false_negative: 5 }\n\
                  thresholds: { cost: \"<= 0.1\" }\nconfidence_intervals: { group: weight }\n";
    sandbox.write("evaluation.yaml", config);
    let judged = sandbox.tidemill(&with(&["--config", "evaluation.yaml"]));
    assert!(
        judged.code == 1 && judged.stdout.contains("cost is ") && judged.stdout.contains("above the bound 0.1"),
        "{judged}"
    );
    let found = sandbox.tidemill(&with(&["--config", "evaluation.yaml", "-o", "json"]));
    let found: serde_json::Value = serde_json::from_str(&found.stdout).expect("JSON");
    assert_eq!((found["slices"].as_array().map(Vec::len), &found["interval_group"]), (Some(4), &"weight".into()));
    sandbox.edit("evaluation.yaml", "recall@precision=0.6", "recall@precison=0.6");
    let wrong = sandbox.tidemill(&with(&["--config", "evaluation.yaml"]));
    assert!(wrong.code == 2 && wrong.stderr.contains("evaluation.yaml:3:5"), "{wrong}");
    let flag = sandbox.tidemill(&with(&["--metric", "auk"]));
    assert!(flag.code == 2 && flag.stderr.contains("did you mean `auc`?"), "{flag}");
}

#[test]
fn a_prediction_is_explained_with_what_if_and_the_nearest_other_row() {
    let sandbox = Sandbox::trained(3000);
    let one = sandbox.json(&["explain-prediction", "data/trips.csv", "--at", "2", "--among", "data/trips.csv"]);
    let probability = one["prediction"]["probability"].as_f64().expect("a number");
    let contributions = one["contributions"]["features"].as_object().expect("features");
    let score: f64 = contributions.values().filter_map(serde_json::Value::as_f64).sum::<f64>()
        + one["contributions"]["base"].as_f64().expect("a base");
    assert!((1.0 / (1.0 + (-score).exp()) - probability).abs() < 1e-9, "{one:#}");
    assert!(one["what_if"].is_null());
    // The nearest other row is on the other side of the threshold, and says so when it is asked about.
    let nearest = &one["counterfactual"];
    let other = nearest["prediction"]["probability"].as_f64().expect("a number");
    assert_ne!(probability > 0.5, other > 0.5, "{nearest:#}");
    let set: Vec<String> = nearest["changes"]
        .as_array()
        .expect("changes")
        .iter()
        .map(|change| {
            format!("{}={}", change["column"].as_str().unwrap_or_default(), change["to"].to_string().trim_matches('"'))
        })
        .collect();
    let mut args = vec!["explain-prediction", "data/trips.csv", "--at", "2"];
    set.iter().for_each(|set| args.extend(["--set", set]));
    let asked = sandbox.json(&args);
    assert_eq!(asked["what_if"]["prediction"]["probability"].as_f64(), Some(other), "{asked:#}");

    let shown =
        sandbox.tidemill(&["explain-prediction", "data/trips.csv", "--at", "2", "--set", "fare=30", "--paths", "2"]);
    for part in
        ["What adds to the score", "an average row", "Path through tree 2", "With fare=30", "Nearest row predicted"]
    {
        assert!(shown.stdout.contains(part), "{shown}");
    }
    let misspelt = sandbox.tidemill(&["explain-prediction", "--set", "fair=30"]);
    assert!(misspelt.code == 2 && misspelt.stderr.contains("did you mean `fare`?"), "{misspelt}");
    let no_row = sandbox.tidemill(&["explain-prediction", "data/trips.csv", "--at", "999999"]);
    assert!(no_row.code == 2 && no_row.stderr.contains("no row 999999"), "{no_row}");
}
