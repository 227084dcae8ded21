//! Validation: each anomaly by the data that shows it, the day after training, and the three components together.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use serde_json::{Value, json};
use tidemill_core::{
    Anomaly, AnomalyType, ArtifactType, CancelFlag, Component, ComponentError, DatasetStatistics, Digest,
    InputArtifact, NoProgress, Outcome, RunInfo, Severity, SplitMix64, StepContext, Verdict,
};
use tidemill_data::ExampleGen;
use tidemill_validation::{
    DEFAULT_ENVIRONMENT, DatasetAccumulator, ExampleValidator, SchemaGen, StatisticsGen, distances, infer_schema,
    parse_schema, read_anomalies, validate,
};

fn noise(i: u64) -> u64 {
    SplitMix64::nth(i.wrapping_sub(1))
}

fn statistics(columns: Vec<(&str, ArrayRef)>) -> DatasetStatistics {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut accumulator = DatasetAccumulator::new(&batch.schema());
    accumulator.update(&batch);
    accumulator.finish("data")
}

fn found(schema: &str, data: &DatasetStatistics) -> Vec<(AnomalyType, Severity)> {
    let schema = parse_schema(&format!("version: 1\nfeatures:\n{schema}\n"), Path::new("schema.yaml")).unwrap();
    validate(data, &schema, DEFAULT_ENVIRONMENT).iter().map(|a| (a.anomaly_type, a.severity)).collect()
}

#[test]
fn each_rule_fires_on_the_data_that_breaks_it_and_on_no_other() {
    use AnomalyType as T;
    use Severity::{Error, Warning};
    let data = statistics(vec![
        ("f", Arc::new(Float64Array::from(vec![Some(-1.5), Some(f64::NAN), Some(f64::INFINITY), None])) as ArrayRef),
        ("i", Arc::new(Int64Array::from(vec![1, 2, 3, 40]))),
        ("s", Arc::new(StringArray::from(vec!["a", "a", "a", "b"]))),
        ("n", Arc::new(StringArray::from(vec![Some("1"), Some("2.5"), Some("x"), None]))),
        ("void", Arc::new(Float64Array::from(vec![None::<f64>; 4]))),
    ]);
    let rest = "  f: { type: float }\n  i: { type: int }\n  s: { type: string }\n  n: { type: string }\n  void: { type: float }";
    let with = |line: &str| {
        let name = line.split(':').next().unwrap();
        let others: Vec<&str> = rest.lines().filter(|other| other.trim().split(':').next() != Some(name)).collect();
        found(&format!("{}\n  {line}", others.join("\n")), &data)
    };
    for (line, expected) in [
        ("i: { type: int }", vec![]),
        ("i: { type: float, domain: { float: { min: 0, max: 40 } } }", vec![]),
        ("i: { type: int, domain: { int: { min: 2 } } }", vec![(T::IntTypeSmallInt, Error)]),
        ("i: { type: int, domain: { int: { max: 39 } } }", vec![(T::IntTypeBigInt, Error)]),
        ("i: { type: string }", vec![(T::UnexpectedDataType, Error)]),
        ("i: { type: int, value_count: { min: 2 } }", vec![(T::FeatureTypeLowNumberValues, Error)]),
        ("i: { type: int, value_count: { max: 0 } }", vec![(T::FeatureTypeHighNumberValues, Error)]),
        ("f: { type: float, domain: { float: { min: 0 } } }", vec![(T::FloatTypeSmallFloat, Error)]),
        ("f: { type: float, domain: { float: { max: -2 } } }", vec![(T::FloatTypeBigFloat, Error)]),
        ("f: { type: float, domain: { float: { disallow_nan: true } } }", vec![(T::FloatTypeHasNan, Error)]),
        ("f: { type: float, domain: { float: { disallow_inf: true } } }", vec![(T::FloatTypeHasInf, Error)]),
        ("f: { type: float, presence: { min_fraction: 0.75 } }", vec![]),
        ("f: { type: float, presence: { min_fraction: 1 } }", vec![(T::FeatureTypeLowFractionPresent, Error)]),
        ("f: { type: float, presence: { min_fraction: 0.7505 } }", vec![(T::FeatureTypeLowFractionPresent, Warning)]),
        ("f: { type: float, presence: { min_count: 4 } }", vec![(T::FeatureTypeLowNumberPresent, Error)]),
        ("f: { type: float, presence: { min_count: 4 }, lifecycle: alpha }", vec![]),
        ("f: { type: float, presence: { min_count: 4 }, not_in_environment: [TRAINING] }", vec![]),
        ("void: { type: float, presence: { min_count: 1 } }", vec![(T::FeatureTypeNotPresent, Error)]),
        ("void: { type: string }", vec![]),
        ("s: { type: string, domain: { values: [a, b] } }", vec![]),
        ("s: { type: string, domain: { values: [a] } }", vec![(T::EnumTypeUnexpectedStringValues, Error)]),
        (
            "s: { type: string, domain: { values: [a] }, min_domain_mass: 0.7 }",
            vec![(T::EnumTypeUnexpectedStringValues, Warning)],
        ),
        ("n: { type: float }", vec![(T::UnexpectedDataType, Error)]),
        (
            "n: { type: string, domain: { float: { min: 2 } } }",
            vec![(T::FloatTypeSmallFloat, Error), (T::FloatTypeStringNotFloat, Error)],
        ),
        ("n: { type: string, domain: { int: {} } }", vec![(T::IntTypeNotIntString, Error)]),
        ("new: { type: int, presence: { min_count: 1 } }", vec![(T::SchemaMissingColumn, Error)]),
        ("new: { type: int }", vec![]),
    ] {
        assert_eq!(with(line), expected, "{line}");
    }
    assert_eq!(
        found("  f: { type: float }\n  i: { type: int }\n  s: { type: string }\n  n: { type: string }", &data),
        [(T::SchemaNewColumn, Warning)]
    );
}

