//! Programs as learners: one that keeps to the contract, and many that do not.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tidemill_core::{CancelFlag, Code, Component, ComponentError, Progress};
use tidemill_model::{Model, Task};
use tidemill_onnx::load_package;
use tidemill_train::Trainer;

use crate::support::{LABEL, Project, Step, good_trips, step};

/// A LightGBM model of one leaf: 1 / (1 + e^-0.5) for every row.
const MODEL: &str = "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=2\n\
                     objective=binary sigmoid:1\nfeature_names=miles payment year\nfeature_infos=[0:1] [0:1] [0:1]\n\
                     tree_sizes=120\n\nTree=0\nnum_leaves=1\nnum_cat=0\nleaf_value=0.5\nis_linear=0\nshrinkage=1\n\n\n\
                     end of trees\n";
const PREDICTION: &str = "0.6224593312018546";

/// Shell that writes the model, and predictions of the first 100 rows.
fn good() -> String {
    format!(
        "cat > \"$TIDEMILL_OUT/model.txt\" <<'END'\n{MODEL}END\n\
         values=$(yes {PREDICTION} | head -n 100 | paste -sd, -)\n\
         echo \"{{\\\"model\\\": {{\\\"format\\\": \\\"lightgbm\\\", \\\"path\\\": \\\"model.txt\\\"}}, \\\"predictions\\\": \
         {{\\\"values\\\": [$values]}}, \\\"environment\\\": {{\\\"sh\\\": \\\"1\\\"}}}}\" > \"$TIDEMILL_OUT/part\"\n\
         mv \"$TIDEMILL_OUT/part\" \"$TIDEMILL_OUT/result.json\"\n"
    )
}

/// The parameters of a step whose learner is a script of the project.
fn command(more: &Value) -> Value {
    let mut command = json!({ "run": ["sh", "train.sh"], "timeout_secs": 60, "grace_secs": 1 });
    command.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "learner": { "command": command } })
}

fn project(script: &str) -> Project {
    let project = Project::new(&good_trips(), LABEL);
    std::fs::write(project.path("train.sh"), script).unwrap();
    project
}

/// The error of a script, with everything it says.
fn refused(script: &str, more: &Value) -> (Code, String) {
    let project = project(script);
    let error = project.train("model", &step(command(more))).unwrap_err();
    assert!(project.files("model").is_empty(), "{error}");
    (error.code, whole(&error))
}

fn whole(error: &ComponentError) -> String {
    let cause = error.source.as_ref().map(ToString::to_string).unwrap_or_default();
    format!("{}\n{}\n{cause}", error.message, error.hint.clone().unwrap_or_default())
}

#[test]
fn a_program_that_keeps_to_the_contract_is_a_learner() {
    let script = format!(
        "set -e\n\
         test \"$SM_HP_DEPTH\" = 4 -a \"$GREETING\" = hello -a -f train.sh\n\
         test \"$SM_CHANNEL_VALIDATION\" -ef \"$(dirname \"$TIDEMILL_JOB\")/data/validation\"\n\
         for file in rows.parquet features.npy label.npy; do test -s \"$SM_CHANNEL_TRAIN/$file\"; done\n\
         grep -q '\"format\": \"tidemill.job/1\"' \"$TIDEMILL_JOB\"\n\
         echo '{{\"event\":\"progress\",\"done\":1,\"of\":2}}' >> \"$TIDEMILL_EVENTS\"\n\
         echo '{{\"event\":\"metric\",\"name\":\"loss\",\"split\":\"validation\",\"step\":3,\"value\":0.25}}' >> \"$TIDEMILL_EVENTS\"\n\
         echo '{{\"event\":\"note\",\"level\":\"warn\",\"text\":\"a feature is constant\"}}' >> \"$TIDEMILL_EVENTS\"\n\
         sleep 0.2\n{}",
        good()
    );
    let project = project(&script);
    let watch = Watch::default();
    let params = command(&json!({ "params": { "depth": 4 }, "env": { "GREETING": "hello" } }));
    let outcome = project.train("model", &Step { progress: &watch, ..step(params) }).unwrap();
    assert!(outcome.headline.starts_with("LightGBM model, validation log-loss 0."), "{}", outcome.headline);
    assert!(outcome.headline.ends_with("100 of its predictions reproduced"), "{}", outcome.headline);
    assert_eq!(outcome.warnings, ["a feature is constant"]);
    let phases = watch.phases.into_inner().unwrap();
    assert!(phases.contains(&"step 3 · validation loss 0.2500".to_owned()), "{phases:?}");

    let model = load_package(project.path("model")).unwrap();
    assert_eq!((model.manifest().learner.kind.as_str(), model.task()), ("lightgbm", &Task::Binary));
    assert_eq!(model.replay_sample().unwrap().rows, 32);
    let rows = [json!({ "miles": 8.0, "payment": "red", "year": 2016 })];
    let predicted = model.predict_values(&model.batch_from_rows(&rows).unwrap()).unwrap();
    assert_eq!(predicted[0].to_string(), PREDICTION);
    let training = &model.manifest().training;
    assert_eq!((&training["reported"][0]["value"], &training["environment"]["sh"]), (&json!(0.25), &json!("1")));
    assert!(Model::load(project.path("model")).is_err(), "nothing parses the model without an importer");
}

