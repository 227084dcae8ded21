//! Serves a folder of versions: `cargo run --release --example serve_folder -- NAME BASE [PORT [GRPC_PORT [LOG]]]`.
//!
//! `BASE` holds one folder for each version, named by its number, with a model package in it.

use std::process::ExitCode;
use std::sync::Arc;

use tidemill_serving::{FolderSource, InferenceLogOptions, ServeError, Server, ServerOptions};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, base, rest @ ..] = &arguments[..] else {
        eprintln!("usage: serve_folder NAME BASE [PORT [GRPC_PORT [LOG]]]");
        return ExitCode::from(2);
    };
    let port = |place: usize, default: u16| rest.get(place).and_then(|port| port.parse().ok()).unwrap_or(default);
    let log = rest.get(2).map(|dir| InferenceLogOptions::new(dir.as_str()));
    match serve(FolderSource::new(name, base), port(0, 8501), port(1, 8500), log).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(3)
        }
    }
}

async fn serve(
    source: FolderSource,
    port: u16,
    grpc_port: u16,
    inference_log: Option<InferenceLogOptions>,
) -> Result<(), ServeError> {
    let options = ServerOptions {
        rest_addr: ([127, 0, 0, 1], port).into(),
        grpc_addr: Some(([127, 0, 0, 1], grpc_port).into()),
        inference_log,
        ..ServerOptions::default()
    };
    let server = Server::bind(options, Arc::new(source)).await?;
    eprintln!("listening on http://{}", server.handle().local_addr());
    server
        .run(async {
            // Without signals the server runs until it is killed.
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        })
        .await
}
