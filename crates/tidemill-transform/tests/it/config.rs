//! What the pipeline file may say, and how mistakes are shown.

use serde_json::{Value, json};
use tidemill_core::{Component as _, ParamIssue};
use tidemill_model::{Mapper, Scalar, Source, steps as fitted};
use tidemill_transform::steps::{Bucketize, ClipQuantiles, Impute, MinMax, Vocabulary, ZScore};
use tidemill_transform::{Step, Transform, TransformConfig};

fn with_features(features: Value) -> Value {
    json!({ "label": { "name": "big_tip", "expression": "tips > fare * 0.2" }, "features": features })
}

fn steps(value: Value) -> Vec<Step> {
    let config = TransformConfig::from_params(&with_features(json!({ "x": value.clone() })));
    config.unwrap_or_else(|issues| panic!("{value}: {issues:?}")).features.remove(0).steps
}

fn issues(params: &Value) -> Vec<(String, String, Option<String>)> {
    let shown = |issue: ParamIssue| (issue.path.join("."), issue.message, issue.hint);
    Transform::default().check(params).into_iter().map(shown).collect()
}

fn issue(value: Value) -> (String, String, Option<String>) {
    let mut found = issues(&with_features(json!({ "x": value.clone() })));
    assert_eq!(found.len(), 1, "{value}: {found:?}");
    found.remove(0)
}

#[test]
fn the_example_of_the_guide_is_read_in_the_order_of_the_file() {
    let config = TransformConfig::from_params(&with_features(json!({
        "trip_miles": "z_score",
        "trip_seconds": [{ "impute": "median" }, "z_score"],
        "pickup_latitude": { "bucketize": 10 },
        "company": { "vocabulary": { "top_k": 1000, "oov_buckets": 10 } },
        "trip_start_hour": "categorical",
        "miles_bucket": { "from": "trip_miles", "steps": { "bucketize": 5 } },
        "again": { "from": "trip_miles" },
    })))
    .unwrap();
    let names: Vec<&str> = config.features.iter().map(|feature| feature.name.as_str()).collect();
    let expected =
        ["trip_miles", "trip_seconds", "pickup_latitude", "company", "trip_start_hour", "miles_bucket", "again"];
    assert_eq!(names, expected);
    assert_eq!(config.features[1].steps, [Step::Impute(Impute::Median), Step::ZScore(ZScore::default())]);
    assert_eq!(
        (&config.features[5].source, &config.features[5].steps[..]),
        (&Source::Column("trip_miles".into()), &[Step::Bucketize(Bucketize { buckets: 5, per: None })][..])
    );
    assert_eq!(config.features[6].steps, [Step::Numeric]);
    assert_eq!(config.label.name, "big_tip");
}

#[test]
fn every_step_has_its_forms() {
    assert_eq!(steps(json!("identity")), [Step::Numeric]);
    assert_eq!(steps(json!({ "z_score": null })), [Step::ZScore(ZScore::default())]);
    assert_eq!(steps(json!({ "log1p": {} })), [Step::Fixed(Mapper::Log1p)]);
    let min_max = |output_min| Step::MinMax(MinMax { output_min, output_max: 1.0, per: None });
    assert_eq!(steps(json!("min_max")), [min_max(0.0)]);
    let from_minus_one = json!({ "min_max": { "output_min": -1 } });
    assert_eq!(steps(from_minus_one), [min_max(-1.0)]);
    assert_eq!(
        steps(json!({ "bucketize": { "boundaries": [1, 2.5] } })),
        [Step::Fixed(fitted::Bucketize { boundaries: vec![1.0, 2.5] }.into())]
    );
    assert_eq!(
        steps(json!({ "clip": { "quantiles": [0.01, 0.99] } })),
        [Step::ClipQuantiles(ClipQuantiles { low: 0.01, high: 0.99 })]
    );
    assert_eq!(
        steps(json!({ "clip": { "max": 3 } })),
        [Step::Fixed(fitted::Clip { min: None, max: Some(3.0) }.into())]
    );
    assert_eq!(steps(json!("vocabulary")), [Step::Vocabulary(Vocabulary::default())]);
    let impute = |value| Step::Impute(Impute::Constant(value));
    assert_eq!(steps(json!({ "impute": 0 })), [impute(Scalar::Int(0))]);
    assert_eq!(steps(json!({ "impute": { "value": 0.5 } })), [impute(Scalar::Float(0.5))]);
    let text = json!([{ "impute": { "value": "none" } }, "vocabulary"]);
    assert_eq!(steps(text)[0], impute(Scalar::Text("none".into())));
    assert_eq!(
        steps(json!([{ "bucketize": 4 }, "categorical"])),
        [Step::Bucketize(Bucketize { buckets: 4, per: None }), Step::Categorical]
    );
}

#[test]
fn a_label_may_be_a_column() {
    let params = json!({ "label": { "column": "the tips" }, "features": { "fare": "numeric" } });
    let label = TransformConfig::from_params(&params).unwrap().label;
    assert_eq!((label.name.as_str(), label.expression.as_str()), ("the tips", "\"the tips\""));
}