/// A day of trips; `day_two` is as issue trackers know it: fares up, a few negative, an unseen company, more missing.
fn day(rows: u64, seed: u64, day_two: bool) -> DatasetStatistics {
    let (mut fare, mut company) = (Vec::new(), Vec::new());
    for row in 0..rows {
        let (a, b) = (noise(row * 2 + seed), noise(row * 2 + 1 + seed));
        let base = 3.0 + ((a % 1000) as f64 / 1000.0).powi(3) * 40.0;
        let sign = if day_two && b.is_multiple_of(500) { -1.0 } else { 1.0 };
        fare.push(base * if day_two { 1.18 } else { 1.0 } * sign);
        let missing = if day_two { 40 } else { 34 };
        company.push((b / 500 % 100 >= missing).then(|| match (a / 1000) % 100 {
            0 if day_two => "Newcomer".to_owned(),
            n => format!("company {}", n * n / 400),
        }));
    }
    statistics(vec![
        ("fare", Arc::new(Float64Array::from(fare)) as ArrayRef),
        ("company", Arc::new(StringArray::from(company))),
    ])
}

#[test]
fn the_day_after_is_noticed_and_an_honest_day_is_not() {
    let train = day(20_000, 1, false);
    let schema = infer_schema(&[&train]);
    for data in [&train, &day(10_000, 77_777, false)] {
        assert_eq!(validate(data, &schema, DEFAULT_ENVIRONMENT), []);
    }
    let next = day(20_000, 123_456, true);
    let anomalies = validate(&next, &schema, DEFAULT_ENVIRONMENT);
    let types: Vec<(&str, AnomalyType)> = anomalies.iter().map(|a| (a.feature.as_str(), a.anomaly_type)).collect();
    assert_eq!(
        types,
        [
            ("company", AnomalyType::EnumTypeUnexpectedStringValues),
            ("company", AnomalyType::FeatureTypeLowFractionPresent),
            ("fare", AnomalyType::FloatTypeSmallFloat),
        ]
    );
    // Fares 18 % up break no bound; the distance shows them, far above that of an honest day.
    let fare = |data: &DatasetStatistics| distances(&train, data)[0].jensen_shannon;
    let (next_day, honest_day) = (fare(&next), fare(&day(10_000, 77_777, false)));
    assert!(next_day > 0.01 && honest_day < 0.005, "{next_day} {honest_day}");
    assert_eq!(distances(&train, &train).iter().map(|d| d.jensen_shannon).sum::<f64>(), 0.0);
}

