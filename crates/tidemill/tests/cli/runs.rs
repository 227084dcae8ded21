//! Runs logged by anyone, searched, compared.

use crate::support::Sandbox;

#[test]
fn runs_of_pipelines_and_of_others_are_searched() {
    let sandbox = Sandbox::trained(3000);
    let second = sandbox.tidemill(&["run", "--param", "rounds=20"]);
    assert_eq!(second.code, 0, "{second}");
    sandbox.write("weights.txt", "1 2 3\n");
    let long = "x".repeat(60_000);
    let logged = sandbox.json(&[
        "log",
        "--experiment",
        "notebook",
        "--param",
        "rounds=7",
        "--param",
        &format!("query={long}"),
        "--metric",
        "auc=0.5@1",
        "--metric",
        "auc=0.6@2",
        "--metric",
        "loss=NaN",
        "--metric",
        "ratio=-inf",
        "--tag",
        "a note=first",
        "--file",
        "weights.txt",
    ]);
    let id = logged["run"]["id"].as_str().expect("an id").to_owned();
    let value = |key: &str| {
        let values = logged["values"].as_array().expect("values");
        values.iter().find(|value| value["key"] == key).expect("a value")["text"].as_str().expect("a text").to_owned()
    };
    assert_eq!([value("auc"), value("loss"), value("ratio")], ["0.6", "NaN", "-Infinity"]);
    assert_eq!(value("query"), long);
    let kept = sandbox.json(&["artifacts", "--run", &id]);
    assert_eq!(kept[0]["artifact"]["artifact_type"], "Files");
    assert_eq!(sandbox.tidemill(&["log", "--run", &id, "--tag", "owner=ann"]).code, 0);

    let found = |filter: &str, order: &[&str]| -> Vec<String> {
        let found = sandbox.json(&[&["runs", "--filter", filter], order].concat());
        found
            .as_array()
            .expect("a list")
            .iter()
            .map(|run| run["pipeline"].as_str().expect("a name").to_owned())
            .collect()
    };
    assert_eq!(found("metrics.auc > 0.7", &[]), ["taxi-tips", "taxi-tips"]);
    assert_eq!(
        found("metrics.auc > 0.1 and params.rounds != '300'", &["--order-by", "metrics.auc"]),
        ["notebook", "taxi-tips"]
    );
    assert_eq!(found("tags.`a note` ILIKE 'FIRST' and tags.owner = 'ann'", &[]), ["notebook"]);
    assert_eq!(found("metrics.cost.cpu_seconds > 0", &[]), ["taxi-tips", "taxi-tips"]);
    let table = sandbox.tidemill(&["runs", "--show", "metrics.auc,params.rounds"]);
    assert!(table.stdout.contains("auc") && table.stdout.contains("300"), "{table}");

    let wrong = sandbox.tidemill(&["runs", "--filter", "metrics.auc > 'high'"]);
    assert!(wrong.code == 2 && wrong.stderr.contains("compared with a number"), "{wrong}");
    let wrong = sandbox.tidemill(&["log", "--run", &id, "--param", "rounds=8"]);
    assert!(wrong.code == 2 && wrong.stderr.contains("settings never change"), "{wrong}");
    let wrong = sandbox.tidemill(&["log", "--experiment", "x", "--metric", "auc=high"]);
    assert!(wrong.code == 2 && wrong.stderr.contains("is not a number"), "{wrong}");
    assert_eq!(sandbox.json(&["runs"]).as_array().map(Vec::len), Some(3), "nothing is left of what was refused");
}

#[test]
fn two_runs_are_compared() {
    let sandbox = Sandbox::trained(3000);
    let git = |args: &[&str]| {
        let mut command = std::process::Command::new("git");
        command
            .args(["-c", "user.name=ann", "-c", "user.email=ann@example.org"])
            .args(args)
            .current_dir(sandbox.path("."));
        let output = command.output().expect("git starts");
        assert!(output.status.success(), "{output:?}");
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-qm", "first"]);
    sandbox.write("notes.txt", "dirty");
    sandbox.edit("data/trips.csv", "Cash", "Mobile");
    let second = sandbox.tidemill(&["run", "--param", "rounds=20"]);
    assert!(matches!(second.code, 0 | 1), "{second}");
    let runs = sandbox.json(&["runs"]);
    let (after, before) = (runs[0]["id"].as_str().expect("an id"), runs[1]["id"].as_str().expect("an id"));
    let diff = sandbox.tidemill(&["diff", before, after]);
    assert_eq!(diff.code, 1, "{diff}");
    for part in ["git.commit", "git.dirty", "rounds", "data/trips.csv", "examples: `data/trips.csv` has changed"] {
        assert!(diff.stdout.contains(part), "{part}: {diff}");
    }
    let same = sandbox.tidemill(&["diff", after, after]);
    assert!(same.code == 0 && same.stdout.contains("are the same"), "{same}");
    let files = sandbox.tidemill(&["diff", "data/trips.csv", "data/trips.csv"]);
    assert!(files.code == 2 && files.stderr.contains("--key"), "{files}");
}
