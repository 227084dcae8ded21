//! What people write when they know other libraries: each is understood, or answered with the line to write.

use crate::support::Sandbox;

/// The pipeline of the tests; each test changes some of it.
struct File {
    name: &'static str,
    examples: &'static str,
    label: &'static str,
    features: &'static str,
    train: &'static str,
    evaluate: &'static str,
}

const FINE: File = File {
    name: "demo",
    examples: "source: { csv: data.csv }, splits: { train: 3, eval: 1 }",
    label: "{ column: sick }",
    features: "auto",
    train: "learner: { gradient_boosting: { rounds: 5 } }",
    evaluate: "thresholds: { auc: { at_least: 0.6 } }",
};

impl File {
    fn text(&self) -> String {
        format!(
            "version: 1\npipeline: {}\nsteps:\n  examples: {{ component: ExampleGen, {} }}\n  transform:\n    component: \
             Transform\n    label: {}\n    features: {}\n  train: {{ component: Trainer, {} }}\n  evaluate: {{ component: \
             Evaluator, {} }}\n  push: {{ component: Pusher, model: demo }}\n",
            self.name, self.examples, self.label, self.features, self.train, self.evaluate
        )
    }
}

fn data() -> String {
    let row = |i: u32| {
        let sick = (i * 37 % 100) > 55;
        let size = f64::from(i * 37 % 100) / 10.0 + f64::from(i % 7) / 5.0;
        format!(
            "{size:.2},{},{},{},{}\n",
            ["NO", "SE", "DK"][(i % 3) as usize],
            i % 2,
            f64::from(i % 9) * 1.5,
            if sick { "yes" } else { "no" }
        )
    };
    format!("mean size,country,y,dose,sick\n{}", (0..400).map(row).collect::<String>())
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::empty();
    sandbox.write("data.csv", data());
    sandbox
}

#[test]
fn short_forms_are_understood() {
    let sandbox = sandbox();
    for (what, file) in [
        ("fractions", File { examples: "source: { csv: data.csv }, splits: { train: 0.75, eval: 0.25 }", ..FINE }),
        ("a ratio", File { examples: "source: { csv: data.csv }, splits: 75/25", ..FINE }),
        ("a learner by name", File { train: "learner: gradient_boosting", ..FINE }),
        ("a label by name", File { label: "sick", ..FINE }),
        ("features by name", File { features: "[mean size, country]", ..FINE }),
        ("a bound in a text", File { evaluate: "thresholds: { auc: \">= 0.6\", log_loss: \"<= 2\" }", ..FINE }),
        ("a strict bound", File { evaluate: "thresholds: { auc: \"> 0.6, >= baseline - 0.1\" }", ..FINE }),
        (
            "LightGBM's names",
            File { train: "learner: { gradient_boosting: { num_iterations: 5, num_leaves: 4 } }", ..FINE },
        ),
        ("a column called y", File { label: "{ column: y }", evaluate: "{}", ..FINE }),
        ("a pipeline called y", File { name: "y", ..FINE }),
        ("Norway", File { features: "{ country: { vocabulary: { values: [NO, SE, DK] } } }", evaluate: "{}", ..FINE }),
    ] {
        let text = file.text().replace("Evaluator, {} }", "Evaluator }");
        sandbox.write("pipeline.yaml", &text);
        let checked = sandbox.tidemill(&["check"]);
        assert_eq!(checked.code, 0, "{what}: {checked}");
    }
    // And they mean what they say.
    let file = File {
        examples: "source: { csv: data.csv }, splits: 0.75/0.25, where: \"country IN ('NO', 'SE')\"",
        label: "sick",
        features: "{ country: { vocabulary: { values: [NO, SE] } }, mean size: numeric }",
        evaluate: "thresholds: { auc: \">= 0.6\" }",
        ..FINE
    };
    sandbox.write("pipeline.yaml", file.text());
    let run = sandbox.tidemill(&["run"]);
    assert_eq!(run.code, 0, "{run}");
    assert!(run.stderr.contains("267 rows in 2 splits, 133 rows left out by `where`"), "{run}");
}

