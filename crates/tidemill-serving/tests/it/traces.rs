//! Traces as a collector gets them.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use crate::support::{Packages, Running, agent, options, servable};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tidemill_serving::{ServerOptions, StaticSource, TraceOptions};

/// A collector that keeps every message it gets, over TLS where there is something to show.
async fn collector(tls: Option<tokio_rustls::TlsAcceptor>) -> (String, Arc<Mutex<Vec<u8>>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let endpoint = if tls.is_some() { format!("https://localhost:{port}") } else { format!("http://127.0.0.1:{port}") };
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keeping = Arc::clone(&kept);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let kept = Arc::clone(&keeping);
            let service = service_fn(move |request: Request<Incoming>| {
                let kept = Arc::clone(&kept);
                async move {
                    assert_eq!(request.uri().path(), "/opentelemetry.proto.collector.trace.v1.TraceService/Export");
                    let body = request.into_body().collect().await.unwrap().to_bytes();
                    kept.lock().unwrap().extend_from_slice(&body);
                    let response = Response::builder().header("content-type", "application/grpc");
                    Ok::<_, Infallible>(response.header("grpc-status", "0").body(Empty::<Bytes>::new()).unwrap())
                }
            });
            let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            let Some(tls) = tls.clone() else {
                tokio::spawn(builder.serve_connection(TokioIo::new(stream), service));
                continue;
            };
            tokio::spawn(async move {
                // Who does not trust the collector leaves.
                if let Ok(stream) = tls.accept(stream).await {
                    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
                }
            });
        }
    });
    (endpoint, kept)
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn a_request_becomes_a_span_of_its_callers_trace() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (endpoint, kept) = runtime.block_on(collector(None));
    let packages = Packages::new();
    let source = StaticSource::new(vec![servable("half", 1, &packages.half_plus_two(), &[])]);
    let traces = Some(TraceOptions { sample: 0.0, ..TraceOptions::new(endpoint) });
    let server = Running::start(ServerOptions { traces, ..options() }, Arc::new(source));
    let ask = |traceparent: &str, id: &str| {
        let request = agent().post(server.url("/v1/models/half:predict"));
        let request = request.header("traceparent", traceparent).header("x-request-id", id);
        let response = request.send(r#"{"instances": [1.0]}"#).unwrap();
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        (header("traceparent"), header("x-request-id"))
    };
    let sampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    assert_eq!(ask(sampled, "kept-1"), (Some(sampled.to_owned()), Some("kept-1".to_owned())));
    ask("00-11112222333344445555666677778888-00f067aa0ba902b7-00", "not-kept");
    assert_eq!(ask("nonsense", "no-trace"), (None, Some("no-trace".to_owned())));
    // The last spans are sent before the server ends.
    drop(server);
    let kept = kept.lock().unwrap();
    assert!(holds(&kept, &0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes()), "the trace id");
    assert!(holds(&kept, b"kept-1") && holds(&kept, b"predict") && holds(&kept, b"tidemill.model"));
    assert!(!holds(&kept, b"not-kept"), "a caller that does not sample decides");
    assert!(!holds(&kept, b"no-trace"), "the share of requests without a trace is 0");
}

#[test]
fn a_collector_is_known_by_its_certificate() {
    use rustls::pki_types::PrivateKeyDer;
    use rustls::pki_types::pem::PemObject as _;

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let signed = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::from_pem_slice(signed.signing_key.serialize_pem().as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![signed.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let (endpoint, kept) = runtime.block_on(collector(Some(Arc::new(config).into())));
    let asked = |authorities: Option<Vec<u8>>, id: &str| {
        let packages = Packages::new();
        let source = StaticSource::new(vec![servable("half", 1, &packages.half_plus_two(), &[])]);
        let traces = Some(TraceOptions { authorities, ..TraceOptions::new(&endpoint) });
        let server = Running::start(ServerOptions { traces, ..options() }, Arc::new(source));
        let request = agent().post(server.url("/v1/models/half:predict")).header("x-request-id", id);
        assert_eq!(request.send(r#"{"instances": [1.0]}"#).unwrap().status(), 200);
    };
    asked(Some(signed.cert.pem().into_bytes()), "trusted-1");
    assert!(holds(&kept.lock().unwrap(), b"trusted-1"));
    asked(None, "not-trusted");
    assert!(!holds(&kept.lock().unwrap(), b"not-trusted"), "nobody vouches for this collector");
    let plain = TraceOptions { authorities: Some(Vec::new()), ..TraceOptions::new("http://localhost:1") };
    let bound = tidemill_serving::Server::bind(
        ServerOptions { traces: Some(plain), ..options() },
        Arc::new(StaticSource::default()),
    );
    let error = runtime.block_on(bound).err().expect("certificates without TLS");
    assert!(error.to_string().contains("https://"), "{error}");
}
