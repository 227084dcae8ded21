//! Turns a compressed gRPC message into an uncompressed one.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use hyper::StatusCode;
use tonic::Status;

use super::call::GrpcCall;
use super::unary::HEAD_BYTES;
use crate::inference::request_error::RequestError;
use crate::protocol::content_encoding::ContentEncoding;

/// Collects a message and decompresses it on the threads for slow work.
pub(crate) struct DecompressingBody {
    coding: ContentEncoding,
    call: Arc<GrpcCall>,
    stage: Stage,
}

enum Stage {
    Collecting(BytesMut),
    Working(Pin<Box<dyn Future<Output = Result<Vec<u8>, RequestError>> + Send>>),
    Over,
}

impl DecompressingBody {
    pub(crate) fn new(coding: ContentEncoding, call: Arc<GrpcCall>) -> Self {
        Self { coding, call, stage: Stage::Collecting(BytesMut::new()) }
    }

    /// Whether the body has ended.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    /// Adds more bytes of the message.
    pub(crate) fn push(&mut self, data: &[u8]) -> Result<(), Status> {
        let bytes_max = self.call.service.limits.body_bytes_max;
        let Stage::Collecting(whole) = &mut self.stage else { return Ok(()) };
        if whole.len() + data.len() > bytes_max + HEAD_BYTES {
            return Err(Status::out_of_range(format!("the message is larger than the limit of {bytes_max} bytes")));
        }
        whole.extend_from_slice(data);
        Ok(())
    }

    /// The decompressed message with its header, once all of it has been pushed; `None` afterwards.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        loop {
            match &mut self.stage {
                Stage::Over => return Poll::Ready(None),
                Stage::Working(work) => {
                    let inflated = ready!(work.as_mut().poll(context));
                    self.stage = Stage::Over;
                    return Poll::Ready(Some(inflated.map(Bytes::from).map_err(status)));
                }
                Stage::Collecting(whole) => {
                    let whole = std::mem::take(whole).freeze();
                    if whole.first() != Some(&1) {
                        // A message may be uncompressed all the same.
                        self.stage = Stage::Over;
                        return Poll::Ready((!whole.is_empty()).then_some(Ok(whole)));
                    }
                    let (coding, call) = (self.coding, Arc::clone(&self.call));
                    self.stage = Stage::Working(Box::pin(async move {
                        let work = Arc::clone(&call);
                        call.service.off_thread(move || inflate(coding, &work, &whole)).await
                    }));
                }
            }
        }
    }
}

/// A header with the length, then the message.
fn inflate(coding: ContentEncoding, call: &GrpcCall, whole: &[u8]) -> Result<Vec<u8>, RequestError> {
    let Some(([_, length @ ..], message)) = whole.split_first_chunk::<HEAD_BYTES>() else {
        return Err(RequestError::invalid("the message is cut short"));
    };
    let length = u32::from_be_bytes(*length) as usize;
    if length != message.len() {
        let given = message.len();
        return Err(RequestError::invalid(format!("the message declares {length} bytes, but has {given}")));
    }
    let mut inflated = vec![0; HEAD_BYTES];
    coding.inflate(message, call.service.limits.body_bytes_max, &mut inflated, |bytes| call.reserve(bytes))?;
    let length = u32::try_from(inflated.len() - HEAD_BYTES)
        .map_err(|_| RequestError::invalid("the message is larger than a message can be"))?;
    inflated[1..HEAD_BYTES].copy_from_slice(&length.to_be_bytes());
    Ok(inflated)
}

/// A message that is too large gets the same code as an uncompressed one.
fn status(error: RequestError) -> Status {
    if error.status == StatusCode::PAYLOAD_TOO_LARGE {
        return Status::out_of_range(error.message);
    }
    Status::from(error)
}

impl fmt::Debug for DecompressingBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecompressingBody").field("coding", &self.coding).finish_non_exhaustive()
    }
}
