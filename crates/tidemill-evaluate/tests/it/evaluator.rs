//! The step from examples and packages to `evaluation.json` and `blessing.json`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use serde_json::{Value, json};
use tempfile::TempDir;
use tidemill_core::{
    ArtifactType, CancelFlag, Code, Component, ComponentError, DataType, Digest, InputArtifact, NoProgress, Outcome,
    RunInfo, StepContext, TensorSpec, Verdict,
};
use tidemill_data::{ExampleGen, Examples};
use tidemill_evaluate::{Blessing, BlessingVerdict, Evaluation, Evaluator, Metric};
use tidemill_model::trees::{Node, Rule, Split, Tree, TreeEnsemble};
use tidemill_model::{Feature, LabelSpec, Learner, Model, PackageParts, Task, TransformGraph, write_package};

/// A scratch folder with examples and as many packages as a test wants.
struct World {
    dir: TempDir,
    examples: PathBuf,
}

fn context_run(
    component: &dyn Component,
    params: &Value,
    project: &Path,
    inputs: &BTreeMap<String, InputArtifact>,
    outputs: &BTreeMap<String, PathBuf>,
    threads: usize,
) -> Result<Outcome, ComponentError> {
    for dir in outputs.values() {
        fs::create_dir_all(dir).unwrap();
    }
    component.run(&StepContext {
        params,
        project_dir: project,
        inputs,
        outputs,
        progress: &NoProgress,
        cancel: &CancelFlag::default(),
        threads,
        run: &RunInfo { pipeline: "taxi".into(), run_id: "1".into(), step: "evaluate".into() },
        work: None,
    })
}

impl World {
    /// Cheap trips are tipped, most of the time: less so at hour 3, never when paid in cash.
    fn new() -> Self {
        let mut csv = String::from("fare,hour,payment,tips,weight\n");
        for i in 0..3_000_u32 {
            let fare = f64::from((i * 7_919) % 400) / 10.0 + 1.0;
            let hour = (i / 7) % 24;
            let payment = ["Card", "Cash", "", "Card", "Card"][(i % 5) as usize];
            let noisy = (i * 104_729) % 100 < if hour == 3 { 60 } else { 10 };
            let tipped = (fare <= 20.0) != noisy && payment != "Cash";
            let tips = if tipped { fare * 0.3 } else { 0.0 };
            writeln!(csv, "{fare},{hour},{payment},{tips},{}", i % 3).unwrap();
        }
        Self::of(&csv)
    }

