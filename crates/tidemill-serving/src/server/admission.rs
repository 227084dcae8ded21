//! Limits on concurrent work. Requests beyond them are rejected at once, before they cost anything.

use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::StatusCode;

use crate::inference::request_error::RequestError;

/// Counts active requests and the bytes of their bodies. Entering is one addition, leaving one subtraction.
#[derive(Debug)]
pub(crate) struct Admission {
    requests: AtomicUsize,
    requests_max: usize,
    bytes: AtomicUsize,
    bytes_max: usize,
}

/// An active request; ends when dropped.
#[derive(Debug)]
pub(crate) struct Entry<'a>(&'a Admission);

/// A permit to hold bytes of a body in memory; released when dropped.
#[derive(Debug)]
pub(crate) struct BodyBytesPermit<A: Deref<Target = Admission>> {
    admission: A,
    bytes: usize,
}

impl<A: Deref<Target = Admission>> BodyBytesPermit<A> {
    /// A permit for no bytes yet.
    pub(crate) fn new(admission: A) -> Self {
        Self { admission, bytes: 0 }
    }

    /// Reserves more bytes.
    pub(crate) fn reserve(&mut self, bytes: usize) -> Result<(), RequestError> {
        self.bytes += bytes;
        self.admission.acquire(bytes)
    }
}

impl<A: Deref<Target = Admission>> Drop for BodyBytesPermit<A> {
    fn drop(&mut self) {
        self.admission.release(self.bytes);
    }
}

impl Admission {
    pub(crate) fn new(requests_max: usize, bytes_max: usize) -> Self {
        Self { requests: AtomicUsize::new(0), requests_max, bytes: AtomicUsize::new(0), bytes_max }
    }

    /// Admits a request, or rejects it.
    pub(crate) fn enter(&self) -> Result<Entry<'_>, RequestError> {
        let entry = Entry(self);
        if self.requests.fetch_add(1, Ordering::Relaxed) < self.requests_max {
            return Ok(entry);
        }
        let max = self.requests_max;
        Err(too_many(format!("the server is answering {max} requests, which is its limit: try again shortly")))
    }

    /// Reserves memory for bytes of a body, or rejects it. The bytes must be returned with [`release`](Self::release),
    /// also after a rejection.
    pub(crate) fn acquire(&self, bytes: usize) -> Result<(), RequestError> {
        if self.bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) <= self.bytes_max {
            return Ok(());
        }
        let max = self.bytes_max;
        Err(too_many(format!("the bodies of requests fill the {max} bytes the server has for them: try again shortly")))
    }

    /// Releases bytes of a body.
    pub(crate) fn release(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Whether the next request would be rejected.
    pub(crate) fn is_full(&self) -> bool {
        self.requests.load(Ordering::Relaxed) >= self.requests_max
            || self.bytes.load(Ordering::Relaxed) >= self.bytes_max
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

fn too_many(message: String) -> RequestError {
    RequestError::new(StatusCode::TOO_MANY_REQUESTS, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_or_ends_leaves_no_trace() {
        let admission = Admission::new(2, 100);
        let (first, _second) = (admission.enter().unwrap(), admission.enter().unwrap());
        assert!(admission.is_full());
        assert_eq!(admission.enter().unwrap_err().status, StatusCode::TOO_MANY_REQUESTS);
        drop(first);
        assert!(!admission.is_full() && admission.enter().is_ok());

        admission.acquire(60).unwrap();
        assert!(admission.acquire(41).unwrap_err().message.contains("100 bytes"));
        admission.release(41);
        admission.acquire(40).unwrap();
        assert!(admission.is_full());
        admission.release(100);
        assert_eq!((admission.bytes.load(Ordering::Relaxed), admission.requests.load(Ordering::Relaxed)), (0, 1));
    }
}
