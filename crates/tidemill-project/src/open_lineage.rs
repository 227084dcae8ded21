//! Runs as events of `OpenLineage` (specification 2-0-2): one JSON document a line, as its file transport writes them.
//!
//! A run of a pipeline is a run of the job `PIPELINE`, each execution one of the job `PIPELINE.STEP` with the first as its
//! parent. Artifacts are datasets named by type and digest; files and queries that a step read are datasets of their own.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tidemill_core::Verdict;
use tidemill_metadata::{Artifact, ExecutionRecord, ExecutionState, Run, RunState};

const PRODUCER: &str = concat!("https://github.com/tidemill/tidemill/tree/v", env!("CARGO_PKG_VERSION"));
const EVENT_SCHEMA: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";

/// The events of a run and of its executions, in the order in which they happened.
pub fn open_lineage_events(run: &Run, executions: &[ExecutionRecord]) -> Vec<Value> {
    let job = |name: &str, kind: &str| {
        json!({
            "namespace": "tidemill",
            "name": name,
            "facets": { "jobType": facet("2-0-4/JobTypeJobFacet.json#/$defs/JobTypeJobFacet", json!({
                "processingType": "BATCH", "integration": "TIDEMILL", "jobType": kind,
            })) },
        })
    };
    let whole = json!({ "runId": run.id, "facets": {
        "processing_engine": facet("1-1-1/ProcessingEngineRunFacet.json#/$defs/ProcessingEngineRunFacet", json!({
            "version": env!("CARGO_PKG_VERSION"), "name": "tidemill", "openlineageAdapterVersion": env!("CARGO_PKG_VERSION"),
        })),
    } });
    let mut events = vec![event("START", run.started_at, &whole, &job(&run.pipeline, "PIPELINE"), &[], &[])];
    for record in executions {
        let execution = &record.execution;
        let mut facets = Map::from_iter([(
            "parent".to_owned(),
            facet(
                "1-2-0/ParentRunFacet.json#/$defs/ParentRunFacet",
                json!({
                    "run": { "runId": run.id },
                    "job": { "namespace": "tidemill", "name": run.pipeline },
                }),
            ),
        )]);
        if let Some(error) = &execution.error {
            let message = json!({ "message": error.message, "programmingLanguage": "rust" });
            facets.insert(
                "errorMessage".to_owned(),
                facet("1-0-1/ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet", message),
            );
        }
        let job = job(&format!("{}.{}", run.pipeline, execution.step), "STEP");
        let this = json!({ "runId": execution.id, "facets": facets });
        let inputs: Vec<Value> =
            read_files(record).chain(record.inputs.iter().map(|(_, artifact)| dataset(artifact, Map::new()))).collect();
        let rejected = execution.outcome.as_ref().is_some_and(|outcome| !matches!(outcome.verdict, Verdict::Pass));
        let outputs: Vec<Value> = record
            .outputs
            .iter()
            .map(|(_, artifact)| {
                let mut statistics = json!({ "size": artifact.bytes, "fileCount": artifact.files });
                if let Some(rows) = artifact.properties.get("rows").and_then(Value::as_u64) {
                    statistics["rowCount"] = rows.into();
                }
                let schema = "1-0-2/OutputStatisticsOutputDatasetFacet.json#/$defs/OutputStatisticsOutputDatasetFacet";
                dataset(artifact, Map::from_iter([("outputStatistics".to_owned(), facet(schema, statistics))]))
            })
            .collect();
        events.push(event("START", execution.started_at, &this, &job, &inputs, &[]));
        let kind = match execution.state {
            ExecutionState::Complete | ExecutionState::Cached if rejected => "FAIL",
            ExecutionState::Complete | ExecutionState::Cached => "COMPLETE",
            ExecutionState::Failed => "FAIL",
            ExecutionState::Canceled => "ABORT",
            ExecutionState::New | ExecutionState::Running => continue,
        };
        let at = execution.finished_at.unwrap_or(execution.started_at);
        events.push(event(kind, at, &this, &job, &inputs, &outputs));
    }
    let kind = match run.state {
        RunState::Complete => "COMPLETE",
        RunState::Rejected | RunState::Failed => "FAIL",
        RunState::Canceled => "ABORT",
        RunState::Waiting | RunState::Running => "OTHER",
    };
    if let Some(at) = run.finished_at {
        events.push(event(kind, at, &whole, &job(&run.pipeline, "PIPELINE"), &[], &[]));
    }
    events
}

fn event(kind: &str, at: Timestamp, run: &Value, job: &Value, inputs: &[Value], outputs: &[Value]) -> Value {
    json!({
        "eventTime": format!("{at:.3}"),
        "eventType": kind,
        "producer": PRODUCER,
        "schemaURL": EVENT_SCHEMA,
        "run": run,
        "job": job,
        "inputs": inputs,
        "outputs": outputs,
    })
}

fn facet(schema: &str, mut value: Value) -> Value {
    value["_producer"] = PRODUCER.into();
    value["_schemaURL"] = format!("https://openlineage.io/spec/facets/{schema}").into();
    value
}

/// A dataset; facets about its writing only for outputs.
fn dataset(artifact: &Artifact, output_facets: Map<String, Value>) -> Value {
    let mut dataset = json!({
        "namespace": "tidemill",
        "name": format!("{}/{}", artifact.artifact_type, artifact.digest),
        "facets": { "version": version(artifact.digest.as_str()) },
    });
    if !output_facets.is_empty() {
        dataset["outputFacets"] = Value::Object(output_facets);
    }
    dataset
}

fn version(digest: &str) -> Value {
    facet(
        "1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet",
        json!({ "datasetVersion": digest }),
    )
}

/// What the execution read from outside the store.
fn read_files(record: &ExecutionRecord) -> impl Iterator<Item = Value> {
    let read = record.execution.fingerprint_parts.get("external").and_then(Value::as_object);
    read.into_iter().flatten().map(|(name, digest)| {
        let digest = digest.as_str().unwrap_or_default();
        json!({ "namespace": "file", "name": name, "facets": { "version": version(digest) } })
    })
}