    fn of(csv: &str) -> Self {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("trips.csv"), csv).unwrap();
        let examples = dir.path().join("examples");
        let outputs = BTreeMap::from([("examples".to_owned(), examples.clone())]);
        let params = json!({ "source": { "csv": "trips.csv" }, "splits": { "train": 1, "eval": 2 } });
        context_run(&ExampleGen::default(), &params, dir.path(), &BTreeMap::new(), &outputs, 2).unwrap();
        Self { dir, examples }
    }

    /// A package with one tree: fares up to `at` get `left`, others -2. `columns` are the model's inputs.
    fn package(&self, name: &str, at: f64, left: f64, columns: &[&str], label: &str) -> PathBuf {
        let label = LabelSpec::new("big_tip", label);
        let datatype = |column: &str| if column == "hour" { DataType::Int64 } else { DataType::Fp64 };
        let inputs = columns.iter().map(|name| TensorSpec::new(*name, datatype(name), true)).collect();
        let features = columns.iter().map(|name| Feature::new(*name, *name, Vec::new())).collect();
        let graph = TransformGraph::new(inputs, Some(label.clone()), features).unwrap();
        let tree = Tree::new(vec![
            Node::Split(Split { feature: 0, rule: Rule::AtMost(at), missing_left: true, left: 1, right: 2 }),
            Node::Leaf { value: left },
            Node::Leaf { value: -2.0 },
        ])
        .unwrap();
        let learner = Learner::Trees(TreeEnsemble::new(Task::Binary, columns.len(), 0.0, vec![tree]).unwrap());
        let column = |name: &&str| -> (String, ArrayRef) {
            let values: ArrayRef = match datatype(name) {
                DataType::Int64 => Arc::new(Int64Array::from(vec![3, 4])),
                _ => Arc::new(Float64Array::from(vec![5.0, 25.0])),
            };
            ((*name).to_owned(), values)
        };
        let dir = self.dir.path().join(name);
        fs::create_dir_all(&dir).unwrap();
        let parts = PackageParts {
            name: "taxi-tips".into(),
            pipeline: "taxi".into(),
            label,
            task: Task::Binary,
            graph,
            learner,
            learner_params: json!({}),
            training: json!({}),
            decision_threshold: None,
            schema_digest: None,
            sample: RecordBatch::try_from_iter(columns.iter().map(column)).unwrap(),
            card: "# taxi-tips\n".into(),
        };
        write_package(&dir, &parts).unwrap();
        dir
    }

    fn good(&self) -> PathBuf {
        self.package("good", 20.0, 2.0, &["fare", "hour"], LABEL)
    }

    fn run_on(
        &self,
        params: &Value,
        model: &Path,
        baseline: Option<&Path>,
        threads: usize,
    ) -> Result<(Outcome, PathBuf), ComponentError> {
        let artifact = |artifact_type, digit: u8, path: &Path| InputArtifact {
            artifact_type,
            digest: Digest::from_bytes(&[digit; 32]),
            path: path.to_owned(),
            properties: BTreeMap::new(),
        };
        let mut inputs = BTreeMap::from([
            ("examples".to_owned(), artifact(ArtifactType::Examples, 1, &self.examples)),
            ("model".to_owned(), artifact(ArtifactType::Model, 2, model)),
        ]);
        if let Some(baseline) = baseline {
            inputs.insert("baseline".into(), artifact(ArtifactType::Model, 3, baseline));
        }
        let out = self.dir.path().join(format!("out-{threads}"));
        let outputs = ["evaluation", "blessing"].map(|key| (key.to_owned(), out.join(key))).into_iter().collect();
        context_run(&Evaluator, params, self.dir.path(), &inputs, &outputs, threads).map(|outcome| (outcome, out))
    }
}

const LABEL: &str = "tips > 0";

fn params() -> Value {
    json!({
        "slices": [[], ["hour"], ["payment"], ["payment", "hour"]],
        "find_slices": 5,
        "thresholds": { "auc": { "at_least": 0.7, "no_worse_than_baseline_by": 0.005 } },
        "slice_thresholds": [{ "slice": { "payment": "Card" }, "thresholds": { "accuracy": { "at_least": 0.8 } } }],
    })
}

