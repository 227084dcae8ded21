//! The JSON dialect of TF Serving: JSON, plus the bare tokens `NaN`, `Infinity` and `-Infinity`.
//!
//! `serde_json` refuses these tokens and turns large integers into floating-point numbers, so requests are read by
//! [`Reader`], a pull parser that hands numbers out as text and builds no tree, and answers are written by the
//! functions of [`write`].

mod number;
mod reader;
pub(crate) mod write;

pub(crate) use number::Number;
pub(crate) use reader::{JsonError, Kind, Reader};
