//! Reads the body of a request within limits.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::StatusCode;
use hyper::body::Incoming;

use crate::inference::request_error::RequestError;
use crate::server::admission::{Admission, BodyBytesPermit};

/// How many bytes of an oversized body are read and dropped before the response: a client that is still sending when
/// the connection closes may never see the response.
const DISCARD_BYTES_MAX: usize = 16 << 20;

/// Reads a whole body of at most `bytes_max` bytes: 413 for a larger one, 408 for one that takes longer than `timeout`,
/// 400 for one that breaks off, 429 if there is no capacity for it.
pub(crate) async fn read_body(
    body: Incoming,
    bytes_max: usize,
    timeout: Duration,
    admission: &Admission,
) -> Result<(Bytes, BodyBytesPermit<&Admission>), RequestError> {
    let mut permit = BodyBytesPermit::new(admission);
    let late = || RequestError::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time");
    let body = tokio::time::timeout(timeout, read(body, bytes_max, &mut permit)).await.map_err(|_| late())??;
    Ok((body, permit))
}

async fn read(
    mut body: Incoming,
    bytes_max: usize,
    permit: &mut BodyBytesPermit<&Admission>,
) -> Result<Bytes, RequestError> {
    let mut chunks: Vec<Bytes> = Vec::new();
    let mut total = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| RequestError::invalid(format!("the body could not be read: {error}")))?;
        let Ok(chunk) = frame.into_data() else { continue };
        total += chunk.len();
        if total <= bytes_max {
            permit.reserve(chunk.len())?;
            chunks.push(chunk);
        } else {
            chunks.clear();
            if total - bytes_max > DISCARD_BYTES_MAX {
                break;
            }
        }
    }
    if total > bytes_max {
        let message = format!("the body is larger than the limit of {bytes_max} bytes");
        return Err(RequestError::new(StatusCode::PAYLOAD_TOO_LARGE, message));
    }
    Ok(if chunks.len() == 1 { chunks.remove(0) } else { chunks.concat().into() })
}
