//! A project folder with trips, and the step run in it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tidemill_core::{
    ArtifactType, CancelFlag, Component, ComponentError, DataType, Digest, InputArtifact, NoProgress, Outcome,
    Progress, Properties, RunInfo, StepContext, TensorSpec,
};
use tidemill_data::ExampleGen;
use tidemill_model::{Feature, Keys, LabelSpec, Mapper, TransformGraph, steps};
use tidemill_train::{Trainer, Tuner};

/// A project folder with trips, their examples and a transform graph.
pub(crate) struct Project {
    pub(crate) folder: tempfile::TempDir,
}

impl Project {
    pub(crate) fn new(csv: &str, label: &str) -> Self {
        Self::with_splits(csv, label, &json!({ "train": 2, "eval": 1 }))
    }

    pub(crate) fn with_splits(csv: &str, label: &str, splits: &Value) -> Self {
        let params = json!({ "source": { "csv": "trips.csv" }, "splits": splits });
        Self::with(&[("trips.csv", csv)], params, &graph(label))
    }

    /// Rows that are split already: those to learn from, and those to judge on.
    pub(crate) fn split(train: &str, eval: &str, graph: &TransformGraph) -> Self {
        let splits = json!({ "train": "train.csv", "eval": "eval.csv" });
        let params = json!({ "source": { "csv": { "splits": splits } } });
        Self::with(&[("train.csv", train), ("eval.csv", eval)], params, graph)
    }

    fn with(files: &[(&str, &str)], params: Value, graph: &TransformGraph) -> Self {
        let project = Self { folder: tempfile::tempdir().unwrap() };
        for (name, csv) in files {
            std::fs::write(project.path(name), csv).unwrap();
        }
        for name in ["examples", "transform"] {
            std::fs::create_dir(project.path(name)).unwrap();
        }
        let step = Step { key: "examples", params, threads: 1, progress: &NoProgress, cancel: CancelFlag::default() };
        project.run(&ExampleGen::default(), &[], &project.path("examples"), &step).unwrap();
        graph.save(project.path("transform/transform.json")).unwrap();
        project
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Trains into the folder `out`.
    pub(crate) fn train(&self, out: &str, step: &Step<'_>) -> Result<Outcome, ComponentError> {
        self.train_with(out, step, &[])
    }

    /// The same with more inputs: their names, folders and types.
    pub(crate) fn train_with(
        &self,
        out: &str,
        step: &Step<'_>,
        more: &[(&str, &str, ArtifactType)],
    ) -> Result<Outcome, ComponentError> {
        self.train_by(&Trainer, out, step, more)
    }

    /// The same by another trainer.
    pub(crate) fn train_by(
        &self,
        trainer: &dyn Component,
        out: &str,
        step: &Step<'_>,
        more: &[(&str, &str, ArtifactType)],
    ) -> Result<Outcome, ComponentError> {
        let inputs = [
            ("examples", "examples", ArtifactType::Examples),
            ("transform", "transform", ArtifactType::TransformGraph),
        ];
        std::fs::create_dir(self.path(out)).unwrap();
        self.run(trainer, &[&inputs, more].concat(), &self.path(out), step)
    }

    /// Searches parameters into the folder `out`; what is not finished is kept in the folder `work`.
    pub(crate) fn tune(&self, out: &str, step: &Step<'_>) -> Result<Outcome, ComponentError> {
        let step = Step { key: "hyperparameters", cancel: step.cancel.clone(), params: step.params.clone(), ..*step };
        self.train_by(&Tuner, out, &step, &[])
    }

    fn run(
        &self,
        component: &dyn Component,
        inputs: &[(&str, &str, ArtifactType)],
        output: &Path,
        step: &Step<'_>,
    ) -> Result<Outcome, ComponentError> {
        assert_eq!(component.check(&step.params), []);
        let input = |(key, folder, artifact_type): &(&str, &str, ArtifactType)| {
            let (artifact_type, digest, path) = (*artifact_type, digest(), self.path(folder));
            ((*key).to_owned(), InputArtifact { artifact_type, digest, path, properties: Properties::new() })
        };
        let run = RunInfo { pipeline: "taxi-tips".into(), run_id: "a-run-id".into(), step: "train".into() };
        component.run(&StepContext {
            params: &step.params,
            project_dir: self.folder.path(),
            inputs: &inputs.iter().map(input).collect(),
            outputs: &BTreeMap::from([(step.key.to_owned(), output.to_owned())]),
            progress: step.progress,
            cancel: &step.cancel,
            threads: step.threads,
            run: &run,
            work: Some(&self.path("work")),
        })
    }

    pub(crate) fn files(&self, out: &str) -> BTreeMap<String, Vec<u8>> {
        let entries = std::fs::read_dir(self.path(out)).unwrap().map(Result::unwrap);
        entries.map(|e| (e.file_name().into_string().unwrap(), std::fs::read(e.path()).unwrap())).collect()
    }
}

pub(crate) struct Step<'a> {
    pub(crate) key: &'static str,
    pub(crate) params: Value,
    pub(crate) threads: usize,
    pub(crate) progress: &'a dyn Progress,
    pub(crate) cancel: CancelFlag,
}