#[test]
fn mistakes_in_steps_are_shown_at_their_place() {
    let shown =
        |path: &str, message: &str, hint: Option<&str>| (path.to_owned(), message.to_owned(), hint.map(str::to_owned));
    for (value, expected) in [
        (json!("zscore"), shown("features.x", "`zscore` is not a step", Some("did you mean `z_score`?"))),
        (
            json!(["log", { "bucketise": 3 }]),
            shown("features.x.1", "`bucketise` is not a step", Some("did you mean `bucketize`?")),
        ),
        (
            json!([]),
            shown("features.x", "the list of steps is empty", Some("write `numeric` to take the column as it is")),
        ),
        (
            json!({ "impute": "medain" }),
            shown(
                "features.x.impute",
                "`medain` is not a way to impute: mean, median, most_frequent or { value: … }",
                Some("did you mean `median`?"),
            ),
        ),
        (
            json!({ "bucketize": 1 }),
            shown("features.x.bucketize", "the number of buckets is from 2 to 65536, not 1", None),
        ),
        (
            json!({ "bucketize": { "boundaries": [2, 1] } }),
            shown("features.x.bucketize", "`boundaries` are not strictly ascending", None),
        ),
        (
            json!({ "vocabulary": { "topk": 3 } }),
            shown("features.x.vocabulary.topk", "unknown field `topk`", Some("did you mean `top_k`?")),
        ),
        (json!({ "vocabulary": { "top_k": 0 } }), shown("features.x.vocabulary.top_k", "`top_k` is at least 1", None)),
        (
            json!({ "z_score": 3 }),
            shown("features.x.z_score", "`z_score` takes no argument but `{ per: COLUMN }`", None),
        ),
        (json!({ "clip": {} }), shown("features.x.clip", "`clip` needs `min`, `max`, `quantiles` or `tukey`", None)),
        (
            json!({ "clip": { "quantiles": [0.9, 0.1] } }),
            shown("features.x.clip.quantiles", "`quantiles` are two ascending shares from 0 to 1", None),
        ),
        (
            json!({ "impute": 0, "log": null }),
            shown(
                "features.x",
                "a step has one name; write several steps as a list: `[ { impute: median }, z_score ]`",
                None,
            ),
        ),
        (
            json!({ "from": "y", "stepps": "log" }),
            shown("features.x.stepps", "unknown field `stepps`", Some("did you mean `steps`?")),
        ),
        (
            json!({ "from": "y", "steps": ["log", "z_scor"] }),
            shown("features.x.steps.1", "`z_scor` is not a step", Some("did you mean `z_score`?")),
        ),
        (
            json!(["vocabulary", "z_score"]),
            shown("features.x", "the steps do not fit together: `z_score` does not apply to codes", None),
        ),
    ] {
        let found = issue(value);
        // The wording of unknown keys is the core's.
        assert_eq!((&found.0, &found.2), (&expected.0, &expected.2));
        assert!(found.1.starts_with(&expected.1), "{found:?} is not {expected:?}");
    }
}

#[test]
fn leaks_and_bad_labels_are_shown_all_at_once() {
    let found = issues(&with_features(
        json!({ "fare": "z_score", "tip": { "from": "tips", "steps": "log" }, "big_tip": "numeric", "miles": "z_scor" }),
    ));
    let paths: Vec<&str> = found.iter().map(|(path, _, _)| path.as_str()).collect();
    assert_eq!(paths, ["features.tip", "features.big_tip", "features.miles"]);
    assert_eq!(found[0].1, "column `tips` would leak the label: `big_tip` is about it");
    assert_eq!(found[1].1, "the label `big_tip` cannot be a feature");

    let bad = json!({ "label": { "name": "y", "expression": "tips >" }, "features": {} });
    let found = issues(&bad);
    assert_eq!(found[0].0, "label.expression");
    assert_eq!(found[0].1, "a value is expected, not the end of the expression at column 7 of `tips >`");
    assert_eq!(found[1].0, "features");
    let unknown = json!({ "label": { "nam": "y" }, "features": {} });
    assert_eq!(issues(&unknown)[0].0, "label.nam");
    let neither = json!({ "label": { "name": "y" }, "features": { "x": "log" } });
    assert_eq!(issues(&neither)[0].1, "a label needs an `expression` or a `column`");
    assert_eq!(issues(&json!({ "features": {} }))[0].1, "missing field `label`");
}

#[test]
fn the_json_schema_knows_every_step() {
    let schema = serde_json::to_string(&Transform::default().params_schema()).unwrap();
    for name in [
        "numeric",
        "identity",
        "impute",
        "z_score",
        "min_max",
        "bucketize",
        "vocabulary",
        "categorical",
        "log1p",
        "clip",
        "from",
        "steps",
        "expression",
    ] {
        assert!(schema.contains(&format!("\"{name}\"")), "{name}");
    }
}