#[test]
fn a_first_model_is_judged_slice_by_slice() {
    let world = World::new();
    let (outcome, out) = world.run_on(&params(), &world.good(), None, 2).unwrap();
    let evaluation = Evaluation::read(&out.join("evaluation")).unwrap();
    let blessing = Blessing::read(&out.join("blessing")).unwrap();
    assert_eq!(blessing.verdict, BlessingVerdict::BlessedFirst);
    assert_eq!(outcome.verdict, Verdict::Pass);
    assert_eq!(outcome.warnings, ["there is no baseline yet, so 1 bound against it did not apply"]);

    // 24 hours and 3 ways of paying (the empty cell is one), and counts sum to the whole.
    let rows = |terms: &[&str]| -> Vec<u64> {
        let over: Vec<String> = terms.iter().map(|term| (*term).to_owned()).collect();
        evaluation.slices.iter().filter(|slice| slice.slice.is_over(&over)).map(|slice| slice.rows).collect()
    };
    assert_eq!(rows(&["hour"]).len(), 24);
    assert_eq!(rows(&["payment"]).len(), 3);
    for family in [&["hour"][..], &["payment"], &["payment", "hour"]] {
        assert_eq!(rows(family).iter().sum::<u64>(), evaluation.rows);
    }

    // The overall numbers are those of the package's own predictions on the split.
    let examples = Examples::open(&world.examples).unwrap();
    let model = Model::load(world.good()).unwrap();
    let (mut right, mut seen) = (0_u64, 0_u64);
    for batch in examples.batches("eval", None).unwrap() {
        let batch = batch.unwrap();
        let labels = model.graph().bind_label(&batch.schema()).unwrap().values(&batch).unwrap();
        let predictions = model.predict_values(&batch).unwrap();
        right += labels.iter().zip(&predictions).filter(|(label, p)| (**label > 0.5) == (**p > 0.5)).count() as u64;
        seen += labels.len() as u64;
    }
    let overall = evaluation.overall().unwrap();
    assert_eq!(overall.rows, seen);
    assert_eq!(overall.metrics.get(Metric::Accuracy), Some(right as f64 / seen as f64));
    assert!(overall.intervals.as_ref().unwrap().contains_key(&Metric::Auc));

    // Cash never tips: the model, which does not see the payment, does worst on cheap cash trips.
    let found = &evaluation.found_slices.as_ref().unwrap().slices[0];
    assert_eq!(found.conditions.len(), 2, "{found:?}");
    assert!(found.to_string().contains("payment=Cash"), "{found}");

    let auc = overall.metrics.get(Metric::Auc).unwrap();
    assert_eq!(
        outcome.headline,
        format!("AUC {auc:.3} on {} rows: blessed (first)", "1,".to_owned() + &seen.to_string()[1..])
    );
    assert_eq!(outcome.properties["evaluation"]["auc"], json!(auc));
    assert_eq!(outcome.properties["blessing"]["blessed"], json!(true));
    let titles: Vec<&str> = outcome.tables.iter().map(|table| table.title.as_str()).collect();
    assert_eq!(titles, ["Metrics", "Worst slices", "Slices found"]);
    assert!(outcome.tables.iter().all(|table| table.rows.iter().all(|row| row.1.len() == table.columns.len())));
}

#[test]
fn the_same_inputs_give_the_same_bytes_at_any_number_of_threads() {
    let world = World::new();
    let (model, baseline) = (world.good(), world.package("older", 15.0, 1.5, &["fare"], LABEL));
    let bytes = |threads| {
        let (_, out) = world.run_on(&params(), &model, Some(&baseline), threads).unwrap();
        ["evaluation/evaluation.json", "blessing/blessing.json"].map(|file| fs::read(out.join(file)).unwrap())
    };
    assert_eq!(bytes(1), bytes(4));
}

#[test]
fn a_candidate_worse_than_its_baseline_is_not_blessed() {
    let world = World::new();
    let (good, bad) = (world.good(), world.package("bad", 8.0, 2.0, &["fare"], LABEL));
    let (outcome, out) = world.run_on(&params(), &bad, Some(&good), 2).unwrap();
    let Verdict::Fail(reasons) = &outcome.verdict else { panic!("{outcome:?}") };
    assert!(
        reasons.iter().any(|reason| reason.starts_with("auc is 0.") && reason.contains("the baseline's")),
        "{reasons:?}"
    );
    assert!(
        outcome.headline.contains("(baseline 0.") && outcome.headline.ends_with("not blessed"),
        "{}",
        outcome.headline
    );
    let blessing = Blessing::read(&out.join("blessing")).unwrap();
    assert!(!blessing.blessed);
    assert_eq!(blessing.baseline, Some(Digest::from_bytes(&[3; 32])));
    // The same candidate against itself passes.
    let (outcome, _) = world.run_on(&params(), &good, Some(&good), 2).unwrap();
    assert!(outcome.verdict.passed());
    assert!(outcome.headline.ends_with(": blessed"), "{}", outcome.headline);
}

#[test]
fn a_baseline_that_cannot_be_compared_with_is_left_out_with_a_warning() {
    let world = World::new();
    let good = world.good();
    let cases = [
        (world.package("wider", 20.0, 2.0, &["fare", "speed"], LABEL), "`speed`"),
        (world.package("other", 20.0, 2.0, &["fare"], "tips > 3"), "another label"),
    ];
    for (baseline, named) in cases {
        let (outcome, out) = world.run_on(&params(), &good, Some(&baseline), 2).unwrap();
        let told = &outcome.warnings[0];
        assert!(told.starts_with("the last blessed model cannot be the baseline (") && told.contains(named), "{told}");
        assert!(told.ends_with("so 1 bound against it did not apply"), "{told}");
        let blessing = Blessing::read(&out.join("blessing")).unwrap();
        assert_eq!((blessing.verdict, blessing.baseline), (BlessingVerdict::BlessedFirst, None));
    }
}

