//! `tidemill serve`: the model server over the project's registry, or over a folder of versions.

use std::collections::BTreeSet;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use console::style;
use serde_json::json;
use tidemill_core::{ArtifactType, Code};
use tidemill_metadata::{ModelRecord, StoreError};
use tidemill_pipeline::Workspace;
use tidemill_serving::{FolderSource, Handle, ModelStatus, Servable, Server, ServerOptions, Source, SourceError};

use crate::cli::{Global, GrpcPort, OutputFormat, ServeArgs};
use crate::commands::models::DEFAULT_ALIAS;
use crate::commands::{say, write_out};
use crate::error::Failure;
use crate::project::Project;
use crate::ui::printable;

pub async fn serve(args: &ServeArgs, global: &Global) -> Result<u8, Failure> {
    let source: Arc<dyn Source> = match &args.model_base_path {
        Some(base) => Arc::new(FolderSource::new(&args.model_name, base)),
        None => {
            let workspace = Project::find(None, global)?.open().await?;
            Arc::new(RegistrySource { workspace, versions_max: args.versions_max })
        }
    };
    if !(args.poll_wait_secs > 0.0 && args.poll_wait_secs < 1e6) {
        return Err(Failure::new(Code::CommandLine, "`--file_system_poll_wait_seconds` must be above 0"));
    }
    let options = ServerOptions {
        rest_addr: address(args, args.rest_api_port)?,
        grpc_addr: match args.port {
            GrpcPort::Off => None,
            GrpcPort::On(port) => Some(address(args, port)?),
        },
        poll_interval: Duration::from_secs_f64(args.poll_wait_secs),
        ..ServerOptions::default()
    };
    let server = Server::bind(options, source).await?;
    let handle = server.handle();
    let mut served = std::pin::pin!(server.run(stop_signal()));
    // A source that never settles must not keep the server from being stopped.
    tokio::select! {
        ended = &mut served => ended?,
        () = announce(handle, global.output, global.quiet) => served.await?,
    }
    say(global, "stopped");
    Ok(0)
}

fn address(args: &ServeArgs, port: u16) -> Result<SocketAddr, Failure> {
    let text = (args.host.as_str(), port);
    let found = text.to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
    found.ok_or_else(|| Failure::new(Code::CommandLine, format!("`{}` is not an address to listen on", args.host)))
}

/// Says where the server listens and what it serves, once it does.
async fn announce(handle: Handle, format: OutputFormat, quiet: bool) {
    handle.settled().await;
    let (address, grpc, models) = (handle.local_addr(), handle.grpc_addr(), handle.models());
    // Nobody reads standard output any more: the server serves all the same.
    let _ = match format {
        OutputFormat::Json => {
            let served: Vec<_> =
                models.iter().map(|model| json!({ "model": model.name, "latest": model.latest })).collect();
            let line = json!({ "rest": format!("http://{address}"), "grpc": grpc, "models": served });
            write_out(&format!("{line}\n"))
        }
        OutputFormat::Text if quiet => Ok(()),
        OutputFormat::Text => write_out(&greeting(address, grpc, &models)),
    };
}

fn greeting(address: SocketAddr, grpc: Option<SocketAddr>, models: &[ModelStatus]) -> String {
    let mut text = format!("{} on {}", style("serving").green().bold(), style(format!("http://{address}")).bold());
    if let Some(grpc) = grpc {
        text.push_str(&format!(" · gRPC on {}", style(grpc).bold()));
    }
    text.push('\n');
    for model in models {
        let labels: Vec<String> = model.labels.iter().map(|(label, version)| format!("@{label} → {version}")).collect();
        let latest = model.latest.map_or_else(|| unavailable(model), |version| format!("version {version}"));
        text.push_str(&format!("  {}  {latest}  {}\n", style(&model.name).bold(), style(labels.join(" ")).dim()));
        text.push_str(&format!("    POST http://{address}/v1/models/{}:predict\n", model.name));
        text.push_str(&format!("    POST http://{address}/v2/models/{}/infer\n", model.name));
    }
    if models.is_empty() {
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

/// What the registry says should be served: every version with an alias, and the newest few.
struct RegistrySource {
    workspace: Workspace,
    versions_max: usize,
}

#[async_trait]
impl Source for RegistrySource {
    async fn list(&self) -> Result<Vec<Servable>, SourceError> {
        let models = self.workspace.metadata.models().await.map_err(unreadable)?;
        let mut servables = Vec::new();
        for record in &models {
            for version in self.chosen(record) {
                match self.servable(record, version).await {
                    Ok(servable) => servables.push(servable),
                    Err(error) => {
                        let model = &record.model.name;
                        tracing::warn!(model, version, error = %error, "a version cannot be found in the store");
                    }
                }
            }
        }
        Ok(servables)
    }
}

impl RegistrySource {
    fn chosen(&self, record: &ModelRecord) -> BTreeSet<u64> {
        let newest = record.versions.iter().rev().take(self.versions_max.max(1)).map(|version| version.version);
        newest.chain(record.aliases.iter().map(|alias| alias.version)).collect()
    }

    async fn servable(&self, record: &ModelRecord, number: u64) -> Result<Servable, StoreError> {
        let version = record.versions.iter().find(|version| version.version == number);
        let id = version.map(|version| version.artifact_id.to_string()).unwrap_or_default();
        let artifact = self.workspace.metadata.artifact(&id).await?;
        let aliases = || record.aliases.iter().filter(|alias| alias.version == number);
        Ok(Servable {
            name: record.model.name.clone(),
            version: number,
            path: self.workspace.artifacts.path(ArtifactType::Model, &artifact.digest),
            labels: aliases().map(|alias| alias.alias.clone()).collect(),
            default: aliases().any(|alias| alias.alias == DEFAULT_ALIAS),
        })
    }
}

fn unreadable(error: StoreError) -> SourceError {
    SourceError::new("the registry cannot be read").with_source(error)
}