struct Project {
    dir: tempfile::TempDir,
    inputs: BTreeMap<String, InputArtifact>,
}

impl Project {
    fn new(csv: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("trips.csv"), csv).unwrap();
        Self { dir, inputs: BTreeMap::new() }
    }

    fn run(&mut self, component: &dyn Component, params: &Value) -> Result<Outcome, ComponentError> {
        let spec = component.spec();
        assert_eq!(component.check(params), []);
        let output = &spec.outputs[0];
        let folder = self.dir.path().join("out").join(&*output.key);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let outputs: BTreeMap<String, PathBuf> = [(output.key.to_string(), folder.clone())].into();
        let run = RunInfo { pipeline: "p".to_owned(), run_id: "r".to_owned(), step: spec.name.to_string() };
        let outcome = component.run(&StepContext {
            params,
            project_dir: self.dir.path(),
            inputs: &self.inputs,
            outputs: &outputs,
            progress: &NoProgress,
            cancel: &CancelFlag::default(),
            threads: 2,
            run: &run,
            work: None,
        })?;
        let artifact_type = output.artifact_type;
        let digest = Digest::from_bytes(&[0; 32]);
        let artifact = InputArtifact { artifact_type, digest, path: folder, properties: BTreeMap::default() };
        self.inputs.insert(output.key.to_string(), artifact);
        Ok(outcome)
    }

    /// Everything up to validation.
    fn validated(&mut self, params: &Value) -> Outcome {
        self.run(&ExampleGen::default(), &json!({ "source": { "csv": "trips.csv" } })).unwrap();
        self.run(&StatisticsGen, &json!({})).unwrap();
        self.run(&SchemaGen, &json!({ "file": "schema.yaml" })).unwrap();
        self.run(&ExampleValidator::default(), params).unwrap()
    }

    fn anomalies(&self) -> Vec<(String, Anomaly)> {
        let all = read_anomalies(&self.inputs["anomalies"].path).unwrap();
        all.iter().map(|(split, anomaly)| (split.to_owned(), anomaly.clone())).collect()
    }
}

fn trips(rows: u64, burst: bool) -> String {
    let mut csv = String::from("trip,fare,company\n");
    for row in 0..rows {
        let fare = 3.0 + (noise(row) % 4000) as f64 / 100.0;
        let company = if burst && row.is_multiple_of(3) { String::new() } else { format!("c{}", noise(row + 7) % 5) };
        let _ = writeln!(csv, "{row},{fare},{company}");
    }
    csv
}