pub(crate) fn step(params: Value) -> Step<'static> {
    Step { key: "model", params, threads: 2, progress: &NoProgress, cancel: CancelFlag::default() }
}

pub(crate) fn boosting(params: &Value) -> Value {
    json!({ "learner": { "gradient_boosting": params } })
}

pub(crate) fn digest() -> Digest {
    Digest::from_bytes(&[7; 32])
}

pub(crate) fn graph(label: &str) -> TransformGraph {
    let input = |name: &str, datatype, optional| TensorSpec::new(name, datatype, optional);
    let feature = |name: &str, nodes: Vec<Mapper>| Feature::new(name, name, nodes);
    let companies = Keys::Strings(["blue", "red", "green"].map(str::to_owned).to_vec());
    TransformGraph::new(
        vec![
            input("miles", DataType::Fp64, true),
            input("payment", DataType::Bytes, false),
            input("year", DataType::Int64, false),
        ],
        Some(LabelSpec::new("big_tip", label)),
        vec![
            feature("miles", vec![Mapper::ZScore(steps::ZScore { mean: 5.0, std_dev: 3.0 })]),
            feature("payment", vec![Mapper::Vocabulary(steps::Vocabulary { values: companies, oov_buckets: 1 })]),
            feature("year", vec![]),
        ],
    )
    .unwrap()
}

/// Features that are numbers as they are.
pub(crate) fn numbers(features: &[&str], label: &str) -> TransformGraph {
    let inputs = features.iter().map(|name| TensorSpec::new(*name, DataType::Fp64, false)).collect();
    let features = features.iter().map(|name| Feature::new(*name, *name, Vec::new())).collect();
    TransformGraph::new(inputs, Some(LabelSpec::new("label", label)), features).unwrap()
}

/// A generator of uniform numbers that is easily written in any language.
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    pub(crate) fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Tips are large where the ride is long or paid with green; a fifth of the miles is missing.
pub(crate) fn trips(rows: u32, tip: impl Fn(u32, f64) -> String) -> String {
    let mut csv = "id,miles,payment,year,fare,tips\n".to_owned();
    for row in 0..rows {
        let hash = row.wrapping_mul(2_654_435_761);
        let miles = f64::from(hash >> 20) / 400.0;
        let payment = ["blue", "red", "green", "black"][(hash >> 8) as usize % 4];
        let shown = if row % 5 == 0 { String::new() } else { format!("{miles:.2}") };
        let _ = writeln!(csv, "{row},{shown},{payment},2016,10.5,{}", tip(hash, miles));
    }
    csv
}

pub(crate) fn good_trips() -> String {
    trips(3000, |hash, miles| {
        let green = (hash >> 8) % 4 == 2;
        let surprise = hash % 29 == 0;
        if (miles > 5.0 || green) == surprise { "0.5" } else { "3.5" }.to_owned()
    })
}

pub(crate) const LABEL: &str = "tips > fare * 0.2";
