//! Limits, idle and slow connections, draining, TLS, API keys, cross-origin requests.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use crate::support::{MODEL, Packages, Running, agent, options, servable};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tidemill_core::Coded as _;
use tidemill_serving::{Server, ServerOptions, StaticSource, TlsOptions};
use tonic::Code;

const BODY: &str = r#"{"instances":[{"fare":12.5,"seconds":600,"company":"Flash"}]}"#;
const PREDICT: &str = "/v1/models/taxi:predict";

fn started(options: ServerOptions) -> Running {
    let packages = Packages::new();
    Running::start(options, Arc::new(StaticSource::new(vec![servable(MODEL, 1, &packages.taxi(0.0), &[])])))
}

fn connected(server: &Running) -> TcpStream {
    TcpStream::connect(server.handle.local_addr()).unwrap()
}

/// The head of a request whose body is still to come; the server has asked for it when this returns.
fn begun(server: &Running, body_bytes: usize) -> TcpStream {
    let mut stream = connected(server);
    write!(
        stream,
        "POST {PREDICT} HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: {body_bytes}\r\n\r\n"
    )
    .unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

fn rest_of(mut stream: TcpStream) -> String {
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

#[test]
fn more_requests_than_the_limit_are_refused_at_once_and_the_server_says_so() {
    let server = started(ServerOptions { requests_max: 2, ..options() });
    let waiting = [begun(&server, BODY.len()), begun(&server, BODY.len())];
    let refused = agent().post(server.url(PREDICT)).send(BODY).unwrap();
    assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].to_str().unwrap()), (429, "1"));
    assert_eq!(server.get("/readyz").0, 503, "the next request would be refused");
    assert_eq!(server.get("/livez").0, 200);
    assert_eq!(server.get("/v1/models/taxi").0, 200, "only inference is counted");
    let mut client = server.prediction();
    let request = tidemill_serving::proto::tensorflow::serving::PredictRequest {
        model_spec: Some(crate::support::grpc::spec(MODEL)),
        ..Default::default()
    };
    let status = server.runtime.block_on(client.predict(request)).unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(status.metadata().get("grpc-retry-pushback-ms").unwrap(), "1000");
    for mut stream in waiting {
        stream.write_all(BODY.as_bytes()).unwrap();
        let mut status = [0; 15];
        stream.read_exact(&mut status).unwrap();
        assert_eq!(&status, b"HTTP/1.1 200 OK");
    }
    assert_eq!(server.post(PREDICT, BODY).0, 200);
    assert_eq!(server.get("/readyz").0, 200);
}

#[test]
fn a_client_that_leaves_gives_its_place_back() {
    let server = started(ServerOptions { requests_max: 1, ..options() });
    for _ in 0..5 {
        drop(begun(&server, 100));
        // The server hears of it when it reads on.
        while server.post(PREDICT, BODY).0 != 200 {
            std::thread::yield_now();
        }
    }
}

#[test]
fn bodies_in_memory_are_bounded_all_together() {
    let server = started(ServerOptions { requests_bytes_max: 1000, ..options() });
    let mut waiting = begun(&server, 900);
    waiting.write_all(&[b' '; 899]).unwrap();
    while server.post(PREDICT, format!("{BODY}{}", " ".repeat(60))).0 != 429 {
        std::thread::yield_now();
    }
    drop(waiting);
    while server.post(PREDICT, BODY).0 != 200 {
        std::thread::yield_now();
    }
}

