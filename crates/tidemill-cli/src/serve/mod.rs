//! `tidemill serve`: the model server over the project's registry, or over a folder of versions.

mod args;
mod log;
mod onnx;
mod options;
mod tolerated;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use console::style;
use serde_json::json;
use tidemill_core::Failure;
use tidemill_serving::jobs::JobStore;
use tidemill_serving::{ConfiguredSource, Handle, ModelConfig, ModelStatus, Server, Source};
use tokio::sync::oneshot;

pub use self::args::{BatchingMode, GrpcPort, ServeArgs, Switch};
pub use self::log::{LogArgs, LogFormatName, TraceArgs, read_hash_key};
pub use self::onnx::{OnnxArgs, OnnxEngineName};
pub use self::tolerated::without_tolerated;
use crate::terminal::printable;
use crate::{Global, OutputFormat, say, write_out};

/// How often certificate and key are looked at.
const TLS_INTERVAL: Duration = Duration::from_secs(10);
/// Exit code of a server that was told twice to stop.
const STOPPED_AT_ONCE: u8 = 130;

/// Where models come from that are in no folder of this machine.
#[async_trait]
pub trait Sources: Sync {
    /// The models of the project's registry, with the newest `versions_max` versions of each.
    async fn registry(&self, versions_max: usize) -> Result<Arc<dyn Source>, Failure>;

    /// The endpoint in a file, with the models that it names.
    async fn endpoint(&self, file: &Path, versions_max: usize) -> Result<Arc<dyn Source>, Failure>;

    /// The queue for asynchronous requests, if there is a place to keep it.
    async fn jobs(&self) -> Result<Option<Arc<dyn JobStore>>, Failure> {
        Ok(None)
    }

    /// The versions of the model `name` below `url` in an object store.
    fn remote(&self, name: String, url: &str) -> Result<Arc<dyn Source>, Failure>;
}

/// Serves models until the process is asked to stop: the exit code.
pub async fn serve(args: &ServeArgs, global: &Global, sources: &dyn Sources) -> Result<u8, Failure> {
    let mut options = options::options(args)?;
    options.jobs = sources.jobs().await?;
    let source = source(args, sources).await?;
    if options.is_open_to_all() {
        let warning = style("warning:").yellow().for_stderr();
        say(
            global,
            &format!(
                "{warning} everybody who reaches this machine can ask for predictions: see `--api-keys`, `--tls-client-ca`"
            ),
        );
    }
    let server = Server::bind(options, source).await?;
    let handle = server.handle();
    let (stop, stopped) = oneshot::channel::<()>();
    // Who holds the other end ends with this function.
    let stopped = async { drop(stopped.await) };
    let mut served = std::pin::pin!(server.run(stopped));
    let stopped_twice = async {
        stop_signal().await;
        drop(stop);
        stop_signal().await;
    };
    let mut stopped_twice = std::pin::pin!(stopped_twice);
    let mut renewed = std::pin::pin!(renew_tls(args, handle.clone()));
    let mut announced = std::pin::pin!(announce(handle, global.output, global.quiet));
    let mut said = false;
    loop {
        // A source that never settles must not keep the server from being stopped. First of all the signals are listened
        // to: whoever sees the server at work can stop it.
        tokio::select! {
            biased;
            () = &mut stopped_twice => {
                say(global, "stopped at once: requests in work were dropped");
                return Ok(STOPPED_AT_ONCE);
            }
            ended = &mut served => {
                ended?;
                say(global, "stopped");
                return Ok(0);
            }
            () = &mut announced, if !said => said = true,
            never = &mut renewed => match never {},
        }
    }
}

/// Follows the files of certificate and key as they are renewed.
async fn renew_tls(args: &ServeArgs, handle: Handle) -> Infallible {
    let Ok(Some(mut current)) = options::tls(args) else { return std::future::pending().await };
    loop {
        tokio::time::sleep(TLS_INTERVAL).await;
        match options::tls(args) {
            Ok(Some(tls)) if tls != current => {
                match handle.renew_tls(&tls) {
                    Ok(()) => tracing::info!("the certificate is renewed"),
                    Err(error) => tracing::warn!(%error, "the certificate stays as it was"),
                }
                current = tls;
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "the certificate stays as it was"),
        }
    }
}

