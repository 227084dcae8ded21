//! Unary calls, such as the predict methods: the frame around the message, without the cost of streaming.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{BufMut as _, Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Frame, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, Response};
use prost::Message;
use tonic::Status;
use tonic::body::Body;

use super::body::RequestBody;

/// Bytes before a message: the compression flag and the length.
pub(crate) const HEAD_BYTES: usize = 5;

/// Reads the message of a request, which may have up to `bytes_max` bytes.
pub(crate) async fn message(mut body: RequestBody, bytes_max: usize) -> Result<Bytes, Status> {
    let mut whole = Bytes::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        whole = if whole.is_empty() { data } else { joined(whole, &data) };
        // A message that is too long is rejected before it has arrived.
        if let Some(length) = length(&whole)?
            && length > bytes_max
        {
            return Err(Status::out_of_range(format!(
                "the message has {length} bytes, and {bytes_max} is the most that is taken"
            )));
        }
        if body.is_end_stream() {
            break;
        }
    }
    let length = length(&whole)?.ok_or_else(|| Status::internal("the request holds no message"))?;
    let given = whole.len() - HEAD_BYTES;
    if given != length {
        return Err(Status::internal(format!("the message declares {length} bytes, but has {given}")));
    }
    Ok(whole.slice(HEAD_BYTES..))
}

fn joined(whole: Bytes, data: &[u8]) -> Bytes {
    // Nobody else shares the buffer, so it grows in place.
    let mut whole = whole.try_into_mut().unwrap_or_else(|whole| BytesMut::from(&*whole));
    whole.extend_from_slice(data);
    whole.freeze()
}

/// The length in the header; `None` if it has not arrived.
fn length(bytes: &[u8]) -> Result<Option<usize>, Status> {
    match bytes.split_first_chunk::<HEAD_BYTES>() {
        Some(([0, length @ ..], _)) => Ok(Some(u32::from_be_bytes(*length) as usize)),
        // Messages in a known compression are decompressed before they arrive here.
        Some(([1, ..], _)) => Err(Status::unimplemented(
            "the message is compressed in a way that is not supported: `grpc-encoding` may be `gzip` or `deflate`",
        )),
        Some(([flag, ..], _)) => Err(Status::internal(format!("the compression flag is {flag}, not 0 or 1"))),
        None => Ok(None),
    }
}

/// The response that contains `message`.
pub(crate) fn answer(message: &impl Message) -> Response<Body> {
    let length = message.encoded_len();
    let Ok(head) = u32::try_from(length) else {
        return Status::out_of_range(format!("the answer has {length} bytes, more than a message can")).into_http();
    };
    let mut bytes = BytesMut::with_capacity(HEAD_BYTES + length);
    bytes.put_u8(0);
    bytes.put_u32(head);
    message.encode_raw(&mut bytes);
    let mut response = Response::new(Body::new(UnaryBody { message: Some(bytes.freeze()), is_over: false }));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

/// A message, then the status OK.
struct UnaryBody {
    message: Option<Bytes>,
    is_over: bool,
}

impl hyper::body::Body for UnaryBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(message) = self.message.take() {
            return Poll::Ready(Some(Ok(Frame::data(message))));
        }
        if std::mem::replace(&mut self.is_over, true) {
            return Poll::Ready(None);
        }
        let mut trailers = HeaderMap::with_capacity(1);
        trailers.insert(Status::GRPC_STATUS, HeaderValue::from_static("0"));
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.is_over
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_five_bytes() {
        let of = |bytes: &[u8]| length(bytes).map_err(|status| status.code());
        assert_eq!(of(&[0, 0, 0, 0]), Ok(None));
        assert_eq!(of(&[0, 0, 0, 1, 2, 9]), Ok(Some(258)));
        assert_eq!(of(&[1, 0, 0, 0, 0]), Err(tonic::Code::Unimplemented));
        assert_eq!(of(&[2, 0, 0, 0, 0]), Err(tonic::Code::Internal));
    }
}
