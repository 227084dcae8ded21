//! The context of a request outside its body: start time, request id, trace.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};

use crate::inference::input_check::InputFindings;

/// The header with the client's id for its request; the response repeats it.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// W3C Trace Context.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// Inputs that the schema of the training data does not allow: `fare=FLOAT_TYPE_SMALL_FLOAT, …`.
const INPUT_FLAGS: HeaderName = HeaderName::from_static("x-tidemill-input-flags");
/// What answered a request to an endpoint: `champion/3`.
const ROUTE: HeaderName = HeaderName::from_static("x-tidemill-route");
/// Longer ids are ignored.
const ID_BYTES_MAX: usize = 128;

/// The context of a request outside its body.
#[derive(Debug, Clone)]
pub(crate) struct RequestContext {
    pub(crate) started: Instant,
    /// The request id: the client's, or one generated here.
    pub(crate) id: Option<HeaderValue>,
    /// The trace it belongs to, if the client sent one.
    pub(crate) trace: Option<TraceParent>,
    /// The findings of its inputs, if they are checked.
    pub(crate) flags: Option<InputFindings>,
    /// What endpoints need, if there are endpoints.
    pub(crate) attributes: Option<Arc<RequestAttributes>>,
}

/// A request outside its body, as endpoints see it; and the way that it took through one.
#[derive(Debug, Default)]
pub(crate) struct RequestAttributes {
    pub(crate) headers: HeaderMap,
    pub(crate) id: Option<HeaderValue>,
    /// Set by the endpoint that answers.
    pub(crate) route: OnceLock<RouteTrail>,
}

/// What answered a request.
#[derive(Debug)]
pub(crate) struct RouteTrail {
    /// What answered some rows: `champion/3`, `night > rules`.
    pub(crate) parts: Vec<Arc<str>>,
    /// For each row, the part that answered it; `None` if one answered all.
    pub(crate) rows: Option<Vec<u32>>,
}

impl RouteTrail {
    /// What answered a row.
    pub(crate) fn of_row(&self, row: usize) -> &str {
        let part = self.rows.as_ref().map_or(0, |rows| rows.get(row).map_or(0, |part| *part as usize));
        self.parts.get(part).map_or("", |part| &**part)
    }
}

impl std::fmt::Display for RouteTrail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut told: Vec<&str> = Vec::new();
        for part in &self.parts {
            if !told.contains(&&**part) {
                told.push(part);
            }
        }
        f.write_str(&told.join(", "))
    }
}

/// The header `traceparent` of version 00: `00-TRACE-SPAN-FLAGS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TraceParent {
    pub(crate) trace: u128,
    pub(crate) span: u64,
    pub(crate) flags: u8,
}

/// Generates ids for requests without one: different for every request of every process.
#[derive(Debug)]
pub(crate) struct RequestIds {
    prefix: u64,
    next: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new() -> Self {
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
        // Two processes that start in the same nanosecond still differ in their ids.
        let prefix = nanos.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(std::process::id());
        Self { prefix, next: AtomicU64::new(0) }
    }

    fn next_id(&self) -> Option<HeaderValue> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        HeaderValue::from_str(&format!("{:016x}-{number:x}", self.prefix)).ok()
    }
}

impl RequestContext {
    /// Reads the headers of a request; a request without an id gets one from `names`, if given.
    pub(crate) fn of(headers: &HeaderMap, started: Instant, names: Option<&RequestIds>) -> Self {
        let given = headers.get(REQUEST_ID).filter(|id| is_name(id.as_bytes())).cloned();
        let id = given.or_else(|| names.and_then(RequestIds::next_id));
        let trace = headers.get(TRACEPARENT).and_then(|value| TraceParent::parse(value.as_bytes()));
        Self { started, id, trace, flags: None, attributes: None }
    }

    /// Adds the request id, the trace and the input findings to the response headers.
    pub(crate) fn write_headers(&self, headers: &mut HeaderMap) {
        if let Some(id) = &self.id {
            headers.insert(REQUEST_ID, id.clone());
        }
        if let Some(value) = self.trace.and_then(|trace| HeaderValue::from_str(&trace.to_string()).ok()) {
            headers.insert(TRACEPARENT, value);
        }
        if let Some(flags) = self.flagged() {
            headers.insert(INPUT_FLAGS, flags);
        }
        let route = self.attributes.as_ref().and_then(|attributes| attributes.route.get());
        if let Some(route) = route.and_then(|route| HeaderValue::from_str(&route.to_string()).ok()) {
            headers.insert(ROUTE, route);
        }
    }

    /// The findings of its inputs.
    fn flagged(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(self.flags.as_ref()?.get()?).ok()
    }

    /// The request id; empty if it has none.
    pub(crate) fn id(&self) -> &str {
        self.id.as_ref().and_then(|id| id.to_str().ok()).unwrap_or_default()
    }
}

fn is_name(text: &[u8]) -> bool {
    !text.is_empty() && text.len() <= ID_BYTES_MAX && text.iter().all(|byte| (0x20..0x7f).contains(byte))
}

impl TraceParent {
    /// Parses the header. Returns `None` for a value that is invalid by the recommendation. Later versions are parsed
    /// as version 00, as the recommendation requires.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let mut parts = text.split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_hex = |part: &str, length| {
            part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let more = parts.next().is_some();
        if !is_hex(version, 2) || version == "ff" || (version == "00" && more) {
            return None;
        }
        if !(is_hex(trace, 32) && is_hex(span, 16) && is_hex(flags, 2)) {
            return None;
        }
        let trace = u128::from_str_radix(trace, 16).ok().filter(|trace| *trace != 0)?;
        let span = u64::from_str_radix(span, 16).ok().filter(|span| *span != 0)?;
        Some(Self { trace, span, flags: u8::from_str_radix(flags, 16).ok()? })
    }
}

impl std::fmt::Display for TraceParent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, self.flags)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_examples_of_the_recommendation() {
        let parse = |text: &str| TraceParent::parse(text.as_bytes());
        let example = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let expected =
            TraceParent { trace: 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736, span: 0x00f0_67aa_0ba9_02b7, flags: 1 };
        assert_eq!(parse(example), Some(expected));
        assert_eq!(expected.to_string(), example);
        assert_eq!(parse("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-next"), Some(expected));
        for wrong in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_request_keeps_its_name_and_one_without_gets_one_where_names_are_given() {
        let headers =
            |name: &str| HeaderMap::from_iter([(REQUEST_ID, HeaderValue::from_bytes(name.as_bytes()).unwrap())]);
        let names = RequestIds::new();
        let of = |headers: &HeaderMap, names| RequestContext::of(headers, Instant::now(), names).id().to_owned();
        assert_eq!(of(&headers("a-1"), Some(&names)), "a-1");
        assert_eq!(of(&HeaderMap::new(), None), "");
        let (first, second) = (of(&HeaderMap::new(), Some(&names)), of(&headers(&"x".repeat(129)), Some(&names)));
        assert!(first != second && first.len() > 16 && second.len() < 129, "{first} {second}");
        let mut answer = HeaderMap::new();
        RequestContext::of(&headers("a-1"), Instant::now(), None).write_headers(&mut answer);
        assert_eq!(answer[&REQUEST_ID], "a-1");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Some(trace) = TraceParent::parse(&bytes) {
                prop_assert_eq!(TraceParent::parse(trace.to_string().as_bytes()), Some(trace));
            }
        }
    }
}
