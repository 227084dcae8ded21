//! Starts a server with the candidate and sends it the requests a client would send.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::StatusCode;
use serde_json::{Value, json};
use tidemill_core::{Code, ComponentError, DataType, RowShape, StepContext};
use tidemill_model::{LoadedModel, SampleRow};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use super::client::{Client, ClientError};
use super::latency::Latency;
use crate::models::versions::ServedVersion;
use crate::protocol::json::{JsonError, Kind, Reader, write};
use crate::{Handle, Servable, ServeError, Server, ServerOptions, StaticSource};

/// The candidate's name in the sandbox.
const NAME: &str = "candidate";
/// Requests before the measured ones.
const WARM_UP_REQUESTS: usize = 50;
/// Measured requests; fewer if they take longer than [`MEASURE_TIME_MAX`] together.
const MEASURED_REQUESTS: usize = 1000;
const MEASURE_TIME_MAX: Duration = Duration::from_secs(5);
/// Further failures carry no new information.
const FAILURES_MAX: usize = 5;
const PREDICT: &str = "/v1/models/candidate:predict";
const INFER: &str = "/v2/models/candidate/infer";

/// The result of a probe.
#[derive(Debug, Default)]
pub(super) struct Finding {
    /// Recorded rows that were replayed.
    pub(super) sample_rows: usize,
    /// The problems found, without measurements and without paths of this machine.
    pub(super) failures: Vec<String>,
    pub(super) latency: Option<Latency>,
}

impl Finding {
    fn failed(reason: impl Into<String>) -> Self {
        Self { failures: vec![reason.into()], ..Self::default() }
    }
}

