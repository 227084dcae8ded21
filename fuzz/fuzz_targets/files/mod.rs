//! Bytes as a file.

use tidemill_data::{ReadOptions, Table};

/// Reads a file of these bytes to its end. Rows in must be rows out.
pub fn read_all(bytes: &[u8], options: ReadOptions) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), bytes).expect("bytes are written");
    let Ok(table) = Table::open(file.path(), &options) else { return };
    let reader = table.read().expect("what could be opened can be read");
    let rows: usize = reader.map(|batch| batch.expect("a file that was checked").num_rows()).sum();
    assert!(table.row_count().is_none_or(|count| count == rows as u64), "rows in are rows out");
}