#[test]
fn the_program_is_part_of_what_the_step_depends_on() {
    let project = project("");
    let digests = |params: &Value| Trainer.external_inputs(params, project.path("").as_path()).unwrap();
    let named = digests(&command(&json!({})));
    assert_eq!(named.iter().map(|input| input.name.as_str()).collect::<Vec<_>>(), ["train.sh"]);
    std::fs::write(project.path("train.sh"), "exit 1").unwrap();
    assert_ne!(digests(&command(&json!({})))[0].digest, named[0].digest);
    assert!(digests(&command(&json!({ "code": [] }))).is_empty());
    let absent = command(&json!({ "code": ["lib.py"] }));
    let error = Trainer.external_inputs(&absent, project.path("").as_path()).unwrap_err();
    assert!(error.message.contains("lib.py"), "{error}");
    let outside = Trainer.check(&command(&json!({ "code": ["../x"] })));
    assert_eq!(outside[0].path.last().unwrap(), "0");
}

#[test]
fn a_program_that_fails_shows_the_end_of_its_output() {
    let (code, told) =
        refused("for i in $(seq 1 100); do echo \"line $i\"; done; echo 'no such column' >&2; exit 3", &json!({}));
    assert_eq!(code, Code::JobFailed);
    assert!(told.contains("exit status: 3") && told.contains("no such column") && told.contains("line 100"), "{told}");
    assert!(!told.contains("line 70\n"), "{told}");
    let (code, told) = refused("kill -9 $$", &json!({}));
    assert!(code == Code::JobFailed && told.contains("signal: 9"), "{told}");
    let said = "echo '{\"failure\": {\"kind\": \"data\", \"message\": \"two labels are needed\"}}' > \"$TIDEMILL_OUT/result.json\"; exit 1";
    assert!(refused(said, &json!({})).1.starts_with("the training command `sh` failed: two labels are needed"));
    let (code, told) = refused("", &json!({ "run": ["no-such-program"] }));
    assert!(code == Code::JobFailed && told.contains("cannot start") && told.contains("`run` names"), "{told}");
}

#[test]
fn a_program_without_a_usable_model_is_refused() {
    let bad = |from: &str, to: &str| good().replace(from, to);
    for (script, told) in [
        (String::new(), "ended without a result: there is no file `result.json`"),
        ("echo '{' > \"$TIDEMILL_OUT/result.json\"".to_owned(), "is not as agreed"),
        ("echo '{}' > \"$TIDEMILL_OUT/result.json\"".to_owned(), "names no model"),
        ("ln -s /etc/passwd \"$TIDEMILL_OUT/result.json\"".to_owned(), "is not a file"),
        (format!("{}rm \"$TIDEMILL_OUT/model.txt\"", good()), "hands over no model: there is no file `model.txt`"),
        (
            format!(
                "{}head -c 150 \"$TIDEMILL_OUT/model.txt\" > \"$TIDEMILL_OUT/x\"; mv \"$TIDEMILL_OUT/x\" \"$TIDEMILL_OUT/model.txt\"",
                good()
            ),
            "cannot be read",
        ),
        (bad("\\\"format\\\": \\\"lightgbm\\\"", "\\\"format\\\": \\\"pickle\\\""), "of the format `pickle`"),
        (bad("\\\"format\\\": \\\"lightgbm\\\"", "\\\"format\\\": \\\"onnx\\\""), "is said to be of the format `onnx`"),
        (
            bad("\\\"path\\\": \\\"model.txt\\\"", "\\\"path\\\": \\\"../../x.txt\\\""),
            "is not in the folder TIDEMILL_OUT",
        ),
        (
            bad("feature_names=miles payment year", "feature_names=miles payment month"),
            "none of them is called `month`",
        ),
        (bad("predictions", "other"), "has no predictions to compare with"),
        (bad(&format!("yes {PREDICTION}"), "yes 0.7"), "row 1 of `train` is 0.7 there and 0.622459"),
        (bad(&format!("yes {PREDICTION}"), "yes '\"NaN\"'"), "prediction 1: is \"NaN\", not a finite number"),
        (bad(&format!("yes {PREDICTION}"), "yes '[0.1,0.9]'"), "has 2 numbers where 1 are wanted"),
        (bad("head -n 100", "head -n 100000"), "there are predictions of 100000 rows"),
    ] {
        let (code, found) = refused(&script, &json!({}));
        let wanted = if told.contains("there and") { Code::SampleMismatch } else { Code::JobResult };
        assert!(code == wanted && found.contains(told), "{told}: {code:?} {found}");
    }
}

