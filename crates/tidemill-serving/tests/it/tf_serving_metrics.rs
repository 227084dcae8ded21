//! The metrics of TF Serving that dashboards ask for, by the names and labels it has, and what is counted of versions.

use std::sync::Arc;

use crate::support::{MODEL, Packages, Running, agent, options, servable};
use tidemill_serving::{Batching, BatchingOptions, InferenceLogOptions, LogFormat, ServerOptions, StaticSource};

fn metrics(server: &Running) -> String {
    agent().get(server.url("/monitoring/prometheus/metrics")).call().unwrap().body_mut().read_to_string().unwrap()
}

#[test]
fn every_metric_of_tf_serving_is_there_with_its_labels() {
    let (packages, log) = (Packages::new(), tempfile::tempdir().unwrap());
    let (taxi, half) = (packages.taxi(0.0), packages.half_plus_two());
    std::fs::create_dir_all(taxi.join("assets.extra")).unwrap();
    std::fs::write(taxi.join("assets.extra/mlmd_uuid"), "run-\"17\"\n").unwrap();
    let source = StaticSource::new(vec![
        servable(MODEL, 7, &taxi, &[]),
        servable("half", 1, &half, &[]),
        servable("broken", 1, &packages.broken(), &[]),
    ]);
    let inference_log =
        Some(InferenceLogOptions { format: LogFormat::PredictionLogs, ..InferenceLogOptions::new(log.path()) });
    let batching = BatchingOptions { mode: Batching::Fixed, ..BatchingOptions::default() };
    let server = Running::start(ServerOptions { inference_log, batching, ..options() }, Arc::new(source.clone()));
    let examples = r#"{"examples":[{"fare":12.5,"seconds":600},{"fare":3,"seconds":60,"shared":1}]}"#;
    assert_eq!(server.post("/v1/models/taxi:classify", examples).0, 200);
    assert_eq!(server.post("/v1/models/taxi:predict", r#"{"inputs":{"fare":[1,2,3],"seconds":[1,2,3]}}"#).0, 200);
    assert_eq!(server.post("/v1/models/half:regress", r#"{"examples":[{"x":1}]}"#).0, 200);
    assert_eq!(server.post("/v1/models/taxi:predict", "{}").0, 400);
    let mut text = metrics(&server);
    while !text.contains(":tensorflow:serving:request_log_count{model_name=\"half\"") {
        text = metrics(&server);
    }
    let base = taxi.parent().unwrap().display().to_string();
    for line in [
        r#":tensorflow:serving:request_count{model_name="taxi",status="OK"} 2"#,
        r#":tensorflow:serving:request_count{model_name="taxi",status="INVALID_ARGUMENT"} 1"#,
        r#":tensorflow:serving:request_latency_count{model_name="half",API="regress",entrypoint="REST"} 1"#,
        r#":tensorflow:serving:runtime_latency_count{model_name="taxi",API="predict",runtime="tidemill"} 1"#,
        r#":tensorflow:serving:runtime_latency_count{model_name="taxi",API="classify",runtime="tidemill"} 1"#,
        r#":tensorflow:serving:request_example_counts_bucket{model="taxi",le="2"} 1"#,
        r#":tensorflow:serving:request_example_count_total{model="taxi"} 2"#,
        r#":tensorflow:serving:request_example_count_total{model="half"} 1"#,
        r#":tensorflow:serving:request_log_count{model_name="half",status_code="OK"} 1"#,
        r#":tensorflow:serving:batching_session:wrapped_run_count{model_name="taxi"} 2"#,
        r#":tensorflow:serving:batching_session:input_batch_size_sum{model_name="taxi"} 5"#,
        r#":tensorflow:serving:batching_session:processed_batch_size_sum{model_name="taxi"} 5"#,
        r#":tensorflow:serving:batching_session:padding_size_sum{model_name="taxi"} 0"#,
        r#":tensorflow:serving:batching_session:queuing_latency_count{model_name="taxi"} 2"#,
        &format!(r#":tensorflow:cc:saved_model:load_attempt_count{{model_path="{base}",status="success"}} 2"#),
        &format!(r#":tensorflow:cc:saved_model:load_attempt_count{{model_path="{base}",status="fail"}} 1"#),
        &format!(r#":tensorflow:cc:saved_model:load_latency{{model_path="{base}"}}"#),
        r#":tensorflow:serving:mlmd_map{model_name="taxi",version="7",mlmd_uuid="run-\"17\""} 1"#,
        r#"tidemill_model_version_requests_total{model="taxi",version="7"} 2"#,
        r#"tidemill_model_version_rows_total{model="taxi",version="7"} 5"#,
    ] {
        assert!(text.lines().any(|found| found.starts_with(line)), "{line} is not in\n{text}");
    }

    source.set(vec![servable(MODEL, 8, &taxi, &[])]);
    server.poll();
    let text = metrics(&server);
    assert!(!text.contains("version=\"7\""), "the series of a version end with it:\n{text}");
    assert!(text.contains(r#"tidemill_model_version_requests_total{model="taxi",version="8"} 0"#), "{text}");
}