#[test]
fn a_null_burst_stops_the_run_and_names_the_column_and_rows() {
    let mut project = Project::new(&trips(900, false));
    let outcome = project.validated(&json!({}));
    assert_eq!((outcome.verdict, outcome.headline.as_str()), (Verdict::Pass, "no anomalies"));
    let curated = std::fs::read_to_string(project.dir.path().join("schema.yaml")).unwrap();

    std::fs::write(project.dir.path().join("trips.csv"), trips(900, true)).unwrap();
    let outcome = project.validated(&json!({}));
    let Verdict::Fail(reasons) = &outcome.verdict else { panic!("the burst passed") };
    assert_eq!(reasons.len(), 2);
    assert!(
        reasons[0].starts_with("eval: `company`: ") && reasons[0].contains("lack a value, none may"),
        "{reasons:?}"
    );
    assert_eq!(outcome.tables[0].rows.len(), 2);
    let (split, anomaly) = &project.anomalies()[0];
    assert_eq!((split.as_str(), anomaly.anomaly_type), ("eval", AnomalyType::FeatureTypeLowFractionPresent));
    assert_eq!(anomaly.evidence.len(), 5);
    assert!(anomaly.evidence.iter().all(|row| row.file == "eval" && row.row >= 1));
    // The curated schema is read, not written over.
    assert_eq!(std::fs::read_to_string(project.dir.path().join("schema.yaml")).unwrap(), curated);

    let outcome =
        project.run(&ExampleValidator::default(), &json!({ "on_anomaly": "warn", "splits": ["train"] })).unwrap();
    assert!(outcome.verdict.passed() && outcome.warnings.len() == 1, "{outcome:?}");
    let error = project.run(&ExampleValidator::default(), &json!({ "splits": ["trian"] })).unwrap_err();
    assert_eq!(error.hint.as_deref(), Some("did you mean `train`?"));
}

#[test]
fn a_schema_with_mistakes_is_refused_with_the_place() {
    let mut project = Project::new(&trips(300, false));
    std::fs::write(project.dir.path().join("schema.yaml"), "version: 1\nfeatures:\n  fare: { typ: float }\n").unwrap();
    project.run(&ExampleGen::default(), &json!({ "source": { "csv": "trips.csv" } })).unwrap();
    project.run(&StatisticsGen, &json!({})).unwrap();
    let params = json!({ "file": "schema.yaml" });
    assert_eq!(SchemaGen.external_inputs(&params, project.dir.path()).unwrap().len(), 1);
    let error = project.run(&SchemaGen, &params).unwrap_err();
    assert_eq!(error.code.id(), "TM3001");
    assert!(error.message.contains("`schema.yaml` line 3 column 11: `fare`: unknown field `typ`"), "{}", error.message);
}

#[test]
fn text_with_too_many_values_for_statistics_is_looked_up_in_the_rows() {
    let mut csv = String::from("id,n\n");
    for row in 0..24_000 {
        let _ = writeln!(csv, "id{row},{}", row % 9);
    }
    let mut project = Project::new(&csv);
    let listed: Vec<String> = (0..23_990).map(|row| format!("      - id{row}\n")).collect();
    let schema = format!(
        "version: 1\nfeatures:\n  n: {{ type: int }}\n  id:\n    type: string\n    min_domain_mass: 0.9999\n    domain:\n     values:\n{}",
        listed.concat()
    );
    std::fs::write(project.dir.path().join("schema.yaml"), schema).unwrap();
    let outcome = project.validated(&json!({}));
    assert!(!outcome.verdict.passed());
    let anomalies = project.anomalies();
    let outside: u64 = anomalies.iter().map(|(_, anomaly)| anomaly.evidence.len() as u64).sum();
    assert!(anomalies.iter().all(|(_, a)| a.anomaly_type == AnomalyType::EnumTypeUnexpectedStringValues));
    assert!(outside > 0 && anomalies[0].1.description.contains("(1)"), "{anomalies:?}");
}

#[test]
fn the_components_declare_what_they_read_and_write() {
    let [examples, schema, statistics] = [ArtifactType::Examples, ArtifactType::Schema, ArtifactType::Statistics];
    let inputs =
        |component: &dyn Component| component.spec().inputs.iter().map(|i| i.artifact_type).collect::<Vec<_>>();
    assert_eq!(inputs(&StatisticsGen), [examples]);
    assert_eq!(inputs(&SchemaGen), [statistics]);
    assert!(SchemaGen.spec().writes_back);
    let validator = ExampleValidator::default();
    assert_eq!(inputs(&validator), [statistics, schema, examples, statistics, statistics]);
    assert_eq!(validator.check(&json!({ "on_anomly": "stop" }))[0].path, ["on_anomly"]);
}
