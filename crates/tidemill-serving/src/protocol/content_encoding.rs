//! Compressed bodies.

use std::io::Read;

use flate2::read::{MultiGzDecoder, ZlibDecoder};
use hyper::header::CONTENT_ENCODING;
use hyper::{HeaderMap, StatusCode};

use crate::inference::request_error::RequestError;

/// The header with gRPC's message compression.
const MESSAGE_ENCODING: &str = "grpc-encoding";
/// How many bytes are decompressed at a time, and how much memory grows for them.
const STEP_BYTES: usize = 64 << 10;

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContentEncoding {
    Gzip,
    /// With zlib's header, as HTTP defines it.
    Deflate,
}

impl ContentEncoding {
    /// Reads the headers: `None` if the body is not compressed, 415 for an unknown encoding.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Option<Self>, RequestError> {
        let Some(coding) = headers.get(CONTENT_ENCODING) else { return Ok(None) };
        // Names of codings have no case (RFC 9110, 8.4.1).
        match coding.as_bytes().to_ascii_lowercase().as_slice() {
            b"identity" => Ok(None),
            b"gzip" | b"x-gzip" => Ok(Some(Self::Gzip)),
            b"deflate" => Ok(Some(Self::Deflate)),
            _ => Err(RequestError::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                format!("the content encoding {coding:?} is not supported: `gzip` and `deflate` are"),
            )),
        }
    }

    /// As [`of`](Self::of), for the messages of a gRPC call. Unknown encodings are left to the generated services,
    /// which report them.
    pub(crate) fn of_messages(headers: &mut HeaderMap) -> Option<Self> {
        let coding = match headers.get(MESSAGE_ENCODING)?.as_bytes() {
            b"gzip" => Self::Gzip,
            b"deflate" => Self::Deflate,
            _ => return None,
        };
        headers.remove(MESSAGE_ENCODING);
        Some(coding)
    }

    /// Appends the decompressed body to `to`: 413 if it is larger than `bytes_max`, 400 if it is damaged. Asks `permit`
    /// before it grows.
    pub(crate) fn inflate(
        self,
        body: &[u8],
        bytes_max: usize,
        to: &mut Vec<u8>,
        permit: impl FnMut(usize) -> Result<(), RequestError>,
    ) -> Result<(), RequestError> {
        match self {
            Self::Gzip => inflate(MultiGzDecoder::new(body), "gzip", bytes_max, to, permit),
            Self::Deflate => inflate(ZlibDecoder::new(body), "deflate", bytes_max, to, permit),
        }
    }
}

fn inflate(
    mut from: impl Read,
    name: &str,
    bytes_max: usize,
    to: &mut Vec<u8>,
    mut permit: impl FnMut(usize) -> Result<(), RequestError>,
) -> Result<(), RequestError> {
    let mut left = bytes_max;
    let mut step = vec![0; STEP_BYTES];
    loop {
        let read = match from.read(&mut step) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) => return Err(RequestError::invalid(format!("the body is not whole in {name}: {error}"))),
        };
        left = left.checked_sub(read).ok_or_else(|| {
            let message = format!("the body is larger than the limit of {bytes_max} bytes once it is inflated");
            RequestError::new(StatusCode::PAYLOAD_TOO_LARGE, message)
        })?;
        permit(read)?;
        to.extend_from_slice(&step[..read]);
    }
}
