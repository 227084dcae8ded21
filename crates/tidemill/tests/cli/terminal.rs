//! What a person sees: hints, widths, short endings.

use crate::support::Sandbox;

#[test]
fn words_of_other_tools_are_answered() {
    let sandbox = Sandbox::taxi(50);
    for (args, expected) in [
        (&["train"][..], "tidemill run"),
        (&["ls"], "tidemill models"),
        (&["deploy"], "tidemill serve"),
        (&["run", "--rounds", "20"], "--param rounds=VALUE"),
        (&["plan", "--learning-rate=0.1"], "--param learning_rate=VALUE"),
    ] {
        let transcript = sandbox.tidemill(args);
        assert!(transcript.code == 2 && transcript.stderr.contains(expected), "{transcript}");
        let error = sandbox.json(args)["error"].clone();
        assert!(error["help"].as_str().is_some_and(|help| help.contains(expected)), "{error}");
    }
    assert!(sandbox.tidemill(&["rnu"]).stderr.contains("a similar subcommand exists: 'run"));
}

#[test]
fn nothing_is_broken_on_a_narrow_terminal() {
    let sandbox = Sandbox::trained(600);
    for args in [&["runs"][..], &["models", "taxi-tips"], &["status"], &["stats", "data/trips.csv"], &["artifacts"]] {
        for columns in ["80", "100"] {
            let output = sandbox.command(args).env("COLUMNS", columns).output().expect("it runs");
            let text = String::from_utf8(output.stdout).expect("text");
            let width: usize = columns.parse().expect("a number");
            for line in text.lines().filter(|line| !line.contains("left out")) {
                assert!(line.chars().count() <= width, "{args:?} in {columns} columns: {line}");
            }
        }
    }
    let wide = sandbox.tidemill(&["stats", "data/trips.csv"]).stdout;
    let output = sandbox.command(&["stats", "data/trips.csv"]).env("COLUMNS", "80").output().expect("it runs");
    let narrow = String::from_utf8(output.stdout).expect("text");
    // Every name and figure that is shown is one of the wide table, whole.
    let words: std::collections::BTreeSet<&str> = wide.split_whitespace().collect();
    let broken: Vec<&str> = narrow
        .lines()
        .filter(|line| !line.contains("left out") && !line.contains('─'))
        .flat_map(str::split_whitespace)
        .filter(|word| !words.contains(word))
        .collect();
    assert!(broken.is_empty(), "{broken:?}\n{narrow}");
}

#[test]
fn a_model_that_was_rejected_can_be_blessed_by_a_person() {
    let sandbox = Sandbox::taxi(600);
    sandbox.edit("pipeline.yaml", "at_least: 0.9,", "at_least: 0.9999,");
    let run = sandbox.tidemill(&["run"]);
    assert!(run.code == 1 && run.stdout.contains("[TM5003]") && run.stdout.contains("tidemill bless"), "{run}");
    // The same in `status`, for those who come later.
    let status = sandbox.tidemill(&["status"]);
    assert!(status.stdout.contains("[TM5003]") && status.stdout.contains("tidemill bless"), "{status}");
    let without = sandbox.tidemill(&["bless"]);
    assert!(without.code == 1 && without.stderr.contains("the evaluation rejected the model: auc is 0."), "{without}");
    assert!(sandbox.tidemill(&["bless", "--force"]).stderr.contains("--reason"));
    let blessed = sandbox.json(&["bless", "--force", "--reason", "the threshold is a typo"]);
    assert_eq!(
        (&blessed["model"], &blessed["version"], &blessed["alias"]),
        (&"taxi-tips".into(), &1.into(), &"champion".into())
    );
    let model = sandbox.json(&["models", "taxi-tips"]);
    let version = &model["model"]["versions"][0];
    assert_eq!(version["tags"]["blessed_by"], blessed["blessed_by"]);
    assert_eq!(version["tags"]["blessed_reason"], "the threshold is a typo");
    assert!(version["tags"]["overruled"].as_str().is_some_and(|text| text.starts_with("auc is 0.")), "{version:#}");
    assert!(model["model"]["versions"][0]["properties"]["auc"].is_number(), "{model:#}");
    assert_eq!(sandbox.tidemill(&["predict", "data/trips.csv"]).code, 0);
}