#[test]
fn connections_on_which_nothing_happens_are_closed() {
    let server = started(ServerOptions { idle_timeout: Duration::from_millis(200), ..options() });
    let silent = connected(&server);
    let mut undecided = connected(&server);
    undecided.write_all(b"PRI * HT").unwrap();
    let mut slow = connected(&server);
    slow.write_all(b"POST /v1/models/taxi:predict HTTP/1.1\r\nhost: localhost\r\nx-slow: ").unwrap();
    let mut kept = connected(&server);
    write!(kept, "GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let grpc = TcpStream::connect(server.handle.grpc_addr().unwrap()).unwrap();
    assert_eq!(rest_of(silent), "");
    assert!(rest_of(kept).starts_with("HTTP/1.1 200 OK"));
    for mut stream in [undecided, slow, grpc] {
        // Whether a word is said before the end depends on the protocol.
        stream.read_to_end(&mut Vec::new()).unwrap();
    }
}

#[test]
fn while_the_server_waits_to_be_taken_out_of_rotation_it_answers_and_says_close() {
    let server = started(ServerOptions { drain_delay: Duration::from_secs(4), ..options() });
    let mut kept = connected(&server);
    write!(kept, "GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut head = [0; 15];
    kept.read_exact(&mut head).unwrap();
    let (address, url) = (server.handle.local_addr(), server.url("/readyz"));
    let ending = std::thread::spawn(move || drop(server));
    let ready = || agent().get(&url).call().unwrap();
    while ready().status() == 200 {
        std::thread::yield_now();
    }
    assert_eq!(ready().headers()["connection"], "close");
    write!(kept, "POST {PREDICT} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{BODY}", BODY.len()).unwrap();
    let reply = rest_of(kept);
    assert!(reply.contains("HTTP/1.1 200 OK") && reply.contains("connection: close"), "{reply}");
    ending.join().unwrap();
    assert!(TcpStream::connect(address).is_err());
}

/// An authority, and a certificate for `localhost` that it signed.
struct Certificates {
    authority: String,
    certificate: String,
    key: String,
}

impl Certificates {
    fn new() -> Self {
        let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority_key = rcgen::KeyPair::generate().unwrap();
        let authority = params.self_signed(&authority_key).unwrap();
        let issuer = rcgen::Issuer::new(params, authority_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate =
            rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        Self { authority: authority.pem(), certificate: certificate.pem(), key: key.serialize_pem() }
    }

    fn options(&self, client_required: bool) -> TlsOptions {
        TlsOptions {
            certificate: self.certificate.clone().into_bytes(),
            key: self.key.clone().into_bytes(),
            client_authorities: client_required.then(|| self.authority.clone().into_bytes()),
            client_required,
        }
    }

    /// One request over TLS, with the certificate or without: the answer, or why there is none.
    fn ask(&self, server: &Running, with_certificate: bool) -> Result<String, String> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.authority.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = if with_certificate {
            let chain = vec![CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()];
            builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap()).unwrap()
        } else {
            builder.with_no_client_auth()
        };
        let name = ServerName::try_from("localhost").unwrap();
        let mut client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
        let mut socket = connected(server);
        let mut stream = rustls::Stream::new(&mut client, &mut socket);
        let length = BODY.len();
        let request = format!(
            "POST {PREDICT} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{BODY}"
        );
        let mut reply = String::new();
        stream.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
        // The server closes the connection without a farewell of TLS's own.
        match stream.read_to_string(&mut reply) {
            Err(error) if reply.is_empty() => Err(error.to_string()),
            _ => Ok(reply),
        }
    }
}

#[test]
fn tls_is_spoken_and_clients_without_a_certificate_are_refused_where_one_is_wanted() {
    let certificates = Certificates::new();
    let server = started(ServerOptions { tls: Some(certificates.options(false)), ..options() });
    assert!(certificates.ask(&server, false).unwrap().starts_with("HTTP/1.1 200 OK"));
    let mut plain = connected(&server);
    write!(plain, "GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut reply = Vec::new();
    // A reset is as good as an end.
    let _ = plain.read_to_end(&mut reply);
    assert!(!reply.starts_with(b"HTTP"));

    // A renewed certificate is shown to the next connection.
    let renewed = Certificates::new();
    server.handle.renew_tls(&renewed.options(false)).unwrap();
    assert!(renewed.ask(&server, false).unwrap().starts_with("HTTP/1.1 200 OK"));
    assert!(certificates.ask(&server, false).is_err(), "another authority signed it");
    let damaged = TlsOptions { key: b"nothing".to_vec(), ..renewed.options(false) };
    assert!(server.handle.renew_tls(&damaged).is_err());
    assert!(renewed.ask(&server, false).is_ok(), "what cannot work changes nothing");

    let mutual = started(ServerOptions { tls: Some(certificates.options(true)), ..options() });
    assert!(certificates.ask(&mutual, true).unwrap().starts_with("HTTP/1.1 200 OK"));
    let refused = certificates.ask(&mutual, false);
    assert!(refused.as_ref().is_err_and(|error| error.to_ascii_lowercase().contains("certificate")), "{refused:?}");
}

#[test]
fn certificates_that_cannot_work_are_told_before_the_server_starts() {
    let certificates = Certificates::new();
    let good = certificates.options(true);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let other_key = rcgen::KeyPair::generate().unwrap().serialize_pem().into_bytes();
    for (tls, what) in [
        (TlsOptions { certificate: b"nothing".to_vec(), ..good.clone() }, "the certificate"),
        (TlsOptions { key: b"nothing".to_vec(), ..good.clone() }, "the private key"),
        (TlsOptions { key: other_key, ..good.clone() }, "certificate and private key"),
        (TlsOptions { client_authorities: None, ..good.clone() }, "client certificates"),
    ] {
        let options = ServerOptions { tls: Some(tls), ..options() };
        let error = runtime.block_on(Server::bind(options, Arc::new(StaticSource::default()))).err().unwrap();
        assert!(error.to_string().contains(what), "{error}");
        assert_eq!(error.code().kind().exit_code(), 2);
    }
}

#[test]
fn keys_are_asked_for_and_followed_as_their_file_changes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    // printf %s test | sha256sum; printf %s other | sha256sum
    let test = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let other = "d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa";
    std::fs::write(&file, format!("ci {test}\n")).unwrap();
    let server = started(ServerOptions { api_keys_file: Some(file.clone()), ..options() });
    let status = |header: &str, value: &str| {
        agent().post(server.url(PREDICT)).header(header, value).send(BODY).unwrap().status().as_u16()
    };
    let refused = agent().post(server.url(PREDICT)).send(BODY).unwrap();
    assert_eq!((refused.status().as_u16(), refused.headers()["www-authenticate"].to_str().unwrap()), (401, "Bearer"));
    assert_eq!(status("authorization", "Bearer test"), 200);
    assert_eq!(status("authorization", "bearer  test"), 200);
    assert_eq!(status("x-api-key", "test"), 200);
    assert_eq!(status("x-api-key", "other"), 401);
    assert_eq!(status("authorization", "Basic dGVzdA=="), 401);
    assert_eq!(server.get("/readyz").0, 200, "who watches over the process has no key");
    assert_eq!(server.get("/v2").0, 401);
    let mut client = server.prediction();
    let ask = |key: Option<&'static str>| {
        let mut request = tonic::Request::new(tidemill_serving::proto::tensorflow::serving::PredictRequest::default());
        if let Some(key) = key {
            request.metadata_mut().insert("authorization", key.parse().unwrap());
        }
        request
    };
    let mut code = |key| server.runtime.block_on(client.predict(ask(key))).unwrap_err().code();
    assert_eq!(code(None), Code::Unauthenticated);
    assert_eq!(code(Some("Bearer test")), Code::InvalidArgument, "it is let in, and the request is empty");

    std::fs::write(&file, "ci not-a-hash\n").unwrap();
    std::fs::write(&file, format!("# moved\nci {other}\n")).unwrap();
    while status("x-api-key", "other") != 200 {
        std::thread::yield_now();
    }
    assert_eq!(status("x-api-key", "test"), 401);
}

