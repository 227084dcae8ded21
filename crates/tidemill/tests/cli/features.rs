//! Feature sets: kept, used by two models, found again from both sides.

use std::fs;

use serde_json::Value;

use crate::support::{Sandbox, golden};

const DRAFT: &str = "\
# What every model of rides starts from.
description: What is known of a ride before its tip
features:
  trip_miles:      z_score
  fare:            [ { clip: { min: 0, max: 500 } }, z_score ]
  payment_type:    { vocabulary: { top_k: 1000, oov_buckets: 10 } }   # few
  trip_start_hour: categorical
";

/// A pipeline over the taxi project's data that ends in a registered model.
fn pipeline(name: &str, label: &str, features: &str) -> String {
    format!(
        "version: 1
pipeline: {name}
steps:
  examples: {{ component: ExampleGen, source: {{ csv: data/trips.csv }}, splits: {{ train: 2, eval: 1 }} }}
  transform:
    component: Transform
    label: {label}
{features}
  train: {{ component: Trainer, learner: {{ gradient_boosting: {{ rounds: 5 }} }} }}
  push: {{ component: Pusher, model: {name}, alias: champion }}
"
    )
}

const TIP: &str = "{ name: big_tip, expression: \"tips > fare * 0.2\" }";

/// A project with `taxi_features@1` and `taxi_features@2` and nothing run.
fn project() -> Sandbox {
    let sandbox = Sandbox::taxi(900);
    sandbox.write("features/taxi_features.yaml", DRAFT);
    golden("features-add", sandbox.tidemill(&["features", "add", "features/taxi_features.yaml"]));
    sandbox.edit("features/taxi_features.yaml", "  trip_start_hour: categorical\n", "");
    sandbox.edit("features/taxi_features.yaml", "trip_miles:      z_score", "trip_miles:      [ log1p, z_score ]");
    let cycle = "  hour: { from: trip_start_hour, steps: { cyclic: 24 } }\n";
    sandbox.write("features/taxi_features.yaml", sandbox.read("features/taxi_features.yaml") + cycle);
    golden("features-add-second", sandbox.tidemill(&["features", "add", "features/taxi_features.yaml"]));
    sandbox
}

#[test]
fn a_version_is_its_content_and_keeps_what_the_author_wrote() {
    let sandbox = project();
    golden("features-kept", sandbox.read("features/taxi_features@1.yaml"));
    // Written in another way the features are the same, and so is the version; in another order they are not.
    let first = sandbox.read("features/taxi_features@1.yaml");
    let body = "features: { trip_miles: z_score, fare: [ { clip: { min: 0, max: 500 } }, z_score ], \
                payment_type: { vocabulary: { top_k: 1000, oov_buckets: 10 } }, trip_start_hour: categorical }\n";
    sandbox.write("again.yaml", body);
    golden("features-add-again", sandbox.tidemill(&["features", "add", "again.yaml", "--name", "taxi_features"]));
    sandbox.write("again.yaml", "features: { b: { from: fare }, a: { from: fare } }\n");
    assert_eq!(sandbox.json(&["features", "add", "again.yaml"])["version"], 1);
    sandbox.write("again.yaml", "features: { a: { from: fare }, b: { from: fare } }\n");
    assert_eq!(sandbox.json(&["features", "add", "again.yaml"])["version"], 2);
    golden("features-diff-order", sandbox.tidemill(&["features", "diff", "again@1"]));
    assert_eq!(sandbox.read("features/taxi_features@1.yaml"), first, "a version never changes");
    // A kept version, copied and edited, is the draft of the next.
    sandbox.write("copy.yaml", first.replace("trip_miles:      z_score", "trip_miles:      log1p"));
    let added = sandbox.json(&["features", "add", "copy.yaml"]);
    assert_eq!((&added["name"], &added["version"]), (&Value::from("taxi_features"), &Value::from(3)), "{added}");
    golden("features-diff", sandbox.tidemill(&["features", "diff", "taxi_features@1", "taxi_features@2"]));
    golden("features-list", sandbox.tidemill(&["features", "list"]));
    let drafts = fs::read_dir(sandbox.path("features")).expect("a folder").flatten();
    assert!(drafts.into_iter().all(|entry| !entry.file_name().to_string_lossy().contains("draft")));
}

