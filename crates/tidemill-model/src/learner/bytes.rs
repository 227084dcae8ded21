//! Reading and writing the bytes of learners.

use crate::trees::invalid;
use crate::{ModelError, Task};

/// Reads the bytes of a learner. Every read is checked against the remaining bytes.
pub(super) struct ByteReader<'a>(&'a [u8]);

impl<'a> ByteReader<'a> {
    /// A reader after the header `magic` and `version`; `what` is for messages: `a linear model`.
    pub(super) fn new(bytes: &'a [u8], magic: [u8; 8], version: u32, what: &str) -> Result<Self, ModelError> {
        let mut reader = Self(bytes);
        if reader.take(8)? != magic {
            return Err(invalid(format!("the bytes are not {what}")));
        }
        match reader.u32()? {
            found if found == version => Ok(reader),
            found => Err(invalid(format!("{what} of format {found}, and this version of Tidemill reads {version}"))),
        }
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], ModelError> {
        let (front, rest) = self.0.split_at_checked(count).ok_or_else(|| invalid("the bytes end too early"))?;
        self.0 = rest;
        Ok(front)
    }

    pub(super) fn u32(&mut self) -> Result<u32, ModelError> {
        Ok(self.take(4)?.first_chunk().map_or(0, |number| u32::from_le_bytes(*number)))
    }

    /// Reads a count of items of at least `bytes_each` bytes each; no more than can remain.
    pub(super) fn count(&mut self, bytes_each: usize) -> Result<usize, ModelError> {
        let count = self.u32()? as usize;
        if count > self.0.len() / bytes_each.max(1) {
            return Err(invalid(format!("{count} parts are more than the bytes hold")));
        }
        Ok(count)
    }

    /// A finite number.
    pub(super) fn f64(&mut self) -> Result<f64, ModelError> {
        let bits = self.take(8)?.first_chunk().map_or(0, |number| u64::from_le_bytes(*number));
        let number = f64::from_bits(bits);
        if number.is_finite() { Ok(number) } else { Err(invalid(format!("a number is {number}"))) }
    }

    /// `count` finite numbers of 32 bits.
    pub(super) fn f32s(&mut self, count: usize) -> Result<Vec<f32>, ModelError> {
        let bytes = self.take(count.checked_mul(4).ok_or_else(|| invalid("a table is too large"))?)?;
        let numbers: Vec<f32> =
            bytes.as_chunks::<4>().0.iter().map(|number| f32::from_bits(u32::from_le_bytes(*number))).collect();
        match numbers.iter().find(|number| !number.is_finite()) {
            Some(number) => Err(invalid(format!("a number is {number}"))),
            None => Ok(numbers),
        }
    }

    /// `count` finite numbers of 64 bits.
    pub(super) fn f64s(&mut self, count: usize) -> Result<Vec<f64>, ModelError> {
        if count > self.0.len() / 8 {
            return Err(invalid("the bytes end too early"));
        }
        (0..count).map(|_| self.f64()).collect()
    }

    /// A task as [`push_task`] wrote it.
    pub(super) fn task(&mut self) -> Result<Task, ModelError> {
        Ok(match self.u32()? {
            0 => Task::Binary,
            1 => Task::Regression,
            2 => {
                let count = self.count(4)?;
                Task::MultiClass { classes: (0..count).map(|_| self.text()).collect::<Result<_, _>>()? }
            }
            other => return Err(invalid(format!("the task has the number {other}"))),
        })
    }

    pub(super) fn text(&mut self) -> Result<String, ModelError> {
        let length = self.count(1)?;
        let text = std::str::from_utf8(self.take(length)?).map_err(|_| invalid("a name is not UTF-8"))?;
        Ok(text.to_owned())
    }

    /// The bytes that are left.
    pub(super) fn rest(self) -> &'a [u8] {
        self.0
    }

    /// Returns an error if bytes are left.
    pub(super) fn finish(self) -> Result<(), ModelError> {
        if self.0.is_empty() { Ok(()) } else { Err(invalid(format!("{} bytes are left over", self.0.len()))) }
    }
}

/// The header of a learner's bytes.
pub(super) fn head(magic: [u8; 8], version: u32) -> Vec<u8> {
    let mut bytes = magic.to_vec();
    push_u32(&mut bytes, version);
    bytes
}

pub(super) fn push_u32(bytes: &mut Vec<u8>, number: u32) {
    bytes.extend_from_slice(&number.to_le_bytes());
}

pub(super) fn push_f64(bytes: &mut Vec<u8>, number: f64) {
    bytes.extend_from_slice(&number.to_le_bytes());
}

pub(super) fn push_text(bytes: &mut Vec<u8>, text: &str) {
    push_u32(bytes, text.len() as u32);
    bytes.extend_from_slice(text.as_bytes());
}

pub(super) fn push_f32s(bytes: &mut Vec<u8>, numbers: &[f32]) {
    numbers.iter().for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()));
}

pub(super) fn push_f64s(bytes: &mut Vec<u8>, numbers: &[f64]) {
    numbers.iter().for_each(|number| push_f64(bytes, *number));
}

/// A task of classes or of an amount: its number (u32: 0 binary, 1 regression, 2 classes), and for classes their count and
/// names.
pub(super) fn push_task(bytes: &mut Vec<u8>, task: &Task) {
    match task {
        Task::Binary => push_u32(bytes, 0),
        Task::MultiClass { classes } => {
            push_u32(bytes, 2);
            push_u32(bytes, classes.len() as u32);
            classes.iter().for_each(|name| push_text(bytes, name));
        }
        _ => push_u32(bytes, 1),
    }
}

/// Refuses a task that is neither of classes nor of an amount. `what` is for messages: `a network`.
pub(super) fn check_task(task: &Task, what: &str) -> Result<(), ModelError> {
    if !matches!(task, Task::Binary | Task::Regression | Task::MultiClass { .. }) {
        return Err(invalid(format!("{what} does not predict the task {task}")));
    }
    task.check().map_err(invalid)
}