#[test]
fn other_names_are_answered_with_ours() {
    let sandbox = sandbox();
    let with_learner = |text: &'static str| File { train: text, ..FINE };
    let with_bounds = |text: &'static str| File { evaluate: text, ..FINE };
    for (file, answers) in [
        (
            with_learner("learner: { LGBMClassifier: { num_leaves: 3 } }"),
            &["`LGBMClassifier` is no learner", "write `lightgbm`"][..],
        ),
        (with_learner("learner: LogisticRegression"), &["write `linear`"]),
        (with_learner("learner: { RandomForestClassifier: {} }"), &["write `random_forest`"]),
        (with_learner("learner: { random_forest: { mtry: 3 } }"), &["write `features_per_split`"]),
        (with_learner("learner: MLPClassifier"), &["write `mlp`"]),
        (
            with_learner("learner: { lightgbm: { num_leavs: 3, device: gpu } }"),
            &["`num_leaves`", "cannot be done here"],
        ),
        (with_learner("learner: sklearn"), &["write `command: { run: [python, train.py] }`"]),
        (with_learner("learner: linear, splits: { eval: eval }"), &["rows for early stopping are kept aside"]),
        (
            with_learner(
                "learner: { gradient_boosting: { n_estimators: 100, max_depth: six, subsample: 0.8, eta: 0.1, colsample_bytree: 0.5 } }",
            ),
            &[
                "write `rounds`",
                "a whole number",
                "write `bagging_fraction`",
                "write `learning_rate`",
                "write `feature_fraction`",
                "5 errors",
            ],
        ),
        (with_learner("learner: { linear: { C: 1, max_iter: 5 } }"), &["it is 1 / `C`", "write `max_iterations`"]),
        (with_learner("learner: gradient_boosting, task: regresion"), &["did you mean `regression`?"]),
        (
            with_bounds("thresholds: { rmse: 70, r2: \"best\", roc_auc: { at_least: 0.8 }, accuracy: { min: 0.5 } }"),
            &[
                "write `rmse: { at_most: 70 }`",
                "`best` is no bound on `r2`",
                "the area under the ROC curve is `auc`",
                "write `at_least`",
            ],
        ),
        (File { features: "all", ..FINE }, &["write `features: auto`"]),
        (File { features: "{ \"mean size\": StandardScaler }", ..FINE }, &["z_score"]),
        (
            File { label: "{ name: x, expression: \"mean size * 2 > 3\" }", ..FINE },
            &["in double quotes: `\"mean size\"`"],
        ),
        (
            File { examples: "source: { csv: data.csv }, splits: { train: 0.8, eval: none }", ..FINE },
            &["a share, such as 2 or 0.8"],
        ),
        (File { examples: "source: { csv: data.csv }, where: \"dose >\"", ..FINE }, &["SQL"]),
        (
            File { examples: "source: { csv: data.csv }, split_by: [y], split_by_time: dose", ..FINE },
            &["exclude each other"],
        ),
        // What one step needs of another.
        (
            File { examples: "source: { csv: data.csv }, splits: { train: 80, test: 20 }", ..FINE },
            &[
                "there is no split `eval`: each split of step `examples` is `train`, `test`",
                "name the split to judge on",
            ],
        ),
        (
            File { train: "learner: gradient_boosting, task: regression", ..FINE },
            &[
                "`auc` is a metric of binary, multi_class and multi_label models: the task of step `train` is `regression`",
            ],
        ),
        (
            File {
                label: "{ name: big, expression: \"dose > 3\" }",
                evaluate: "thresholds: { rmse: { at_most: 3 } }",
                ..FINE
            },
            &["`rmse` is a metric of", "the task of step `transform` is `binary`"],
        ),
        (
            File { train: "learner: gradient_boosting, validation: eval", ..FINE },
            &[
                "the model is judged on the split `eval`, which it is made from: the training data of step `train` is `train`, `eval`",
            ],
        ),
    ] {
        sandbox.write("pipeline.yaml", file.text());
        let checked = sandbox.tidemill(&["check"]);
        assert_eq!(checked.code, 2, "{checked}");
        let said = checked.stderr.split_whitespace().collect::<Vec<_>>().join(" ").replace("│ ", "");
        for answer in answers {
            assert!(said.contains(answer), "{answer}: {checked}");
        }
        for words in ["variant", "newtype", "struct", "u32"] {
            assert!(!said.contains(words) || said.contains("unknown variant"), "{words}: {checked}");
        }
    }
}

#[test]
fn conditions_are_checked_against_the_data() {
    let sandbox = sandbox();
    for (condition, said) in [
        ("doze > 1", "doze"),
        ("dose + 1", "not true or false"),
        ("dose > 1000", "none of 400 rows meets the condition"),
    ] {
        let examples = format!("source: {{ csv: data.csv }}, where: {condition:?}");
        let text = FINE.text().replace(FINE.examples, &examples);
        sandbox.write("pipeline.yaml", text);
        let run = sandbox.tidemill(&["run"]);
        assert_eq!(run.code, 2, "{run}");
        assert!(run.stdout.contains(said), "{said}: {run}");
    }
}