#[test]
fn pages_of_allowed_origins_may_read_answers() {
    let server = started(ServerOptions { cors_origins: vec!["https://app.example.org".to_owned()], ..options() });
    let options_request = |origin: Option<&str>| {
        let mut request = ureq::http::Request::builder().method("OPTIONS").uri(server.url(PREDICT));
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        agent().run(request.body(()).unwrap()).unwrap()
    };
    let allowed = options_request(Some("https://app.example.org"));
    assert_eq!(allowed.status(), 200);
    assert_eq!(allowed.headers()["access-control-allow-origin"], "https://app.example.org");
    assert!(allowed.headers()["access-control-allow-headers"].to_str().unwrap().contains("content-type"));
    assert!(!options_request(Some("https://evil.example")).headers().contains_key("access-control-allow-origin"));
    assert_eq!(options_request(None).status(), 400);
    let answer = agent().post(server.url(PREDICT)).header("origin", "https://app.example.org").send(BODY).unwrap();
    assert_eq!(answer.headers()["access-control-allow-origin"], "https://app.example.org");
    assert_eq!(answer.headers()["vary"], "origin");

    let open = started(ServerOptions { cors_origins: vec!["*".to_owned()], ..options() });
    let answer = agent().post(open.url(PREDICT)).header("origin", "https://anyone.example").send(BODY).unwrap();
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    let closed = started(options());
    let answer = agent().post(closed.url(PREDICT)).header("origin", "https://anyone.example").send(BODY).unwrap();
    assert!(!answer.headers().contains_key("access-control-allow-origin"));
}

/// Sends a request as it is; gives the status and the whole answer.
fn raw(address: std::net::SocketAddr, request: &str) -> (u16, String) {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    (status, answer)
}

