//! From the command line to the options of the server.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use tidemill_core::{Code, Failure};
use tidemill_serving::{Batching, BatchingOptions, MonitoringConfig, ServerOptions, TlsOptions, V1Dialect};

use super::{BatchingMode, GrpcPort, ServeArgs, Switch};

pub fn options(args: &ServeArgs) -> Result<ServerOptions, Failure> {
    if !(args.poll_wait_secs > 0.0 && args.poll_wait_secs < 1e6) {
        return Err(Failure::new(Code::CommandLine, "`--file-system-poll-wait-seconds` must be above 0"));
    }
    let mut cors_origins = args.cors_origins.clone();
    cors_origins.extend(args.cors_any.then(|| "*".to_owned()));
    let onnx = args.onnx.options();
    onnx.check()?;
    let defaults = ServerOptions::default();
    let retry = args.load_retry_micros.map(Duration::from_micros);
    Ok(ServerOptions {
        rest_addr: address(args, args.rest_api_port)?,
        grpc_addr: match args.port {
            GrpcPort::Off => None,
            GrpcPort::On(port) => Some(address(args, port)?),
        },
        grpc_socket: args.grpc_socket.clone(),
        tls: tls(args)?,
        api_keys_file: args.api_keys.clone(),
        cors_origins,
        allowed_hosts: args.allowed_hosts.iter().cloned().chain(host_name(args)).collect(),
        input_policy: args.input_policy,
        traces: args.traces.options().map_err(|message| Failure::new(Code::CommandLine, message))?,
        inference_log: args.log.options().map_err(|message| Failure::new(Code::CommandLine, message))?,
        feedback: args.log.feedback == Switch::On,
        poll_interval: Duration::from_secs_f64(args.poll_wait_secs),
        request_body_bytes_max: args.request_body_bytes_max,
        requests_max: args.requests_max,
        requests_bytes_max: args.requests_bytes_max,
        request_timeout: Duration::from_millis(args.request_timeout_ms),
        connections_max: args.connections_max,
        idle_timeout: Duration::from_secs(args.idle_timeout_secs.max(1)),
        drain_delay: Duration::from_secs(args.drain_delay_secs),
        drain_timeout: Duration::from_secs(args.drain_timeout_secs),
        load_threads: args.load_threads.unwrap_or(defaults.load_threads),
        load_retry_first: retry.unwrap_or(defaults.load_retry_first),
        load_retry_longest: retry.unwrap_or(defaults.load_retry_longest),
        load_retries_max: args.load_retries_max,
        warmup: args.warmup,
        warmup_iterations: args.warmup_iterations,
        unload_first: args.unload_before_load,
        v1: if args.kserve_v1 { V1Dialect::Kserve } else { V1Dialect::TfServing },
        batching: batching(args)?,
        batching_of_models: args.batching_of_models,
        model_control: args.model_control == Some(Switch::On),
        model_roots: args.model_roots.clone(),
        log_roots: args.log_roots.clone(),
        onnx,
        metrics_path: match &args.monitoring_config_file {
            Some(file) => MonitoringConfig::read_file(file)?.map(|monitoring| monitoring.path),
            None => None,
        },
        ..defaults
    })
}

/// Flags say it; else the file of TF Serving, where batching is on; else the mode.
fn batching(args: &ServeArgs) -> Result<BatchingOptions, Failure> {
    let fixed = args.enable_batching || args.batching == BatchingMode::Fixed;
    let mut options = match &args.batching_parameters_file {
        Some(file) if fixed => BatchingOptions::read_file(file)?,
        _ => BatchingOptions::default(),
    };
    options.mode = match args.batching {
        _ if fixed => Batching::Fixed,
        BatchingMode::Off => Batching::Off,
        BatchingMode::Adaptive | BatchingMode::Fixed => Batching::Adaptive,
    };
    if args.batching_parameters_file.is_some() && !fixed {
        tracing::warn!("`--batching-parameters-file` is not used without `--enable-batching`");
    }
    options.batch_rows_max = args.batch_rows_max.or(options.batch_rows_max);
    options.queue_delay_max = args.queue_delay_max_micros.map(Duration::from_micros).or(options.queue_delay_max);
    Ok(options)
}

/// The name that the server was told to listen on, if it is a name.
fn host_name(args: &ServeArgs) -> Option<String> {
    args.host.parse::<std::net::IpAddr>().is_err().then(|| args.host.clone())
}

fn address(args: &ServeArgs, port: u16) -> Result<SocketAddr, Failure> {
    let text = (args.host.as_str(), port);
    let found = text.to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
    found.ok_or_else(|| Failure::new(Code::CommandLine, format!("`{}` is not an address to listen on", args.host)))
}

/// Certificate and key as their files have them now.
pub fn tls(args: &ServeArgs) -> Result<Option<TlsOptions>, Failure> {
    let read = |file: &Path| std::fs::read(file).map_err(|error| Failure::io(file, &error));
    if let Some(file) = &args.ssl_config_file {
        return Ok(Some(TlsOptions::read_file(file)?));
    }
    let (Some(certificate), Some(key)) = (&args.tls_cert, &args.tls_key) else { return Ok(None) };
    let client_authorities = args.tls_client_ca.as_deref().map(read).transpose()?;
    let client_required = client_authorities.is_some();
    Ok(Some(TlsOptions { certificate: read(certificate)?, key: read(key)?, client_authorities, client_required }))
}
