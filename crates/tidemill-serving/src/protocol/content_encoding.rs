//! Bodies that come compressed.

use std::io::Read;

use flate2::read::{MultiGzDecoder, ZlibDecoder};
use hyper::header::CONTENT_ENCODING;
use hyper::{HeaderMap, StatusCode};

use crate::inference::request_error::RequestError;

/// Where gRPC says how messages are compressed.
const MESSAGE_ENCODING: &str = "grpc-encoding";
/// So much is inflated at one go, and room made for it.
const STEP_BYTES: usize = 64 << 10;

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContentEncoding {
    Gzip,
    /// With zlib's head, as HTTP has it.
    Deflate,
}

impl ContentEncoding {
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

    /// As [`of`](Self::of), of the messages of a gRPC call. What is not known is left to those who say so.
    pub(crate) fn of_messages(headers: &mut HeaderMap) -> Option<Self> {
        let coding = match headers.get(MESSAGE_ENCODING)?.as_bytes() {
            b"gzip" => Self::Gzip,
            b"deflate" => Self::Deflate,
            _ => return None,
        };
        headers.remove(MESSAGE_ENCODING);
        Some(coding)
    }

    /// Appends the body as it was to `to`: 413 where it is larger than `bytes_max`, 400 where it is damaged. Before it
    /// grows, `permit` is asked.
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
