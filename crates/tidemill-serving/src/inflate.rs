//! Bodies that come compressed.

use std::io::Read;
use std::sync::Arc;

use bytes::Bytes;
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use hyper::header::CONTENT_ENCODING;
use hyper::{HeaderMap, StatusCode};

use crate::engine::Engine;
use crate::request_error::RequestError;

/// So much is inflated at one go, and room made for it.
const STEP_BYTES: usize = 64 << 10;

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    /// With zlib's head, as HTTP has it.
    Deflate,
}

/// Room for an inflated body in what is held of all bodies; given back as this is dropped.
#[derive(Debug)]
pub(crate) struct Room {
    engine: Arc<Engine>,
    bytes: usize,
}

impl Coding {
    /// What the headers say: `None` where the body is not compressed, 415 for a way that is not known.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Option<Self>, RequestError> {
        let Some(coding) = headers.get(CONTENT_ENCODING) else { return Ok(None) };
        match coding.as_bytes() {
            b"identity" => Ok(None),
            b"gzip" | b"x-gzip" => Ok(Some(Self::Gzip)),
            b"deflate" => Ok(Some(Self::Deflate)),
            _ => Err(RequestError::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                format!("the content encoding {coding:?} is not supported: `gzip` and `deflate` are"),
            )),
        }
    }

    /// The body as it was: 413 where it is larger than `bytes_max`, 429 where there is no room for it, 400 where it is
    /// damaged.
    pub(crate) fn inflate(self, body: &[u8], engine: Arc<Engine>) -> Result<(Bytes, Room), RequestError> {
        match self {
            Self::Gzip => inflate(MultiGzDecoder::new(body), "gzip", engine),
            Self::Deflate => inflate(ZlibDecoder::new(body), "deflate", engine),
        }
    }
}

fn inflate(mut from: impl Read, name: &str, engine: Arc<Engine>) -> Result<(Bytes, Room), RequestError> {
    let bytes_max = engine.limits.body_bytes_max;
    let mut room = Room { engine, bytes: 0 };
    let mut body = Vec::new();
    let mut step = vec![0; STEP_BYTES];
    loop {
        let read = match from.read(&mut step) {
            Ok(0) => return Ok((body.into(), room)),
            Ok(read) => read,
            Err(error) => return Err(RequestError::invalid(format!("the body is not whole in {name}: {error}"))),
        };
        if body.len() + read > bytes_max {
            let message = format!("the body is larger than the limit of {bytes_max} bytes once it is inflated");
            return Err(RequestError::new(StatusCode::PAYLOAD_TOO_LARGE, message));
        }
        room.grow(read)?;
        body.extend_from_slice(&step[..read]);
    }
}

impl Room {
    fn grow(&mut self, bytes: usize) -> Result<(), RequestError> {
        self.bytes += bytes;
        self.engine.admission.take(bytes)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.engine.admission.release(self.bytes);
    }
}
