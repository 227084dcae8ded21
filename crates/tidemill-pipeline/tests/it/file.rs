//! What a pipeline file may say, and what a wrong one is told.

use std::path::Path;

use crate::common::{PIPELINE, Project};
use tidemill_pipeline::{Origin, Pipeline, pipeline_schema};

/// Every diagnostic with its place, the text it points at, and the advice.
fn complaints(text: &str) -> String {
    let project = Project::new();
    let error = Pipeline::parse(Path::new("pipeline.yaml"), text, &project.components(), &[], &|_| None).unwrap_err();
    let lines = error.diagnostics.iter().map(|diagnostic| {
        let (line, column) = error.place(diagnostic.span.start);
        let pointed = &text[diagnostic.span.clone()];
        let hint = diagnostic.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
        format!("{line}:{column} [{pointed}] {}{hint}", diagnostic.message)
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_error_is_told_at_once_with_its_place() {
    insta::assert_snapshot!(complaints(
        "version: 2
pipline: toy
pipeline: toy pipeline
params: { amount: 10 }
steps:
  read: { component: Raed, file: number.txt }
  transform: { component: Transform, amuont: 2 }
  train: { component: Train, amount: '${params.amont}' }
  again: { component: Train, amount: much }
  evaluate: { inputs: { model: trian } }
"
    ));
}

#[test]
fn wires_that_cannot_be_are_explained() {
    insta::assert_snapshot!(complaints(
        "version: 1
pipeline: toy
steps:
  train: { component: Train, amount: 1 }
  one: { component: Read, file: a }
  two: { component: Read, file: b }
  transform: { component: Transform, amount: 1 }
  evaluate: { component: Evaluate, at_most: 1, inputs: { model: one, modle: two } }
"
    ));
}

#[test]
fn a_circle_is_named_edge_by_edge() {
    let text = "version: 1
pipeline: toy
steps:
  a: { component: Chain, amount: 1, inputs: { from: c } }
  b: { component: Chain, amount: 1 }
  c: { component: Chain, amount: 1 }
";
    let components = Project::new().components().with(crate::common::Add {
        ran: std::sync::Arc::default(),
        name: "Chain",
        from: tidemill_core::ArtifactType::Examples,
        to: tidemill_core::ArtifactType::Examples,
    });
    let error = Pipeline::parse(Path::new("p.yaml"), text, &components, &[], &|_| None).unwrap_err();
    assert_eq!(error.to_string(), "p.yaml:4:45: steps wait for each other in a circle: a ← c ← b ← a");
}

#[test]
fn not_yaml_not_a_mapping_and_nothing_at_all() {
    insta::assert_snapshot!(format!(
        "{}\n{}\n{}\n{}",
        complaints("steps: [\n"),
        complaints("- a\n"),
        complaints(""),
        complaints("steps: {}\nversion: 1\npipeline: p\n")
    ));
}

#[test]
fn steps_are_wired_to_the_nearest_artifact() {
    let project = Project::new();
    let pipeline = project.pipeline(PIPELINE);
    let wire = |step: usize| match &pipeline.steps[step].bindings[0].from {
        Origin::Step { step, output } => format!("{}.{output}", pipeline.steps[*step].name),
        Origin::LatestBlessedModel | Origin::LastAccepted { .. } => "baseline".to_owned(),
    };
    assert_eq!(
        [1, 2, 3, 4, 5].map(wire),
        ["read.examples", "read.examples", "transform.to", "train.to", "evaluate.blessing"]
    );
    assert_eq!(pipeline.steps[2].waits_for, [1]);
    assert_eq!(pipeline.steps[0].waits_for, [0usize; 0]);
}

#[test]
fn a_gate_that_reads_from_below_still_stops_what_stands_below_it() {
    let text = "
version: 1
pipeline: toy
steps:
  read: { component: Read, file: number.txt }
  validate: { component: Validate, at_most: 100, inputs: { model: again } }
  transform: { component: Transform, amount: 2, inputs: { from: read } }
  again: { component: Read, file: number.txt }
";
    let pipeline = Project::new().pipeline(text);
    let names: Vec<&str> = pipeline.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["read", "again", "validate", "transform"]);
    let waits: Vec<&[usize]> = pipeline.steps.iter().map(|step| step.waits_for.as_slice()).collect();
    assert_eq!(waits, [&[][..], &[], &[], &[2]]);
}

#[test]
fn gates_that_wait_for_what_stands_behind_the_other_are_a_circle() {
    let text = "version: 1
pipeline: toy
steps:
  one: { component: Validate, at_most: 1, inputs: { model: d } }
  two: { component: Validate, at_most: 1, inputs: { model: c } }
  c: { component: Read, file: a }
  d: { component: Read, file: a }
";
    assert_eq!(complaints(text).lines().count(), 1);
    assert!(complaints(text).contains("steps wait for each other in a circle: one ← d ← two ← c ← one"));
}

#[test]
fn a_step_whose_name_holds_a_dot_could_not_be_read_from() {
    let text = PIPELINE.replace("  transform:", "  trans.form:");
    assert!(complaints(&text).contains("`trans.form` cannot name a step"));
}

#[test]
fn parameters_can_be_overridden_and_the_environment_read() {
    let project = Project::new();
    let text = PIPELINE.replace("file: number.txt", "file: '${env.FILE}'");
    let env = |name: &str| (name == "FILE").then(|| "other.txt".to_owned());
    let overrides = [("amount".to_owned(), "7".to_owned())];
    let pipeline = Pipeline::parse(Path::new("p.yaml"), &text, &project.components(), &overrides, &env).unwrap();
    assert_eq!(pipeline.steps[0].params["file"], "other.txt");
    assert_eq!(pipeline.steps[3].params["amount"], 7);
    let unknown = [("amuont".to_owned(), "7".to_owned())];
    let error = Pipeline::parse(Path::new("p.yaml"), PIPELINE, &project.components(), &unknown, &env).unwrap_err();
    assert_eq!(error.diagnostics[0].hint.as_deref(), Some("did you mean `amount`?"));
}

#[test]
fn a_parameter_may_stand_for_the_environment_or_for_a_parameter_above() {
    let project = Project::new();
    let text = PIPELINE
        .replace("params: { amount: 10 }", "params: { of: '${env.FILE}', amount: 10, file: '${params.of}' }")
        .replace("file: number.txt", "file: '${params.file}'");
    let parse = |text: &str, overrides: &[(String, String)], set: bool| {
        let env = |name: &str| (set && name == "FILE").then(|| "other.txt".to_owned());
        Pipeline::parse(Path::new("p.yaml"), text, &project.components(), overrides, &env)
    };
    assert_eq!(parse(&text, &[], true).unwrap().steps[0].params["file"], "other.txt");
    let error = parse(&text, &[], false).unwrap_err();
    assert_eq!(error.diagnostics[0].message, "the environment variable `FILE` is not set");
    // What the environment holds may be a secret: it is used, and never recorded.
    let pipeline = parse(&text, &[], true).unwrap();
    assert_eq!(pipeline.params["of"], "${env.FILE}");
    assert_eq!(pipeline.params["file"], "${env.FILE}");
    assert_eq!(pipeline.steps[0].recorded["file"], "${env.FILE}");
    assert!(!format!("{:?}", pipeline.steps[0]).contains("other.txt"));
    // What is overridden need not lead anywhere, and is what a reference below it finds.
    let overrides = [("of".to_owned(), "mine.txt".to_owned())];
    assert_eq!(parse(&text, &overrides, false).unwrap().steps[0].params["file"], "mine.txt");
}

#[test]
fn the_json_schema_for_editors_follows_the_types() {
    insta::assert_json_snapshot!(pipeline_schema(&Project::new().components()));
}