#[test]
fn a_baseline_that_cannot_be_read_does_not_switch_the_gate_off() {
    let world = World::new();
    let error = world.run_on(&params(), &world.good(), Some(&world.dir.path().join("gone")), 2).unwrap_err();
    assert_eq!(error.code, Code::ArtifactDamaged);
    assert!(error.message.starts_with("the last blessed model, `"), "{error}");
}

#[test]
fn no_thresholds_pass_with_a_warning() {
    let world = World::new();
    let (outcome, _) = world.run_on(&json!({}), &world.good(), None, 2).unwrap();
    assert!(outcome.verdict.passed());
    assert!(outcome.headline.ends_with("unchecked"));
    assert_eq!(outcome.warnings, ["no thresholds are set, so the model was not judged"]);
}

#[test]
fn weights_count_rows_as_often_as_they_say() {
    let world = World::new();
    let plain = world.run_on(&json!({}), &world.good(), None, 1).unwrap().0;
    let weighted = world.run_on(&json!({ "weight": "weight" }), &world.good(), None, 1).unwrap().0;
    assert_eq!(plain.properties["evaluation"]["count"], weighted.properties["evaluation"]["count"]);
    assert_ne!(plain.properties["evaluation"]["auc"], weighted.properties["evaluation"]["auc"]);
}

#[test]
fn bad_input_is_named() {
    let world = World::new();
    let good = world.good();
    let error = |params: Value| world.run_on(&params, &good, None, 1).unwrap_err();
    let told = |error: &ComponentError| (error.code, error.message.clone(), error.hint.clone().unwrap_or_default());

    let (code, message, hint) = told(&error(json!({ "slices": [["paymnet"]] })));
    assert_eq!((code, hint.as_str()), (Code::ColumnNotFound, "did you mean `payment`?"), "{message}");
    let (code, message, _) = told(&error(json!({ "slices": [["fare"]] })));
    assert_eq!(code, Code::ColumnType, "{message}");
    let (code, message, hint) = told(&error(json!({ "split": "evl" })));
    assert_eq!((code, hint.as_str()), (Code::Params, "did you mean `eval`?"), "{message}");
    let (code, message, _) = told(&error(json!({ "thresholds": { "rmse": { "at_most": 1 } } })));
    assert_eq!((code, message.as_str()), (Code::ThresholdInvalid, "`rmse` is not a metric of a binary model"));
    let (code, _, _) = told(&error(json!({ "weight": "payment" })));
    assert_eq!(code, Code::ColumnType);
    let (code, message, _) = told(&error(json!({ "find_slices": { "columns": ["nothing"] } })));
    assert_eq!(code, Code::ColumnNotFound, "{message}");

    let constant = world.package("constant", 20.0, 2.0, &["fare"], "tips >= 0");
    let (code, message, _) = told(&world.run_on(&json!({}), &constant, None, 1).unwrap_err());
    assert_eq!(code, Code::LabelConstant);
    assert_eq!(message, "label `big_tip` is 1 in every row of split `eval`");
    let unlabelled = world.package("unlabelled", 20.0, 2.0, &["fare"], "payment = 'Card'");
    let (code, message, _) = told(&world.run_on(&json!({}), &unlabelled, None, 1).unwrap_err());
    assert_eq!(code, Code::LabelMissing, "{message}");
}

