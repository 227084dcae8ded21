//! A transform graph ready to run, with reusable memory.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use serde_json::Value;

use crate::input::{InputShape, Strictness};
use crate::{BatchBuilder, BoundGraph, FeatureBlock, ModelError, TransformGraph};

/// Blocks kept for reuse; more concurrent threads than this allocate new ones.
const BLOCKS_MAX: usize = 64;
/// A larger block is not kept.
const BLOCK_ROWS_MAX: usize = 65_536;

/// Turns raw columns into features for any learner.
#[derive(Debug)]
pub struct Features {
    graph: TransformGraph,
    shape: Arc<InputShape>,
    /// The graph bound to the columns of its [`BatchBuilder`]s.
    bound: BoundGraph,
    blocks: Mutex<Vec<FeatureBlock>>,
}

impl Features {
    /// Binds a graph to the columns of its own builders.
    pub fn new(graph: TransformGraph) -> Result<Self, ModelError> {
        let shape = Arc::new(InputShape::of_graph(&graph));
        let bound = graph.bind(&shape.schema)?;
        Ok(Self { graph, shape, bound, blocks: Mutex::new(Vec::new()) })
    }

    /// The graph.
    pub fn graph(&self) -> &TransformGraph {
        &self.graph
    }

    /// A builder for a batch of about `rows` rows.
    pub fn builder(&self, rows: usize, presence: Strictness) -> BatchBuilder {
        BatchBuilder::new(&self.shape, rows, presence)
    }

    /// Converts JSON objects keyed by feature to a batch, strictly.
    pub fn batch_from_rows(&self, rows: &[Value]) -> Result<RecordBatch, ModelError> {
        self.builder(rows.len(), Strictness::Checked).with_rows(rows)
    }

    /// Calls `use_block` with the features of `batch` and returns its result.
    pub fn with_block<T>(
        &self,
        batch: &RecordBatch,
        use_block: impl FnOnce(&FeatureBlock) -> T,
    ) -> Result<T, ModelError> {
        let other;
        let bound = if Arc::ptr_eq(batch.schema_ref(), &self.shape.schema) {
            &self.bound
        } else {
            other = self.graph.bind(batch.schema_ref())?;
            &other
        };
        let mut block = self.blocks.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        let used = bound.apply(batch, &mut block).map(|()| use_block(&block));
        if block.rows <= BLOCK_ROWS_MAX {
            let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
            if blocks.len() < BLOCKS_MAX {
                blocks.push(block);
            }
        }
        used
    }
}