#[test]
fn a_program_beyond_its_limits_is_stopped_with_everything_it_started() {
    // It hangs, does not care about being asked to stop, and its child neither.
    let project = project("trap '' TERM; sh -c 'trap \"\" TERM; echo $$ > child; sleep 300' & sleep 300; wait");
    let start = Instant::now();
    let error = project.train("model", &step(command(&json!({ "timeout_secs": 1 })))).unwrap_err();
    assert!(error.code == Code::JobLimit && error.message.contains("ran for more than 1 s"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(20));
    assert_gone(&project.path("child"));

    let flood = "while true; do echo '{\"event\":\"metric\",\"name\":\"'$(head -c 30000 /dev/zero | tr '\\0' x)'\",\"value\":1}'; done >> \"$TIDEMILL_EVENTS\"";
    let (code, told) = refused(flood, &json!({}));
    assert!(code == Code::JobLimit && told.contains("MiB of events"), "{told}");

    if cfg!(target_os = "linux") {
        let greedy = "x=$(head -c 150000000 /dev/zero | tr '\\0' x); sleep 60";
        let (code, told) = refused(greedy, &json!({ "memory_mib": 100 }));
        assert!(code == Code::JobLimit && told.contains("of memory, and 100 MiB are allowed"), "{told}");
    }
}

#[test]
fn a_flood_of_output_and_a_left_over_child_disturb_nothing() {
    let noisy = format!("head -c 50000000 /dev/zero | tr '\\0' x; yes loud | head -n 100000\nsleep 300 &\n{}", good());
    let project = project(&noisy);
    let start = Instant::now();
    project.train("model", &step(command(&json!({})))).unwrap();
    assert!(start.elapsed() < Duration::from_mins(1));
}

#[test]
fn a_cancelled_program_is_gone() {
    let project = project("echo $$ > pid; sleep 300");
    let watch = Watch::default();
    let cancel = watch.cancel.clone();
    let params = command(&json!({}));
    let pid = project.path("pid");
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while !pid.exists() {
                std::thread::sleep(Duration::from_millis(20));
            }
            cancel.cancel();
        });
        let step = Step { progress: &watch, cancel: watch.cancel.clone(), ..step(params) };
        assert_eq!(project.train("model", &step).unwrap_err().code, Code::Canceled);
    });
    assert_gone(&project.path("pid"));
}