#[test]
fn rows_are_counted_by_the_threshold_that_the_model_has_from_its_training() {
    let world = World::new();
    let with_threshold = |name: &str, threshold: Option<f64>| {
        let package = world.package(name, 20.0, 2.0, &["fare", "hour"], LABEL);
        let file = package.join("model.json");
        let mut manifest: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        if let Some(threshold) = threshold {
            manifest["decision_threshold"] = json!(threshold);
        }
        fs::write(file, manifest.to_string()).unwrap();
        package
    };
    // Predictions are 0.12 and 0.88: above 0.05 every row is called positive, above 0.95 none.
    let (plain, eager, shy) =
        (with_threshold("plain", None), with_threshold("eager", Some(0.05)), with_threshold("shy", Some(0.95)));
    let judged = |params: Value, model: &Path, baseline: Option<&Path>| {
        let (_, out) = world.run_on(&params, model, baseline, 1).unwrap();
        Evaluation::read(&out.join("evaluation")).unwrap()
    };
    let rate = |evaluation: &Evaluation| evaluation.overall().unwrap().metrics.get(Metric::PositiveRate).unwrap();
    let of_baseline = |evaluation: &Evaluation| {
        evaluation.overall().unwrap().baseline.as_ref().unwrap().get(Metric::PositiveRate).unwrap()
    };
    let found = judged(json!({}), &eager, Some(&shy));
    assert_eq!((found.decision_threshold, found.baseline_decision_threshold), (Some(0.05), Some(0.95)));
    assert_eq!((rate(&found), of_baseline(&found)), (1.0, 0.0));
    let found = judged(json!({}), &plain, Some(&plain));
    assert_eq!((found.decision_threshold, found.baseline_decision_threshold), (Some(0.5), None));
    // What the step says counts for both.
    let found = judged(json!({ "decision_threshold": 0.9 }), &eager, Some(&shy));
    assert_eq!((found.decision_threshold, found.baseline_decision_threshold), (Some(0.9), None));
    assert_eq!((rate(&found), of_baseline(&found)), (0.0, 0.0));
}

/// The model calls trips up to a fare of 20 tipped, and looks at nothing else.
#[test]
fn behaviour_is_tested_on_rows_and_failures_name_them() {
    let world = World::new();
    let judge = |tests: Value| {
        let params = json!({ "behaviour": tests, "thresholds": { "auc": ">= 0.5" } });
        let (outcome, out) = world.run_on(&params, &world.good(), None, 2).unwrap();
        (outcome, Evaluation::read(&out.join("evaluation")).unwrap(), Blessing::read(&out.join("blessing")).unwrap())
    };
    let (_, evaluation, blessing) = judge(json!([
        { "name": "the hour does not matter", "change": { "hour": "(hour + 5) % 24" }, "expect": "same" },
        { "name": "dearer trips are not tipped more", "change": { "fare": "fare * 2" }, "expect": "not_higher" },
        { "name": "cheap trips are tipped", "where": "fare < 10", "at_least": 0.8, "rows": 50 },
    ]));
    assert!(blessing.blessed, "{blessing:?}");
    let counts: Vec<(u64, u64)> = evaluation.behaviour.iter().map(|result| (result.rows, result.passed)).collect();
    assert_eq!(counts, [(1_000, 1_000), (1_000, 1_000), (50, 50)]);

    let (outcome, evaluation, blessing) = judge(json!([
        { "name": "the fare does not matter", "where": "fare <= 20 and payment = 'Cash'", "change": { "fare": "fare + 10" },
          "expect": "same", "tolerance": 0.1, "pass": 0.9 },
    ]));
    assert_eq!((blessing.verdict, outcome.verdict.passed()), (BlessingVerdict::NotBlessed, false));
    let result = &evaluation.behaviour[0];
    assert!(result.rows > 100 && result.passed < result.rows && !result.failures.is_empty());
    let first = &result.failures[0];
    assert_eq!((first.before.as_str(), first.after.as_str()), ("0.8808", "0.1192"));
    assert!(first.changed[0].starts_with("fare ") && first.changed[0].contains(" → "), "{first:?}");
    let reason = &blessing.reasons[0];
    assert!(reason.starts_with("behaviour `the fare does not matter` holds for "), "{reason}");
    assert!(reason.contains(&format!("row {}: 0.8808 → 0.1192 (fare ", first.row)), "{reason}");

    // Tests alone are something to judge a model by.
    let tests = json!({ "behaviour": [{ "name": "x", "change": { "hour": "0" }, "expect": "same" }] });
    let (_, out) = world.run_on(&tests, &world.good(), None, 2).unwrap();
    assert_eq!(Blessing::read(&out.join("blessing")).unwrap().verdict, BlessingVerdict::BlessedFirst);
    for (test, says) in [
        (json!({ "name": "x", "change": { "fair": "1" }, "expect": "same" }), "names the column `fair`"),
        (json!({ "name": "x", "where": "fare + 1", "at_least": 0 }), "neither true nor false"),
        (json!({ "name": "x", "where": "fare > 1e9", "at_least": 0 }), ""),
        (json!({ "name": "x", "output": "a", "at_least": 0 }), "the model has one number"),
    ] {
        let found = world.run_on(&json!({ "behaviour": [test] }), &world.good(), None, 2);
        match found {
            Err(error) => assert!(error.to_string().contains(says), "{error}"),
            Ok((outcome, _)) => assert!(!outcome.verdict.passed() && says.is_empty(), "{outcome:?}"),
        }
    }
}