/// Why the probe could not run; unrelated to the quality of the model.
#[derive(Debug, thiserror::Error)]
enum ProbeError {
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Component(#[from] ComponentError),
}

impl From<ProbeError> for ComponentError {
    fn from(error: ProbeError) -> Self {
        match error {
            ProbeError::Serve(error) => error.into(),
            ProbeError::Component(error) => error,
            ProbeError::Client(error) => {
                let mut component = Self::new(Code::ServerFailed, error.to_string());
                component.source = Some(Box::new(error));
                component
            }
        }
    }
}

/// Probes the package. The caller may itself run on an async runtime, so the sandbox has a thread of its own.
pub(super) fn probe(package: &Path, load_max: Duration, context: &StepContext<'_>) -> Result<Finding, ComponentError> {
    std::thread::scope(|scope| {
        let sandbox = scope.spawn(|| {
            let runtime = Runtime::new().map_err(|source| {
                let mut error = ComponentError::new(Code::ServerFailed, "cannot start the sandbox of the model server");
                error.source = Some(Box::new(source));
                error
            })?;
            let finding = runtime.block_on(probe_in_server(package, load_max, context));
            // A load that never ends must not keep the step from ending.
            runtime.shutdown_background();
            Ok(finding?)
        });
        sandbox
            .join()
            .unwrap_or_else(|_| Err(ComponentError::new(Code::Internal, "the sandbox of the model server panicked")))
    })
}

async fn probe_in_server(package: &Path, load_max: Duration, context: &StepContext<'_>) -> Result<Finding, ProbeError> {
    let servable =
        Servable { name: NAME.to_owned(), version: 1, path: package.to_owned(), labels: Vec::new(), default: false };
    let options = ServerOptions {
        rest_addr: ([127, 0, 0, 1], 0).into(),
        grpc_addr: None,
        drain_timeout: Duration::from_secs(1),
        // A second try would hide that the first one failed.
        load_retry_first: load_max,
        load_retry_longest: load_max,
        ..ServerOptions::default()
    };
    let server = Server::bind(options, Arc::new(StaticSource::new(vec![servable]))).await?;
    let handle = server.handle();
    let (stop, stopped) = oneshot::channel::<()>();
    let started = Instant::now();
    let running = tokio::spawn(server.run(async {
        // In either case it is time to stop.
        let _ = stopped.await;
    }));

    context.progress.phase("loading in the model server");
    let in_time = tokio::time::timeout(load_max, handle.loads_finished()).await.is_ok();
    // On a busy machine the load may finish before the time is checked.
    let finding = if !in_time || started.elapsed() > load_max {
        Finding::failed(format!("the model was not loaded within {} s", load_max.as_secs_f64()))
    } else if let Some(target) = handle.latest(NAME) {
        query(&handle, target.version(), context).await?
    } else {
        Finding::failed(load_error(&handle, package))
    };
    drop(stop);
    // The finding stands, however the server ends.
    let _ = tokio::time::timeout(Duration::from_secs(2), running).await;
    Ok(finding)
}

/// The server's own message, without the folder of the package.
fn load_error(handle: &Handle, package: &Path) -> String {
    let error = handle.models().into_iter().flat_map(|model| model.versions).find_map(|version| version.error);
    let folder = package.display().to_string();
    let error = error.unwrap_or_default().replace(&format!("{folder}/"), "").replace(&folder, "the package");
    format!("the model could not be loaded: {error}")
}

async fn query(handle: &Handle, model: &ServedVersion, context: &StepContext<'_>) -> Result<Finding, ProbeError> {
    let sample = model.model().sample_rows();
    let mut finding = Finding { sample_rows: sample.len(), ..Finding::default() };
    if sample.is_empty() {
        return Ok(finding);
    }
    let mut client = Client::connect(handle.local_addr()).await?;
    context.progress.phase("replaying recorded rows over REST");
    context.progress.total_rows(sample.len() as u64);

    let expected: Vec<f64> = sample.iter().flat_map(|row| row.prediction.iter().copied()).collect();
    let width = expected.len() / sample.len();
    let singles: Vec<Bytes> = sample.iter().map(|row| rows_body(std::slice::from_ref(row))).collect();
    for (row, body) in singles.iter().enumerate() {
        context.cancel.check()?;
        let reply = client.post(PREDICT, body.clone()).await?;
        let what = format!("TF Serving REST, row {row} alone");
        finding.failures.extend(difference(&what, reply, &expected[row * width..(row + 1) * width], tfs_predictions));
        context.progress.advance(1);
    }
    let reply = client.post(PREDICT, rows_body(sample)).await?;
    finding.failures.extend(difference("TF Serving REST, all rows", reply, &expected, tfs_predictions));
    let reply = client.post(INFER, columns_body(model.model(), sample)).await?;
    finding.failures.extend(difference("Open Inference Protocol REST, all rows", reply, &expected, oip_predictions));
    finding.failures.truncate(FAILURES_MAX);

    if finding.failures.is_empty() {
        context.progress.phase("measuring latency");
        finding.latency = measure(&mut client, &singles, context).await?;
    }
    Ok(finding)
}

async fn measure(
    client: &mut Client,
    bodies: &[Bytes],
    context: &StepContext<'_>,
) -> Result<Option<Latency>, ProbeError> {
    let started = Instant::now();
    let mut measured = Vec::with_capacity(MEASURED_REQUESTS);
    for (request, body) in bodies.iter().cycle().take(WARM_UP_REQUESTS + MEASURED_REQUESTS).enumerate() {
        if started.elapsed() > MEASURE_TIME_MAX && !measured.is_empty() {
            break;
        }
        context.cancel.check()?;
        let sent = Instant::now();
        client.post(PREDICT, body.clone()).await?;
        if request >= WARM_UP_REQUESTS || started.elapsed() > MEASURE_TIME_MAX {
            measured.push(sent.elapsed());
        }
    }
    Ok(Latency::of(measured))
}

/// What is wrong with a reply, if anything.
fn difference(
    what: &str,
    (status, body): (StatusCode, Bytes),
    expected: &[f64],
    read: fn(&[u8]) -> Result<Vec<f64>, JsonError>,
) -> Option<String> {
    if status != StatusCode::OK {
        return Some(format!("{what}: answered {}: {}", status.as_u16(), String::from_utf8_lossy(&body)));
    }
    let got = match read(&body) {
        Ok(got) => got,
        Err(error) => return Some(format!("{what}: the answer cannot be read: {error}")),
    };
    if got.len() != expected.len() {
        return Some(format!("{what}: {} predictions for {} rows", got.len(), expected.len()));
    }
    let differing = got.iter().zip(expected).position(|(got, expected)| got.to_bits() != expected.to_bits())?;
    let (got, expected) = (got[differing], expected[differing]);
    Some(format!("{what}: prediction {differing} is {got:?}, and {expected:?} was recorded at training time"))
}

fn rows_body(rows: &[SampleRow]) -> Bytes {
    let rows: Vec<&Value> = rows.iter().map(|row| &row.row).collect();
    json!({ "instances": rows }).to_string().into()
}

fn columns_body(model: &LoadedModel, rows: &[SampleRow]) -> Bytes {
    let mut body = b"{\"inputs\":".to_vec();
    write::list(&mut body, &model.signature().inputs, |out, input| {
        out.extend_from_slice(b"{\"name\":");
        write::string(out, &input.name);
        let values: Vec<&Value> = rows.iter().map(|row| row.row.get(&input.name).unwrap_or(&Value::Null)).collect();
        // Rows of a tensor have one length: null pads the shorter lists.
        let width = (input.form == RowShape::List)
            .then(|| values.iter().filter_map(|value| value.as_array()).map(Vec::len))
            .map(|lengths| lengths.max().unwrap_or(0));
        let shape = width.map_or_else(|| rows.len().to_string(), |width| format!("{},{width}", rows.len()));
        out.extend_from_slice(format!(",\"shape\":[{shape}],\"datatype\":\"{}\",\"data\":", input.datatype).as_bytes());
        let cell = |out: &mut Vec<u8>, value: &Value| match value {
            // Numbers that plain JSON cannot write are recorded as text.
            Value::String(special) if input.datatype == DataType::Fp64 => out.extend_from_slice(special.as_bytes()),
            value => out.extend_from_slice(value.to_string().as_bytes()),
        };
        let mut flat: Vec<&Value> = Vec::with_capacity(values.len());
        for value in values {
            let Some(width) = width else {
                flat.push(value);
                continue;
            };
            let given = value.as_array().map_or(&[][..], Vec::as_slice);
            flat.extend(given.iter().chain(std::iter::repeat_n(&Value::Null, width - given.len())));
        }
        write::list(out, &flat, |out, value| cell(out, value));
        out.push(b'}');
    });
    body.push(b'}');
    body.into()
}

fn tfs_predictions(body: &[u8]) -> Result<Vec<f64>, JsonError> {
    let mut values = Vec::new();
    Reader::new(body)?.object(|reader, _| numbers(reader, &mut values))?;
    Ok(values)
}

fn oip_predictions(body: &[u8]) -> Result<Vec<f64>, JsonError> {
    let mut values = Vec::new();
    Reader::new(body)?.object(|reader, name| {
        if name != "outputs" {
            return reader.skip().map(drop);
        }
        reader.array(|reader| {
            reader.object(|reader, name| match &*name {
                "data" => numbers(reader, &mut values),
                _ => reader.skip().map(drop),
            })
        })
    })?;
    Ok(values)
}

/// The numbers of lists and objects, in order; the names of classes are not among them.
fn numbers(reader: &mut Reader<'_>, values: &mut Vec<f64>) -> Result<(), JsonError> {
    match reader.kind()? {
        Kind::Array => reader.array(|reader| numbers(reader, values)),
        Kind::Object => reader.object(|reader, _| numbers(reader, values)),
        Kind::String => reader.skip().map(drop),
        _ => {
            values.push(reader.number()?.as_f64()?);
            Ok(())
        }
    }
}
