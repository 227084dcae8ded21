//! The JSON dialect of TF Serving: JSON, plus the bare tokens `NaN`, `Infinity` and `-Infinity`.
//!
//! `serde_json` rejects these tokens and turns large integers into floating-point numbers. So requests are read by
//! [`Reader`], a pull parser that returns numbers as text and builds no tree, and responses are written by the
//! functions of [`write`].

mod number;
mod reader;
pub(crate) mod write;

pub(crate) use number::Number;
pub(crate) use reader::{JsonError, Kind, Reader};