#[test]
fn importance_and_curves_are_those_of_the_one_column_that_counts() {
    let world = World::new();
    let (_, out) = world.run_on(&json!({ "explain": true }), &world.good(), None, 2).unwrap();
    let effects = Evaluation::read(&out.join("evaluation")).unwrap().effects.unwrap();
    let [fare, hour] = effects.inputs.as_slice() else { panic!("{effects:?}") };
    assert_eq!((fare.column.as_str(), hour.column.as_str(), hour.importance), ("fare", "hour", 0.0));
    // Shuffled, the fare says nothing: what is left is chance, 0.5.
    assert!((fare.importance - (effects.value - 0.5)).abs() < 0.03, "{fare:?}");
    let curve = fare.curve.as_ref().unwrap();
    let (low, high) = (0.880_797_077_977_882_4, 0.119_202_922_022_117_57);
    let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
    assert!(close(curve.partial[0], low) && close(curve.partial[curve.partial.len() - 1], high), "{curve:?}");
    let step = curve.accumulated[0] - curve.accumulated[curve.accumulated.len() - 1];
    assert!((step - (low - high)).abs() < 1e-9, "{step}");
    let same = |row: &Vec<f64>| row.iter().zip(&curve.partial).all(|(a, b)| close(*a, *b));
    assert!(curve.individual.len() >= 20 && curve.individual.iter().all(same));
    let flat = hour.curve.as_ref().unwrap();
    assert!(flat.partial.windows(2).all(|pair| pair[0] == pair[1]), "{flat:?}");
}

#[test]
fn likely_mistakes_are_reported_with_every_evaluation() {
    // Each row is there four times, so that most of those judged were learned from, and `weight` holds the answer.
    let mut csv = String::from("fare,hour,payment,tips,weight\n");
    for i in 0..3_000_u32 {
        let row = i / 4;
        let tips = if row * 7 % 10 < 5 { 0.0 } else { 1.0 + f64::from(row % 9) };
        writeln!(csv, "{}.5,{},Card,{tips},{tips}", row % 700, row % 24).unwrap();
    }
    let world = World::of(&csv);
    let leaky = world.package("leaky", 20.0, 2.0, &["fare", "weight"], LABEL);
    let (outcome, out) = world.run_on(&json!({}), &leaky, None, 2).unwrap();
    let found = Evaluation::read(&out.join("evaluation")).unwrap().suspicions.unwrap();
    assert_eq!((found.telling.len(), found.telling[0].column.as_str(), found.telling[0].value), (1, "weight", 1.0));
    assert!(outcome.warnings.iter().any(|warning| warning.contains("column `weight` alone tells the label (auc 1)")));
    assert_eq!(found.shared[0].split, "train");
    // Rows that repeat are kept in one split by their hash, so none is shared unless splits are drawn another way.
    let shared = outcome.warnings.iter().any(|warning| warning.contains("are in `train` too"));
    assert_eq!(shared, found.shared[0].found * 100 >= found.shared[0].looked_for);
}
