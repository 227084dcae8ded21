//! Personal columns as keyed hashes: the same person has the same value, and without the key nobody learns whose it is.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use ring::hmac;

use crate::ServeError;

/// A shorter key could be guessed.
const KEY_BYTES_MIN: usize = 16;

/// A key for hashes in the inference log.
#[derive(Clone, PartialEq, Eq)]
pub struct HashKey(Vec<u8>);

impl HashKey {
    /// The bytes of a key without white space around them, at least 16.
    pub fn new(bytes: &[u8]) -> Result<Self, ServeError> {
        let bytes = bytes.trim_ascii();
        if bytes.len() < KEY_BYTES_MIN {
            return Err(ServeError::HashKey { found: bytes.len(), least: KEY_BYTES_MIN });
        }
        Ok(Self(bytes.to_vec()))
    }

    /// The value that stands for `text` in a log: the first half of HMAC-SHA256 as 32 hexadecimal digits.
    pub fn hash(&self, text: &str) -> String {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.0), text.as_bytes());
        tag.as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl std::fmt::Debug for HashKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HashKey(…)")
    }
}

/// The batch with the values of these columns hashed. Missing values stay missing.
pub(super) fn hashed(batch: &RecordBatch, names: &[String], key: &HashKey) -> RecordBatch {
    let schema = batch.schema();
    let mut fields: Vec<Arc<Field>> = schema.fields().iter().cloned().collect();
    let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
    for name in names {
        let Ok(at) = schema.index_of(name) else { continue };
        let column = batch.column(at);
        let texts = ArrayFormatter::try_new(column, &FormatOptions::default());
        let value = |row: usize| match &texts {
            Ok(texts) if !column.is_null(row) => Some(key.hash(&texts.value(row).to_string())),
            _ => None,
        };
        let values: StringArray = (0..batch.num_rows()).map(value).collect();
        columns[at] = Arc::new(values);
        fields[at] = Arc::new(Field::new(name, DataType::Utf8, true));
    }
    // The columns have the lengths and types that were just written.
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap_or_else(|_| batch.clone())
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, Int64Array};

    use super::*;

    #[test]
    fn hashes_are_those_of_rfc_4231() {
        // Test case 2 of RFC 4231 has a short key, test cases 1 and 6 have 20 and 131 bytes.
        let long = HashKey::new(&[0xaa; 131]).unwrap();
        assert_eq!(
            long.hash("Test Using Larger Than Block-Size Key - Hash Key First"),
            "60e431591ee0b67f0d8a26aacbf5b77f"
        );
        assert_eq!(HashKey(vec![0x0b; 20]).hash("Hi There"), "b0344c61d8db38535ca8afceaf0bf12b");
        assert!(HashKey::new(b"short\n").is_err());
    }

    #[test]
    fn only_the_named_columns_are_hashed() {
        let key = HashKey::new(b"sixteen bytes or more").unwrap();
        let column = || Arc::new(Int64Array::from(vec![Some(7), None])) as ArrayRef;
        let batch = RecordBatch::try_from_iter([("rider", column()), ("fare", column())]).unwrap();
        let hashed = hashed(&batch, &["rider".to_owned(), "gone".to_owned()], &key);
        assert_eq!(hashed.column(0).as_string::<i32>().value(0), key.hash("7"));
        assert!(hashed.column(0).is_null(1));
        assert_eq!(hashed.column(1), batch.column(1));
    }
}