#[test]
fn keys_do_what_their_roles_say() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    let hash = |key: &str| {
        let digest = <sha2::Sha256 as sha2::Digest>::digest(key);
        digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let lines = [("app", "a", ""), ("prometheus", "m", "metrics"), ("ops", "o", "admin")];
    let text: String = lines.iter().map(|(name, key, roles)| format!("{name} {} {roles}\n", hash(key))).collect();
    std::fs::write(&file, text).unwrap();
    let server = started(ServerOptions { api_keys_file: Some(file), ..crate::support::controlled() });
    let status = |method: &str, path: &str, key: &str| {
        let request = ureq::http::Request::builder().method(method).uri(server.url(path)).header("x-api-key", key);
        let response = agent().run(request.body(if method == "POST" { BODY } else { "" }).unwrap()).unwrap();
        (response.status().as_u16(), response.headers().get("tidemill-error-code").cloned())
    };
    let (predict, load) = (PREDICT, "/v2/repository/models/taxi/load");
    for (key, expected) in [("a", [200, 403, 403]), ("m", [403, 200, 403]), ("o", [200, 200, 200])] {
        let found = [status("POST", predict, key).0, status("GET", "/metrics", key).0, status("POST", load, key).0];
        assert_eq!(found, expected, "{key}");
    }
    let (_, code) = status("POST", load, "a");
    assert!(code.unwrap().to_str().unwrap().starts_with("TM"));
    let mut client = server.inference();
    let mut load = |key: &'static str| {
        let message = tidemill_serving::proto::inference::RepositoryModelLoadRequest {
            model_name: crate::support::MODEL.to_owned(),
            ..Default::default()
        };
        let mut request = tonic::Request::new(message);
        request.metadata_mut().insert("x-api-key", key.parse().unwrap());
        server.runtime.block_on(client.repository_model_load(request)).map(|_| ())
    };
    let refused = load("a").unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert!(refused.message().contains("`app` has the role `infer`, and this needs `admin`"), "{}", refused.message());
    assert!(refused.metadata().get("tidemill-error-code").unwrap().to_str().unwrap().starts_with("TM"));
    load("o").unwrap();
}

#[test]
fn model_control_is_never_open_to_everybody() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let open = ServerOptions { rest_addr: ([0, 0, 0, 0], 0).into(), ..crate::support::controlled() };
    let error = runtime.block_on(Server::bind(open, Arc::new(StaticSource::default()))).err().unwrap();
    assert!(error.to_string().contains("model control"), "{error}");
    assert_eq!(error.code().kind().exit_code(), 2);
}

#[test]
fn pages_that_do_not_belong_here_reach_nothing_on_a_server_without_keys() {
    let server = started(crate::support::controlled());
    let address = server.handle.local_addr();
    let post = |path: &str, host: &str, origin: &str| {
        let length = BODY.len();
        raw(
            address,
            &format!(
                "POST {path} HTTP/1.1\r\nhost: {host}\r\n{origin}content-length: {length}\r\nconnection: close\r\n\r\n{BODY}"
            ),
        )
    };
    let own = address.to_string();
    assert_eq!(post(PREDICT, &own, "").0, 200);
    assert_eq!(post(PREDICT, &own, &format!("origin: http://{own}\r\n")).0, 200);
    let (status, answer) = post(PREDICT, &own, "origin: https://evil.example\r\n");
    assert!(status == 403 && answer.contains("https://evil.example"), "{answer}");
    assert_eq!(post("/v2/repository/models/taxi/unload", &own, "origin: null\r\n").0, 403);
    let (status, answer) = post(PREDICT, "rebound.example:8501", "");
    assert!(status == 403 && answer.contains("--allowed-host"), "{answer}");
    let get = |path: &str, host: &str| {
        raw(address, &format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")).0
    };
    assert_eq!((get("/metrics", "rebound.example"), get("/livez", "rebound.example")), (403, 200));
    let named = started(ServerOptions { allowed_hosts: vec!["models.example".to_owned()], ..options() });
    let request = "GET /v2 HTTP/1.1\r\nhost: models.example\r\nconnection: close\r\n\r\n";
    assert_eq!(raw(named.handle.local_addr(), request).0, 200);
}

#[test]
fn connections_above_the_limit_are_closed_and_others_go_on() {
    let server = started(ServerOptions { connections_max: 2, ..options() });
    let address = server.handle.local_addr();
    let request = b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let open = || {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        // Both may fail on a connection that is closed already.
        let _ = stream.write_all(request);
        let mut answer = [0; 12];
        let read = stream.read_exact(&mut answer).is_ok();
        (stream, read && &answer == b"HTTP/1.1 200")
    };
    let (first, second) = (open(), open());
    assert!(first.1 && second.1);
    assert!(!open().1, "there is no place for a third");
    drop(first);
    while !open().1 {
        std::thread::yield_now();
    }
    drop(second);
}

#[test]
fn a_browser_gets_a_page_and_others_get_json() {
    let server = started(options());
    let mut page = agent().get(server.url("/")).header("accept", "text/html,*/*;q=0.8").call().unwrap();
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    let text = page.body_mut().read_to_string().unwrap();
    assert!(text.contains("/openapi.json") && !text.contains("https://") && !text.contains("/*script*/"), "{text}");
    // The policy names the very script and style of the page.
    for (tag, kind) in [("script", "script-src"), ("style", "style-src")] {
        let inner = text.split_once(&format!("<{tag}>")).unwrap().1.split_once(&format!("</{tag}>")).unwrap().0;
        let digest = <sha2::Sha256 as sha2::Digest>::digest(inner);
        let hash = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, digest);
        assert!(policy.contains(&format!("{kind} 'sha256-{hash}'")), "{tag}: {policy}");
    }
    assert_eq!(server.get("/").1, serde_json::json!({ "status": "alive" }));
}