/// The process whose number is in a file has ended, or is about to.
fn assert_gone(file: &std::path::Path) {
    let pid = std::fs::read_to_string(file).unwrap();
    let stat = std::path::Path::new("/proc").join(pid.trim()).join("stat");
    let start = Instant::now();
    // Whoever inherits an ended process may take a while to notice.
    while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(start.elapsed() < Duration::from_secs(10), "process {pid} is still there");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Remembers phases.
#[derive(Default)]
struct Watch {
    phases: Mutex<Vec<String>>,
    cancel: CancelFlag,
}

impl Progress for Watch {
    fn total_rows(&self, _rows: u64) {}
    fn advance(&self, _rows: u64) {}
    fn phase(&self, text: &str) {
        self.phases.lock().unwrap().push(text.to_owned());
    }
}

/// A program that fails at its first attempt leaves a checkpoint, and its output can be read.
#[test]
fn attempts_share_checkpoints_and_keep_their_output() {
    let script = format!(
        "set -e\n\
         folder=$(sed -n 's/.*\"checkpoints\": \"\\(.*\\)\".*/\\1/p' \"$TIDEMILL_JOB\")\n\
         for i in $(seq 1 40); do echo \"epoch $i\"; done\n\
         if ! test -f \"$folder/epoch\"; then grep -q '\"resumed\": false' \"$TIDEMILL_JOB\"; echo 40 > \"$folder/epoch\"; exit 7; fi\n\
         grep -q '\"resumed\": true' \"$TIDEMILL_JOB\"\n\
         echo going on from $(cat \"$folder/epoch\")\n{}",
        good()
    );
    let project = project(&script);
    let trainer = Trainer.with_jobs(project.path("jobs"));
    let error = project.train_by(&trainer, "first", &step(command(&json!({}))), &[]).unwrap_err();
    assert!(error.code == Code::JobFailed, "{error}");
    let logs = project.path("jobs/taxi-tips/train/logs");
    let log = |name: &str| std::fs::read_to_string(logs.join(name)).unwrap();
    let named = format!("(all of it is in `{}`)", logs.join("a-run-id-1.log").display());
    assert!(whole(&error).contains(&named), "{}", whole(&error));
    assert!(log("a-run-id-1.log").starts_with("epoch 1\nepoch 2\n"), "{}", log("a-run-id-1.log"));

    // Other parameters are another training.
    let other = command(&json!({ "params": { "depth": 3 } }));
    assert!(project.train_by(&trainer, "other", &step(other), &[]).is_err());
    let outcome = project.train_by(&trainer, "second", &step(command(&json!({}))), &[]).unwrap();
    assert!(log("a-run-id-3.log").ends_with("going on from 40\n"));
    assert_eq!(outcome.properties["model"]["log"], json!(logs.join("a-run-id-3.log")));
    // What is no longer needed is gone, and the package knows nothing of it.
    let kept = std::fs::read_dir(project.path("jobs/taxi-tips/train/checkpoints")).unwrap().count();
    assert_eq!(kept, 1);
    let manifest = String::from_utf8(project.files("second")["model.json"].clone()).unwrap();
    assert!(!manifest.contains("a-run-id") && !manifest.contains("/jobs/"), "{manifest}");
    // Without a folder nothing stays.
    assert!(project.train("plain", &step(command(&json!({})))).is_err());
}

#[test]
fn a_program_gets_raw_columns_and_a_file_to_begin_with() {
    let script = |test: &str| format!("set -e\nD=$(dirname \"$TIDEMILL_JOB\")/data/train\n{test}\n{}", good());
    for (data, test) in [
        ("raw", "test -s $D/raw.parquet -a ! -e $D/rows.parquet -a ! -e $D/features.npy -a -s $D/label.npy"),
        ("both", "test -s $D/raw.parquet -a -s $D/rows.parquet -a -s $D/features.npy"),
        ("features", "test ! -e $D/raw.parquet -a -s $D/rows.parquet"),
    ] {
        let project = project(&script(&format!("cp $D/raw.parquet . 2>/dev/null || true\n{test}")));
        project
            .train("model", &step(command(&json!({ "data": data }))))
            .unwrap_or_else(|e| panic!("{data}: {}", whole(&e)));
        if data != "features" {
            // Columns that no feature has are there, the one that is predicted is not.
            let bytes = std::fs::read(project.path("raw.parquet")).unwrap();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            assert!(text.contains("fare") && text.contains("payment") && !text.contains("tips"), "{data}");
        }
    }
    let project =
        project(&script("grep -q '\"warm_start\": \"/.*before.txt\"' \"$TIDEMILL_JOB\"; grep -q old before.txt"));
    std::fs::write(project.path("before.txt"), "old").unwrap();
    let params = command(&json!({ "warm_start": "before.txt" }));
    let names: Vec<String> = Trainer
        .external_inputs(&params, project.path("").as_path())
        .unwrap()
        .into_iter()
        .map(|input| input.name)
        .collect();
    assert_eq!(names, ["train.sh", "before.txt"]);
    project.train("model", &step(params)).unwrap_or_else(|e| panic!("{}", whole(&e)));
    let absent = command(&json!({ "warm_start": "none.txt" }));
    let error = Trainer.external_inputs(&absent, project.path("").as_path()).unwrap_err();
    assert!(error.hint.unwrap().starts_with("`warm_start` names a file"));
    assert_eq!(Trainer.check(&command(&json!({ "warm_start": "/etc/passwd" })))[0].path.last().unwrap(), "warm_start");
}

#[test]
fn the_model_of_a_program_is_calibrated_like_any_other() {
    let project = project(&good());
    let mut params = command(&json!({}));
    params["calibration"] = json!("platt");
    params["threshold"] = json!({ "maximize": "accuracy" });
    let outcome = project.train("model", &step(params)).unwrap();
    assert!(outcome.headline.contains(" by platt, threshold "), "{}", outcome.headline);
    let model = load_package(project.path("model")).unwrap();
    let learner = &model.manifest().learner;
    assert_eq!((learner.kind.as_str(), learner.tolerance), ("calibrated", Some(1e-5)));
    assert_eq!(model.replay_sample().unwrap().rows, 32);
    // A model that says the same of every row is right on average once it is calibrated.
    let rows = [json!({ "miles": 8.0, "payment": "red", "year": 2016 })];
    let predicted = model.predict_values(&model.batch_from_rows(&rows).unwrap()).unwrap()[0];
    let manifest: Value = serde_json::from_slice(&project.files("model")["model.json"]).unwrap();
    let share = manifest["training"]["label_mean"]["validation"].as_f64().unwrap();
    assert!((predicted - share).abs() < 0.01, "{predicted} {share}");
    assert!(Model::load(project.path("model")).is_err(), "nothing parses the model without an importer");
    let card = String::from_utf8(project.files("model")["CARD.md"].clone()).unwrap();
    assert!(card.contains("There is no `model.onnx`"), "{card}");
}