/// Where the models come from: a configuration, a folder, or the registry.
async fn source(args: &ServeArgs, sources: &dyn Sources) -> Result<Arc<dyn Source>, Failure> {
    if let Some(file) = &args.endpoint {
        return sources.endpoint(file, args.versions_max).await;
    }
    if let Some(file) = &args.model_config_file {
        let interval = Duration::from_secs(args.model_config_poll_secs);
        let source = ConfiguredSource::of_file(file, Some(interval).filter(|interval| !interval.is_zero()))?;
        return Ok(Arc::new(source));
    }
    let named = args.model_base_path.clone().map(|base| (args.model_name.clone(), base));
    if let Some((name, base)) = named.or_else(of_image) {
        if let Some(url) = base.to_str().filter(|base| base.contains("://")) {
            return sources.remote(name, url);
        }
        // Absolute, so that it means the same to those who configure models by request.
        let base = std::path::absolute(&base).map_err(|error| Failure::io(&base, &error))?;
        return Ok(Arc::new(ConfiguredSource::new(vec![ModelConfig::new(name, base)])));
    }
    sources.registry(args.versions_max).await
}

/// The model as TF Serving's image is told of it: both variables, the folder in the one named by the other.
fn of_image() -> Option<(String, PathBuf)> {
    let (name, base) = (std::env::var("MODEL_NAME").ok()?, std::env::var_os("MODEL_BASE_PATH")?);
    let folder = Path::new(&base).join(&name);
    Some((name, folder))
}

/// Says where the server listens and what it serves, once it does.
async fn announce(handle: Handle, format: OutputFormat, quiet: bool) {
    handle.loads_finished().await;
    let address = format!("{}://{}", handle.scheme(), handle.local_addr());
    let (grpc, models, endpoints) = (handle.grpc_addr(), handle.models(), handle.endpoints());
    // Nobody reads standard output any more: the server serves all the same.
    let _ = match format {
        OutputFormat::Json => {
            let served: Vec<_> =
                models.iter().map(|model| json!({ "model": model.name, "latest": model.latest })).collect();
            let mut line = json!({ "rest": address, "grpc": grpc, "models": served });
            if !endpoints.is_empty() {
                line["endpoints"] = json!(endpoints);
            }
            write_out(&format!("{line}\n"))
        }
        OutputFormat::Text if quiet => Ok(()),
        OutputFormat::Text => write_out(&greeting(&address, grpc, &models, &endpoints)),
    };
}

fn greeting(address: &str, grpc: Option<SocketAddr>, models: &[ModelStatus], endpoints: &[String]) -> String {
    let mut text = format!("{} on {}", style("serving").green().bold(), style(address).bold());
    if let Some(grpc) = grpc {
        text.push_str(&format!(" · gRPC on {}", style(grpc).bold()));
    }
    text.push('\n');
    for endpoint in endpoints {
        text.push_str(&format!("  {}  endpoint  {}\n", style(endpoint).bold(), style("GET /endpoints/").dim()));
        text.push_str(&format!("    POST {address}/v1/models/{endpoint}:predict\n"));
        text.push_str(&format!("    POST {address}/v2/models/{endpoint}/infer\n"));
    }
    for model in models {
        let labels: Vec<String> = model.labels.iter().map(|(label, version)| format!("@{label} → {version}")).collect();
        let latest = model.latest.map_or_else(|| unavailable(model), |version| format!("version {version}"));
        text.push_str(&format!("  {}  {latest}  {}\n", style(&model.name).bold(), style(labels.join(" ")).dim()));
        text.push_str(&format!("    POST {address}/v1/models/{}:predict\n", model.name));
        text.push_str(&format!("    POST {address}/v2/models/{}/infer\n", model.name));
    }
    if models.is_empty() && endpoints.is_empty() {
        text.push_str("  no models yet: the next one that is pushed is picked up\n");
    }
    text.push_str(&format!("{}\n", style("health /livez /readyz · metrics /metrics · Ctrl-C stops").dim()));
    text
}

/// Why nothing of a model can be served.
fn unavailable(model: &ModelStatus) -> String {
    let broken = model.versions.iter().find_map(|version| Some((version.version, version.error.as_ref()?)));
    match broken {
        Some((version, error)) => {
            let text = format!("nothing available: version {version} cannot be loaded: {}", printable(error));
            style(text).red().to_string()
        }
        None => "nothing available".to_owned(),
    }
}

/// Resolves when the process is asked to stop: Ctrl-C, or SIGTERM.
pub async fn stop_signal() {
    #[cfg(unix)]
    {
        let terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
        let Ok(mut terminate) = terminate else { return std::future::pending().await };
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    {
        let _ = tokio::signal::ctrl_c().await;
    }
}
