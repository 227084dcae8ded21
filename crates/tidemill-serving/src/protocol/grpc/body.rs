//! Request bodies with a deadline.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::Sleep;
use tonic::Status;

use super::call::GrpcCall;
use super::decompressing::DecompressingBody;

/// A body that is certain to end.
pub(crate) struct RequestBody {
    inner: Incoming,
    call: Arc<GrpcCall>,
    deadline: BodyDeadline,
    /// Decompresses the message, if it is compressed.
    decompressing: Option<DecompressingBody>,
    all_came: bool,
}

enum BodyDeadline {
    /// Time limit for the whole body; the clock starts at the first poll.
    Limited { limit: Duration, clock: Option<Pin<Box<Sleep>>> },
    /// The client may send messages as long as the server runs.
    UntilDrained(Pin<Box<dyn Future<Output = ()> + Send>>),
}

impl RequestBody {
    /// A body that must arrive within `limit`.
    pub(crate) fn limited(inner: Incoming, call: Arc<GrpcCall>, limit: Duration) -> Self {
        let decompressing = call.coding.map(|coding| DecompressingBody::new(coding, Arc::clone(&call)));
        Self { inner, call, deadline: BodyDeadline::Limited { limit, clock: None }, decompressing, all_came: false }
    }

    /// A body that ends when the server shuts down.
    pub(crate) fn until_drained(inner: Incoming, call: Arc<GrpcCall>) -> Self {
        let mut draining = call.service.draining();
        let drained = async move {
            // An error means that the server is gone.
            let _ = draining.wait_for(|draining| *draining).await;
        };
        Self {
            inner,
            call,
            deadline: BodyDeadline::UntilDrained(Box::pin(drained)),
            decompressing: None,
            all_came: false,
        }
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.decompressing.is_none() {
            return self.poll_inner(context);
        }
        loop {
            if self.all_came
                && let Some(decompressing) = self.decompressing.as_mut()
            {
                return decompressing.poll(context).map(|message| message.map(|message| message.map(Frame::data)));
            }
            match ready!(self.poll_inner(context)) {
                None => self.all_came = true,
                Some(Err(status)) => return Poll::Ready(Some(Err(status))),
                Some(Ok(frame)) => {
                    let pushed = match (self.decompressing.as_mut(), frame.data_ref()) {
                        (Some(decompressing), Some(data)) => decompressing.push(data),
                        _ => Ok(()),
                    };
                    if let Err(status) = pushed {
                        return Poll::Ready(Some(Err(status)));
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.decompressing.as_ref().map_or_else(|| self.inner.is_end_stream(), DecompressingBody::is_over)
    }

    fn size_hint(&self) -> SizeHint {
        if self.decompressing.is_some() { SizeHint::default() } else { self.inner.size_hint() }
    }
}

impl RequestBody {
    /// Passes data on as it arrives.
    fn poll_inner(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(context) {
            let broken = |error| Status::cancelled(format!("the request could not be read: {error}"));
            let held = |frame: Frame<Bytes>| {
                // Only the last message of a stream is in memory.
                if matches!(self.deadline, BodyDeadline::Limited { .. }) {
                    self.call.reserve(frame.data_ref().map_or(0, Bytes::len))?;
                }
                Ok(frame)
            };
            return Poll::Ready(frame.map(|frame| frame.map_err(broken).and_then(held)));
        }
        match &mut self.deadline {
            BodyDeadline::Limited { limit, clock } => {
                let clock = clock.get_or_insert_with(|| Box::pin(tokio::time::sleep(*limit)));
                let late = || Some(Err(Status::deadline_exceeded("the request did not arrive in time")));
                clock.as_mut().poll(context).map(|()| late())
            }
            BodyDeadline::UntilDrained(drained) => drained.as_mut().poll(context).map(|()| None),
        }
    }
}
