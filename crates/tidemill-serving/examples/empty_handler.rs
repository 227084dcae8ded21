//! Reads requests and says the same thing to all: what a request costs before anybody looks at it.
//!
//! `cargo run --release --example empty_handler -- PORT GRPC_PORT`: the same HTTP stack as the model server's.

use std::convert::Infallible;
use std::process::ExitCode;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> ExitCode {
    let port = |place: usize| std::env::args().nth(place).and_then(|text| text.parse::<u16>().ok());
    let (Some(rest), Some(grpc)) = (port(1), port(2)) else {
        eprintln!("usage: empty_handler PORT GRPC_PORT");
        return ExitCode::from(2);
    };
    let serving = async { tokio::try_join!(serve(rest, false), serve(grpc, true)) };
    if let Err(error) = serving.await {
        eprintln!("error: {error}");
    }
    ExitCode::from(3)
}

async fn serve(port: u16, grpc: bool) -> std::io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(request, grpc));
            // Clients come and go as they like.
            let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(request: Request<Incoming>, grpc: bool) -> Result<Response<Full<Bytes>>, Infallible> {
    // Who breaks off gets no answer.
    let _ = request.into_body().collect().await;
    let mut response =
        Response::new(Full::new(Bytes::from_static(if grpc { b"\0\0\0\0\0" } else { b"{\"predictions\":[0.5]}" })));
    let headers = response.headers_mut();
    if grpc {
        headers.insert("content-type", hyper::header::HeaderValue::from_static("application/grpc"));
        headers.insert("grpc-status", hyper::header::HeaderValue::from_static("0"));
    } else {
        headers.insert("content-type", hyper::header::HeaderValue::from_static("application/json"));
    }
    Ok(response)
}