#[test]
fn two_models_use_a_version_and_lineage_shows_it_from_both_sides() {
    let sandbox = project();
    let own = "    use: taxi_features@2\n    features: { trip_seconds: [ { impute: median }, z_score ] }";
    sandbox.write("tips.yaml", pipeline("tips", TIP, own));
    sandbox.write(
        "fares.yaml",
        pipeline("fares", "{ column: fare }", "    use: [ { set: taxi_features@2, without: [fare] } ]"),
    );
    golden("features-plan", sandbox.tidemill(&["plan", "tips.yaml"]));
    golden("features-run", sandbox.tidemill(&["run", "tips.yaml"]));
    let run = sandbox.tidemill(&["run", "fares.yaml", "-q"]);
    assert_eq!(run.code, 0, "{run}");

    golden("features-lineage", sandbox.tidemill(&["lineage", "tips"]));
    golden("features-lineage-set", sandbox.tidemill(&["lineage", "taxi_features@2", "--hops", "1"]));
    golden("features-show", sandbox.tidemill(&["features", "show", "taxi_features"]));
    golden("features-show-first", sandbox.tidemill(&["features", "show", "taxi_features@1"]));
    golden("features-model-show", sandbox.tidemill(&["model", "show", "tips"]));
    golden("features-list-used", sandbox.tidemill(&["features", "list"]));
    let shown = sandbox.json(&["model", "show", "fares"]);
    let set = &shown["feature_sets"][0];
    assert_eq!((&set["name"], &set["version"]), (&Value::from("taxi_features"), &Value::from(2)), "{shown}");
    assert_eq!(set["features"], serde_json::json!(["trip_miles", "payment_type", "hour"]));
    let digest = sandbox.json(&["features", "show", "taxi_features@2"])["digest"].clone();
    assert_eq!(set["digest"], digest, "of the whole set, of which only a part is used");

    // The same again is cached; another version is not, and the plan says why.
    let again = sandbox.json(&["plan", "tips.yaml"]);
    assert!(again["steps"].as_array().expect("steps").iter().all(|step| step["action"] == "cached"), "{again:#}");
    sandbox.edit("tips.yaml", "taxi_features@2", "taxi_features@1");
    golden("features-plan-other", sandbox.tidemill(&["plan", "tips.yaml"]));
}

#[test]
fn the_same_features_give_the_same_model_wherever_they_stand() {
    let sandbox = project();
    let inline: Vec<String> = DRAFT.lines().skip(2).map(|line| format!("    {line}")).collect();
    sandbox.write("inline.yaml", pipeline("inline", TIP, &inline.join("\n")));
    sandbox.write(
        "used.yaml",
        pipeline("used", TIP, "    use: \"${params.set}\"")
            .replace("steps:", "params: { set: taxi_features@1 }\nsteps:"),
    );
    for file in ["inline.yaml", "used.yaml"] {
        let run = sandbox.tidemill(&["run", file, "-q"]);
        assert_eq!(run.code, 0, "{run}");
    }
    let predicted = |model: &str| {
        let out = sandbox.tidemill(&["predict", "data/trips.csv", "--model", model, "--keep", "fare"]);
        assert_eq!(out.code, 0, "{out}");
        out.stdout
    };
    assert_eq!(predicted("inline"), predicted("used"));
    // A version is a parameter like any other.
    let plan = sandbox.tidemill(&["plan", "used.yaml", "--param", "set=taxi_features@2"]);
    assert!(plan.stdout.contains("from taxi_features@2: `trip_miles`, `fare`, `payment_type`, `hour`"), "{plan}");
}

#[test]
fn what_is_wrong_is_told_at_its_place() {
    let sandbox = project();
    let check = |features: &str| {
        sandbox.write("tips.yaml", pipeline("tips", TIP, features));
        sandbox.tidemill(&["check", "tips.yaml"])
    };
    golden("features-unpinned", check("    use: taxi_features"));
    golden("features-unknown", check("    use: [ taxi_featurs@1, taxi_features@7 ]"));
    golden(
        "features-clash",
        check("    use: [ taxi_features@2 ]\n    features: { fare: numeric, tip: { from: tips } }"),
    );
    golden("features-no-feature", check("    use: { set: taxi_features@2, only: [fares, trip_miles] }"));
    golden("features-twice", check("    use: [ taxi_features@1, taxi_features@2 ]"));
    let label = "{ name: dear, expression: \"fare > 10\" }";
    sandbox.write("dear.yaml", pipeline("dear", label, "    use: taxi_features@2"));
    golden("features-leak", sandbox.tidemill(&["check", "dear.yaml"]));

    // Columns that the data lacks: by the plan, and by a run that did not ask for one.
    sandbox.write("tips.yaml", pipeline("tips", TIP, "    use: taxi_features@1"));
    sandbox.edit("data/trips.csv", "trip_miles", "miles");
    let run = sandbox.tidemill(&["run", "tips.yaml"]);
    assert_eq!(run.code, 2, "{run}");
    assert!(run.stdout.contains("tips.yaml:"), "{run}");
    assert!(run.stdout.contains("features/taxi_features@1.yaml:6:3"), "{run}");
    golden("features-plan-columns", sandbox.tidemill(&["plan", "tips.yaml"]));

    // A version that was altered is refused by whoever reads it.
    sandbox.edit("features/taxi_features@1.yaml", "categorical", "numeric");
    golden("features-altered", sandbox.tidemill(&["check", "tips.yaml"]));
    golden("features-altered-show", sandbox.tidemill(&["features", "show", "taxi_features@1"]));
    sandbox.write(
        "bad.yaml",
        "features:\n  fare: zscore\n  miles: { from: trip_miles, steps: [ one_hot, log ] }\nlabel: { column: a }\n",
    );
    golden("features-bad-draft", sandbox.tidemill(&["features", "add", "bad.yaml"]));
    assert!(!sandbox.path("features/bad@1.yaml").exists(), "nothing half-kept");
    golden("features-show-unknown", sandbox.tidemill(&["features", "show", "taxi_featurs"]));
}

