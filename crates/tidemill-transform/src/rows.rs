//! Where rows come from.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use tidemill_core::Digest;
use tidemill_data::{DataError, Examples, HistoryInfo};

/// Batches of rows, in an order that never changes.
pub type RowReader<'a> = Box<dyn Iterator<Item = Result<RecordBatch, DataError>> + Send + 'a>;

/// Rows of a split whose analysis can be kept: those of a span.
#[derive(Debug, Clone)]
pub struct Piece {
    /// The same where the rows are; none: nothing is kept.
    pub id: Option<Digest>,
    /// How many rows.
    pub rows: u64,
}

/// Splits of rows that can be read again and again.
pub trait SplitSource: Sync {
    /// The columns of every split.
    fn schema(&self) -> SchemaRef;
    /// Name and rows of each split.
    fn splits(&self) -> Vec<(String, u64)>;
    /// The rows of a split in pieces, one after the other.
    fn pieces(&self, split: &str) -> Vec<Piece> {
        let rows = self.splits().iter().find(|(name, _)| name == split).map_or(0, |(_, rows)| *rows);
        vec![Piece { id: None, rows }]
    }
    /// The rows of one of the pieces of a split, otherwise as [`read`](Self::read).
    fn read_piece<'a>(&'a self, split: &str, _piece: usize, columns: &[&str]) -> Result<RowReader<'a>, DataError> {
        self.read(split, columns)
    }
    /// What came before each row, where the rows say how far that reaches.
    fn histories(&self) -> Vec<HistoryInfo> {
        Vec::new()
    }
    /// The rows of a split with only the `columns` named.
    fn read<'a>(&'a self, split: &str, columns: &[&str]) -> Result<RowReader<'a>, DataError>;
}

impl SplitSource for Examples {
    fn schema(&self) -> SchemaRef {
        self.schema()
    }

    fn splits(&self) -> Vec<(String, u64)> {
        self.splits().iter().map(|split| (split.name.clone(), split.rows)).collect()
    }

    fn pieces(&self, split: &str) -> Vec<Piece> {
        let id = |digests: &[Digest]| {
            let mut hasher = blake3::Hasher::new();
            for digest in digests {
                hasher.update(digest.to_string().as_bytes());
            }
            (!digests.is_empty()).then(|| Digest::from_bytes(hasher.finalize().as_bytes()))
        };
        self.pieces(split).iter().map(|piece| Piece { id: id(&piece.digests), rows: piece.rows }).collect()
    }

    fn read_piece<'a>(&'a self, split: &str, piece: usize, columns: &[&str]) -> Result<RowReader<'a>, DataError> {
        match self.pieces(split).get(piece) {
            Some(piece) => Ok(Box::new(self.piece_batches(split, piece, Some(columns))?)),
            None => Ok(Box::new(std::iter::empty())),
        }
    }

    fn histories(&self) -> Vec<HistoryInfo> {
        self.manifest().histories.clone()
    }

    fn read<'a>(&'a self, split: &str, columns: &[&str]) -> Result<RowReader<'a>, DataError> {
        Ok(Box::new(self.batches(split, Some(columns))?))
    }
}

/// Splits held in memory.
#[derive(Debug, Clone)]
pub struct MemoryRows {
    schema: SchemaRef,
    splits: Vec<(String, Vec<RecordBatch>)>,
}

impl MemoryRows {
    /// Named splits of batches, which all have `schema`.
    pub fn new(schema: SchemaRef, splits: Vec<(String, Vec<RecordBatch>)>) -> Self {
        Self { schema, splits }
    }
}

impl SplitSource for MemoryRows {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn splits(&self) -> Vec<(String, u64)> {
        let rows = |batches: &[RecordBatch]| batches.iter().map(|batch| batch.num_rows() as u64).sum();
        self.splits.iter().map(|(name, batches)| (name.clone(), rows(batches))).collect()
    }

    /// A split that does not exist has no rows; a column that does not exist is left out.
    fn read<'a>(&'a self, split: &str, columns: &[&str]) -> Result<RowReader<'a>, DataError> {
        let indices: Vec<usize> = columns.iter().filter_map(|name| self.schema.index_of(name).ok()).collect();
        let batches = self.splits.iter().find(|(name, _)| name == split).map_or(&[][..], |(_, batches)| batches);
        Ok(Box::new(batches.iter().filter_map(move |batch| batch.project(&indices).ok().map(Ok))))
    }
}
