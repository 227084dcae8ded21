//! The store: damage, loss, full disks, backups.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::{Sandbox, Server, Transcript};

/// The file `name` of every stored artifact of a type.
fn stored(sandbox: &Sandbox, artifact_type: &str, name: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![sandbox.path(".tidemill/artifacts").join(artifact_type)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if entry.file_name().to_string_lossy().ends_with(name) {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no {artifact_type} has {name}");
    found
}

/// Replaces a file, which is read-only, and leaves its times as they were.
fn overwrite(path: &Path, bytes: &[u8]) {
    let modified = fs::metadata(path).and_then(|found| found.modified()).expect("a time");
    fs::remove_file(path).expect("it can be removed");
    fs::write(path, bytes).expect("it can be written");
    fs::File::options().write(true).open(path).and_then(|file| file.set_modified(modified)).expect("a time is set");
}

fn step(report: &Value, name: &str) -> Value {
    let steps = report["steps"].as_array().expect("steps");
    steps.iter().find(|step| step["step"] == name).cloned().unwrap_or_default()
}

fn warnings(step: &Value) -> String {
    step["outcome"]["warnings"].to_string()
}

#[test]
fn an_edited_transform_is_named_and_made_again() {
    let sandbox = Sandbox::trained(3000);
    let file = stored(&sandbox, "TransformGraph", "transform.json").remove(0);
    let text = fs::read_to_string(&file).expect("text");
    assert!(text.contains("\"max\": 500.0"), "{text}");
    overwrite(&file, text.replace("\"max\": 500.0", "\"max\": 5.0").as_bytes());

    let check = sandbox.tidemill(&["store", "check"]);
    assert_eq!(check.code, 1, "{check}");
    for part in
        ["TransformGraph", "`transform.json` has another size than was recorded (expected digest ", "step `transform`"]
    {
        assert!(check.stdout.contains(part), "{part}: {check}");
    }
    let plan = sandbox.tidemill(&["plan", "--param", "learning_rate=0.05"]);
    assert!(plan.stdout.contains("TransformGraph artifact") && plan.stdout.contains("is damaged"), "{plan}");

    let report = sandbox.json(&["run", "--param", "learning_rate=0.05"]);
    assert_eq!(report["state"], "COMPLETE");
    let transform = step(&report, "transform");
    assert_eq!(transform["state"], "COMPLETE", "it ran again");
    assert!(warnings(&transform).contains("is damaged: `transform.json`"), "{transform}");
    assert_eq!(fs::read_to_string(&file).expect("text"), text, "and made what was recorded");
    assert_eq!(sandbox.tidemill(&["store", "check"]).code, 0);
    assert_eq!(sandbox.json(&["store", "check"])["damaged"], Value::Array(Vec::new()));
}

#[test]
fn a_flipped_bit_in_stored_rows_trains_no_other_model() {
    let sandbox = Sandbox::trained(3000);
    let other = ["--param", "learning_rate=0.05"];
    let expected = {
        let clean = Sandbox::trained(3000);
        step(&clean.json(&[&["run"], &other[..]].concat()), "train")["outputs"].clone()
    };
    let file = stored(&sandbox, "Examples", ".parquet").remove(0);
    let sound = fs::read(&file).expect("bytes");
    for number in 0..40 {
        let mut flipped = sound.clone();
        let bit = number * (sound.len() * 8 - 1) / 39;
        flipped[bit / 8] ^= 1 << (bit % 8);
        overwrite(&file, &flipped);
        let plan = sandbox.json(&[&["plan"], &other[..]].concat());
        let examples = step(&plan, "examples");
        assert_eq!(examples["action"], "run", "bit {bit}");
        assert!(examples["reasons"][0].as_str().unwrap_or_default().contains("is damaged"), "{examples}");
    }
    let report = sandbox.json(&[&["run"], &other[..]].concat());
    assert_eq!(step(&report, "examples")["state"], "COMPLETE");
    assert!(warnings(&step(&report, "examples")).contains("has other bytes than were recorded"));
    assert_eq!(step(&report, "train")["outputs"], expected);
    assert_eq!(fs::read(&file).expect("bytes"), sound);
}

#[test]
fn a_damaged_champion_is_mended_or_named_and_never_blocks_the_next() {
    let sandbox = Sandbox::trained(3000);
    let learner = stored(&sandbox, "Model", "learner.bin").remove(0);
    let sound = fs::read(&learner).expect("bytes");
    let damage = || overwrite(&learner, &[&sound[..100], &[sound[100] ^ 1], &sound[101..]].concat());
    damage();
    let shown = sandbox.tidemill(&["predict", "data/trips.csv"]);
    assert_eq!(shown.code, 3, "{shown}");
    assert!(shown.stderr.contains("Model artifact") && shown.stderr.contains("TM6004"), "{shown}");
    // Another model is judged and pushed.
    let report = sandbox.json(&["run", "--param", "learning_rate=0.05"]);
    assert_eq!((&report["state"], &step(&report, "push")["state"]), (&"COMPLETE".into(), &"COMPLETE".into()));
    assert!(warnings(&step(&report, "evaluate")).contains("it is not compared with"));
    // Back to the first as champion: a run of the second does not say that there is nothing to do.
    assert_eq!(sandbox.tidemill(&["alias", "taxi-tips", "champion", "1"]).code, 0);
    let plan = sandbox.tidemill(&["plan", "--param", "learning_rate=0.05"]);
    assert!(plan.stdout.contains("the package of taxi-tips version 1 (@champion) is damaged"), "{plan}");
    let run = sandbox.tidemill(&["run", "--param", "learning_rate=0.05"]);
    assert_eq!(run.code, 3, "{run}");
    assert!(!run.stdout.contains("nothing to do"), "{run}");
    assert!(run.stdout.contains("`tidemill alias taxi-tips champion 2`"), "{run}");
    // A run of the first makes it again.
    let mended = sandbox.tidemill(&["run"]);
    assert_eq!(mended.code, 0, "{mended}");
    assert_eq!(fs::read(&learner).expect("bytes"), sound);
    // Lost instead of damaged.
    fs::remove_dir_all(learner.parent().expect("a folder")).expect("it can be removed");
    let run = sandbox.tidemill(&["run"]);
    assert_eq!(run.code, 0, "{run}");
    assert!(!run.stdout.contains("nothing to do"), "{run}");
    assert_eq!(fs::read(&learner).expect("bytes"), sound);
}

#[test]
fn repair_moves_damage_aside_and_a_run_makes_it_again() {
    let sandbox = Sandbox::trained(3000);
    let file = stored(&sandbox, "Statistics", ".json").remove(0);
    overwrite(&file, b"{}");
    let report = sandbox.json(&["store", "check", "--repair"]);
    let moved = report["damaged"][0]["quarantined"].as_str().expect("a place").to_owned();
    assert!(sandbox.path(&moved).is_dir() || Path::new(&moved).is_dir(), "{moved}");
    assert!(!file.exists());
    assert_eq!(sandbox.tidemill(&["run"]).code, 0);
    assert_eq!(sandbox.tidemill(&["store", "check"]).code, 0);
}

#[test]
fn a_lost_store_is_not_silently_a_new_one() {
    let sandbox = Sandbox::trained(3000);
    let (store, away) = (sandbox.path(".tidemill"), sandbox.path("away"));
    let server = Server::start(&sandbox);
    fs::rename(&store, &away).expect("it can be moved");
    for command in
        [&["run"][..], &["plan"], &["models"], &["runs"], &["status"], &["artifacts"], &["serve"], &["store", "check"]]
    {
        let refused = sandbox.tidemill(command);
        assert_eq!(refused.code, 3, "{refused}");
        assert!(refused.stderr.contains("TM6006") && refused.stderr.contains("tidemill store new"), "{refused}");
        assert!(!store.exists(), "{refused}");
    }
    // What a server has loaded it keeps.
    let row = r#"{"instances":[{"trip_miles":1.0,"fare":5.0,"trip_seconds":300,"payment_type":"Cash"}]}"#;
    let (status, answer) = server.post("/v1/models/taxi-tips:predict", row);
    assert!(matches!(status, 200 | 400), "{status} {answer}");
    drop(server);
    fs::rename(&away, &store).expect("it can be moved back");
    assert_eq!(sandbox.json(&["run"])["state"], "COMPLETE");

    fs::remove_dir_all(&store).expect("it can be removed");
    assert_eq!(sandbox.tidemill(&["store", "new"]).code, 0);
    assert_eq!(sandbox.json(&["models"]), Value::Array(Vec::new()));
    assert_eq!(sandbox.json(&["run"])["state"], "COMPLETE");
}

#[test]
fn a_project_without_a_store_is_looked_at_without_making_one() {
    let sandbox = Sandbox::taxi(300);
    for command in [&["models"][..], &["runs"], &["artifacts"], &["plan"], &["store", "check"]] {
        let looked = sandbox.tidemill(command);
        assert_eq!(looked.code, 0, "{looked}");
        assert!(!sandbox.path(".tidemill").exists(), "{looked}");
    }
}

#[test]
fn a_backup_taken_while_a_server_runs_restores_everything() {
    let sandbox = Sandbox::trained(3000);
    let server = Server::start(&sandbox);
    let backup = sandbox.tidemill(&["store", "backup", "copy"]);
    assert_eq!(backup.code, 0, "{backup}");
    drop(server);
    assert_eq!(sandbox.tidemill(&["store", "restore", "copy"]).code, 2, "there is a store");
    fs::remove_dir_all(sandbox.path(".tidemill")).expect("it can be removed");
    let restored = sandbox.tidemill(&["store", "restore", "copy"]);
    assert_eq!(restored.code, 0, "{restored}");
    let run = sandbox.json(&["run"]);
    let cached = run["steps"].as_array().expect("steps").iter().all(|step| step["state"] == "CACHED");
    assert!(cached, "{run}");
    assert_eq!(sandbox.tidemill(&["store", "check"]).code, 0);
    // The plain copy of the file alone has the newest version, too.
    fs::copy(sandbox.path(".tidemill/metadata.db"), sandbox.path("copy/metadata.db")).expect("it can be copied");
    assert_eq!(sandbox.tidemill(&["store", "restore", "copy", "--replace"]).code, 0);
    assert_eq!(sandbox.json(&["models"])[0]["aliases"][0]["version"], 1);
}

/// Runs the command so that no file may grow over `kibibytes`, as on a disk with that much space.
fn limited(sandbox: &Sandbox, kibibytes: u32, args: &[&str]) -> Transcript {
    let script = "trap '' XFSZ; ulimit -f \"$0\"; exec \"$@\"";
    let mut command = Command::new("bash");
    command.args(["-c", script, &kibibytes.to_string(), env!("CARGO_BIN_EXE_tidemill")]).args(args);
    sandbox.run(command, args)
}

#[test]
fn a_full_disk_leaves_files_as_they_were_and_is_named() {
    let sandbox = Sandbox::empty();
    sandbox.write("a.csv", "fare,company\n1.5,x\n2.5,y\n".to_owned() + &"3.5,x\n4.5,y\n".repeat(30));
    sandbox.write("b.csv", "fare,company\n1.5,x\n2.5,z\n".to_owned() + &"3.5,x\n4.5,z\n".repeat(30));
    assert_eq!(sandbox.tidemill(&["infer-schema", "a.csv", "--out", "schema.yaml"]).code, 0);
    let (before, files) = (sandbox.read("schema.yaml"), fs::read_dir(sandbox.path(".")).expect("a folder").count());
    for args in [
        &["schema", "update", "b.csv", "--accept", "all"][..],
        &["infer-schema", "b.csv", "--out", "schema.yaml", "--force"],
        &["stats", "a.csv", "--html", "stats.html"],
        &["schema", "convert", "schema.yaml", "--out", "schema.pbtxt"],
    ] {
        let failed = limited(&sandbox, 0, args);
        assert_eq!(failed.code, 3, "{failed}");
        assert!(failed.stderr.contains("file size limit exceeded while writing `"), "{failed}");
        assert!(!failed.stderr.contains("os error"), "{failed}");
        assert_eq!(sandbox.read("schema.yaml"), before);
        assert_eq!(fs::read_dir(sandbox.path(".")).expect("a folder").count(), files, "nothing is left: {failed}");
    }
}

#[test]
fn a_run_on_a_full_disk_fails_in_words_and_is_repeated() {
    let sandbox = Sandbox::taxi(3000);
    for kibibytes in [0, 8, 64] {
        let failed = limited(&sandbox, kibibytes, &["run"]);
        assert!(matches!(failed.code, 1 | 3), "{kibibytes} KiB: {failed}");
        assert!(!failed.stderr.contains("os error"), "{failed}");
    }
    let run = sandbox.tidemill(&["run"]);
    assert_eq!(run.code, 0, "{run}");
    assert_eq!(sandbox.staged(), 0);
    // Reading needs no space at all.
    for args in [&["models"][..], &["runs"], &["status"], &["artifacts"], &["lineage", "taxi-tips"]] {
        let read = limited(&sandbox, 0, args);
        assert_eq!(read.code, 0, "{read}");
    }
}

#[test]
fn a_killed_init_is_repeated() {
    let sandbox = Sandbox::empty();
    sandbox.write("taxi/.pipeline.yaml.4711-0.tidemill-draft", "version");
    sandbox.write("taxi/.tidemill-Ab12.tmp", "half");
    let made = sandbox.tidemill(&["init", "taxi", "taxi", "--rows", "100"]);
    assert_eq!(made.code, 2, "a file that is not Tidemill's draft is in the way: {made}");
    fs::remove_file(sandbox.path("taxi/.tidemill-Ab12.tmp")).expect("it can be removed");
    let made = sandbox.tidemill(&["init", "taxi", "taxi", "--rows", "100"]);
    assert_eq!(made.code, 0, "{made}");
    assert!(!sandbox.path("taxi/.pipeline.yaml.4711-0.tidemill-draft").exists());
    // Cut off between two files: the pipeline file comes last.
    fs::remove_file(sandbox.path("taxi/pipeline.yaml")).expect("it can be removed");
    fs::remove_file(sandbox.path("taxi/README.md")).expect("it can be removed");
    assert_eq!(sandbox.tidemill(&["init", "taxi", "taxi", "--rows", "100"]).code, 0);
    // A whole project is not written over, nor a file that somebody changed.
    assert_eq!(sandbox.tidemill(&["init", "taxi", "taxi", "--rows", "100"]).code, 2);
    fs::remove_file(sandbox.path("taxi/pipeline.yaml")).expect("it can be removed");
    sandbox.write("taxi/tidemill.toml", "threads = 1\n");
    assert_eq!(sandbox.tidemill(&["init", "taxi", "taxi", "--rows", "100"]).code, 2);
}

#[test]
fn what_nothing_needs_is_deleted_and_what_is_served_stays() {
    let sandbox = Sandbox::trained(3000);
    for rounds in ["20", "21", "22"] {
        assert_eq!(sandbox.tidemill(&["run", "--param", &format!("rounds={rounds}")]).code, 0);
    }
    assert_eq!(sandbox.tidemill(&["alias", "taxi-tips", "champion", "1"]).code, 0);
    let policy = ["gc", "--older", "0s", "--keep-runs", "1", "--keep-versions", "1"];
    assert_eq!(sandbox.json(&["gc"])["deleted"], Value::Array(Vec::new()), "everything is young");
    let dry = sandbox.json(&[&policy[..], &["--dry-run"]].concat());
    let models = |report: &Value| {
        let all = report["deleted"].as_array().expect("a list");
        all.iter().filter(|record| record["artifact"]["artifact_type"] == "Model").count()
    };
    assert_eq!(models(&dry), 1, "version 2: 1 has an alias, 4 is the newest and was compared with 3");
    assert!(sandbox.tidemill(&["predict", "taxi-tips:2", "data/trips.csv"]).code == 0, "nothing is deleted yet");
    let before = stored(&sandbox, "Model", "learner.bin").len();
    assert_eq!(models(&sandbox.json(&policy)), 1);
    assert_eq!(stored(&sandbox, "Model", "learner.bin").len(), before - 1);
    assert_eq!(sandbox.json(&["gc", "--older", "0s", "--keep-runs", "1", "--keep-versions", "1"])["bytes"], 0);
    assert_eq!(sandbox.tidemill(&["store", "check"]).code, 0, "what was deleted is no damage");
    assert_eq!(sandbox.tidemill(&["predict", "taxi-tips", "data/trips.csv"]).code, 0);
    let lineage = sandbox.tidemill(&["lineage", "taxi-tips:2"]);
    assert!(lineage.code == 0 && lineage.stdout.contains("data/trips.csv"), "{lineage}");
    assert_eq!(sandbox.tidemill(&["store", "backup", "copy"]).code, 0);
    // Made again, it is the same model.
    let again = sandbox.json(&["run", "--param", "rounds=20"]);
    assert_eq!(step(&again, "train")["state"], "COMPLETE");
    assert_eq!(sandbox.json(&["models"])[0]["versions"].as_array().map(Vec::len), Some(4));
    assert_eq!(sandbox.tidemill(&["predict", "taxi-tips:2", "data/trips.csv"]).code, 0);
}