#[test]
fn a_vocabulary_may_be_given() {
    use tidemill_model::Keys;
    let texts = Keys::Strings(vec!["b".to_owned(), "a".to_owned()]);
    let given = Mapper::Vocabulary(fitted::Vocabulary { values: texts, oov_buckets: 2 });
    assert_eq!(steps(json!({ "vocabulary": { "values": ["b", "a"], "oov_buckets": 2 } })), [Step::Fixed(given)]);
    let given = Mapper::Vocabulary(fitted::Vocabulary { values: Keys::Integers(vec![3, 1]), oov_buckets: 0 });
    assert_eq!(steps(json!([{ "vocabulary": { "values": [3, 1] } }, "one_hot"]))[0], Step::Fixed(given));
    for (wrong, place, message) in [
        (json!({ "values": [] }), "features.x.vocabulary.values", "the list of values is empty"),
        (json!({ "values": ["a", "b", "a"] }), "features.x.vocabulary.values.2", "`a` stands here twice"),
        (json!({ "values": ["a", 1] }), "features.x.vocabulary.values", "values are all text or all whole numbers"),
        (json!({ "values": [0.5] }), "features.x.vocabulary.values", "values are all text or all whole numbers"),
        (
            json!({ "values": ["a"], "top_k": 3 }),
            "features.x.vocabulary.top_k",
            "`top_k` has no meaning with `values`, which leave nothing to choose",
        ),
    ] {
        let (found, said, _) = issue(json!({ "vocabulary": wrong.clone() }));
        assert_eq!((found.as_str(), said.as_str()), (place, message), "{wrong}");
    }
    let (place, _, hint) = issue(json!({ "one_hot": { "values": ["a"] } }));
    assert_eq!(place, "features.x.one_hot.values");
    assert!(hint.is_some_and(|hint| hint.contains("vocabulary: { values")));
}

#[test]
fn names_of_other_programs_are_answered_with_ours() {
    for (name, ours) in [
        ("StandardScaler", "`z_score`"),
        ("standard_scaler", "`z_score`"),
        ("MinMaxScaler", "`min_max`"),
        ("OneHotEncoder", "`one_hot`"),
        ("get_dummies", "`one_hot`"),
        ("OrdinalEncoder", "`vocabulary`"),
        ("SimpleImputer", "`{ impute: median }`"),
        ("fillna", "`{ impute: median }`"),
        ("KBinsDiscretizer", "`{ bucketize: 10 }`"),
        ("normalize", "`z_score`"),
    ] {
        let (place, message, hint) = issue(json!(name));
        assert_eq!((place.as_str(), message), ("features.x", format!("`{name}` is not a step")));
        assert!(hint.as_ref().is_some_and(|hint| hint.contains(ours)), "{name}: {hint:?}");
        let (place, ..) = issue(json!({ name: { "strategy": "mean" } }));
        assert_eq!(place, "features.x");
    }
}

#[test]
fn short_forms_are_understood_or_answered() {
    let config = TransformConfig::from_params(&json!({ "label": "target", "features": "auto" })).unwrap();
    assert_eq!((config.label.name.as_str(), config.label.expression.as_str()), ("target", "\"target\""));
    assert!(config.features.is_empty());
    for (features, message, hint) in [
        (json!("all"), "`all` is not a way to choose features", "features: auto"),
        (json!("*"), "`*` is not a way to choose features", "features: auto"),
        (json!("fare"), "`fare` is text where a mapping of features is expected", "{ fare: numeric }"),
        (json!(3), "features are a mapping from names to steps, or `auto`", "features: auto"),
        (json!([]), "features are a mapping from names to steps, or `auto`", "features: auto"),
    ] {
        let found = issues(&with_features(features.clone()));
        assert_eq!(found.len(), 1, "{features}: {found:?}");
        let (place, said, advice) = &found[0];
        assert_eq!((place.as_str(), said.as_str()), ("features", message));
        assert!(advice.as_ref().is_some_and(|advice| advice.contains(hint)), "{advice:?}");
    }
    let wrong = json!({ "auto": { "excpt": ["a"], "numeric": "z_scor" }, "mean *": ["log", "lg"], "x*": "log" });
    let found = issues(&with_features(wrong));
    let places: Vec<&str> = found.iter().map(|(place, ..)| place.as_str()).collect();
    assert_eq!(places, ["features.auto.excpt", "features.mean *.1"]);
    // A column called `auto` is a feature like any other.
    let config = TransformConfig::from_params(&with_features(json!({ "auto": "z_score" }))).unwrap();
    assert_eq!(config.features[0].name, "auto");
}

#[test]
fn names_of_several_words_stand_in_double_quotes() {
    let (place, message, hint) = issue(json!({ "expression": "mean area * 2" }));
    assert_eq!(
        (place.as_str(), message.contains("an operator is expected, not `area`")),
        ("features.x.expression", true)
    );
    assert_eq!(hint.as_deref(), Some("write a name of several words in double quotes: `\"mean area\"`"));
    let (.., hint) = issue(json!({ "expression": "sqrt(worst texture error) + 1" }));
    assert!(hint.is_some_and(|hint| hint.contains("`\"worst texture error\"`")));
    let (.., hint) = issue(json!({ "expression": "a > > 3" }));
    assert_eq!(hint, None);
}