#[test]
fn files_take_sets_too_and_a_setting_says_where_they_are() {
    let sandbox = project();
    fs::rename(sandbox.path("features"), sandbox.path("shared")).expect("a folder can be moved");
    sandbox.write("tidemill.toml", "features = \"shared\"\n");
    sandbox.write("features.yaml", format!("label: {TIP}\nuse: taxi_features@2\n"));
    let out = ["transform", "features.yaml", "data/trips.csv", "--out", "out.csv", "--save", "graph"];
    let made = sandbox.tidemill(&out);
    assert_eq!(made.code, 0, "{made}");
    assert!(sandbox.read("out.csv").starts_with("trip_miles,fare,payment_type,hour.sin,hour.cos\n"));
    assert!(sandbox.read("graph/transform.json").contains("taxi_features"));
}

#[test]
fn a_table_of_features_stands_apart_and_has_statistics_of_its_own() {
    let sandbox = Sandbox::taxi(900);
    let capped = "{ expression: \"least(trip_miles, p99)\", constants: { p99: { quantile: 0.99 } } }";
    let own = format!("    features: {{ fare: z_score, company: [ strip, target_encode ], capped: {capped} }}");
    sandbox.write("plain.yaml", pipeline("plain", TIP, &own));
    let steps = "  features: { component: FeatureGen, keep: [trip_miles] }
  feature_statistics: { component: StatisticsGen, inputs: { examples: features } }
  train:";
    sandbox.write("tips.yaml", pipeline("tips", TIP, &own).replace("  train:", steps));
    golden("feature-table-check", sandbox.tidemill(&["check", "tips.yaml"]));
    for file in ["plain.yaml", "tips.yaml"] {
        let run = sandbox.tidemill(&["run", file, "-q"]);
        assert_eq!(run.code, 0, "{run}");
    }
    let predicted = |model| sandbox.tidemill(&["predict", "data/trips.csv", "--model", model, "--keep", "fare"]).stdout;
    assert_eq!(predicted("plain"), predicted("tips"), "the learner reads the data, as it would without the table");
    // A row alone gets what it got among all, the fitted number included.
    let row = "{\"fare\": 9.5, \"trip_miles\": 1e6, \"company\": \"Blue\"}";
    let more = "{\"fare\": 9.5, \"trip_miles\": 1e9, \"company\": \"Blue\"}";
    let answers = sandbox.json(&["predict", "--model", "tips", "--row", row, "--row", more]);
    let of = |at: usize| answers[at]["probability"].clone();
    assert!(of(0) == of(1) && !of(0).is_null(), "beyond the cap all are alike: {answers:#}");
    let found = sandbox.json(&["artifacts", "--type", "Statistics"]);
    let digest = found[0]["artifact"]["digest"].as_str().expect("a digest").to_owned();
    let path = sandbox.json(&["artifacts", &digest])["path"].as_str().expect("a folder").to_owned();
    let text = fs::read_to_string(std::path::Path::new(&path).join("statistics.json")).expect("statistics");
    let statistics: Value = serde_json::from_str(&text).expect("JSON");
    let train = &statistics["splits"]["train"]["features"];
    let fare = train.as_array().expect("features").iter().find(|feature| feature["name"] == "fare").expect("the fare");
    let number = |key: &str| fare["numeric"][key].as_f64().unwrap_or_else(|| panic!("{key}: {fare:#}"));
    assert!(number("mean").abs() < 1e-12 && (number("std_dev") - 1.0).abs() < 1e-3, "{fare:#}");
}
