//! Tables of the engine over anything that gives batches.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::TableType;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use tidemill_validation::{ROW_COLUMN, RowSource};

/// Batches read ahead of the query.
const AHEAD: usize = 2;

/// Rows of a source as a table. Only the columns of a query are read.
#[derive(Debug)]
pub(crate) struct Rows {
    source: Arc<dyn RowSource>,
    schema: SchemaRef,
}

impl Rows {
    /// The columns of the source; where `numbered`, with the number of the row from 1 as the last one.
    pub(crate) fn new(source: Arc<dyn RowSource>, numbered: bool) -> Self {
        let mut fields: Vec<Arc<Field>> = source.schema().fields().iter().cloned().collect();
        if numbered && source.schema().index_of(ROW_COLUMN).is_err() {
            fields.push(Arc::new(Field::new(ROW_COLUMN, DataType::Int64, false)));
        }
        Self { source, schema: Arc::new(Schema::new(fields)) }
    }
}

#[async_trait]
impl TableProvider for Rows {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let columns: Vec<usize> = projection.cloned().unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let schema = Arc::new(self.schema.project(&columns)?);
        let width = self.source.schema().fields().len();
        let part = Part { source: self.source.clone(), schema: schema.clone(), columns, width };
        Ok(Arc::new(StreamingTableExec::try_new(schema, vec![Arc::new(part)], None, [], false, limit)?))
    }
}

/// One reading of some columns.
#[derive(Debug)]
struct Part {
    source: Arc<dyn RowSource>,
    schema: SchemaRef,
    /// Columns by their place in the table; the one of row numbers is `width`.
    columns: Vec<usize>,
    width: usize,
}

impl PartitionStream for Part {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut builder = RecordBatchReceiverStreamBuilder::new(self.schema.clone(), AHEAD);
        let to = builder.tx();
        let part = Self {
            source: self.source.clone(),
            schema: self.schema.clone(),
            columns: self.columns.clone(),
            width: self.width,
        };
        builder.spawn_blocking(move || {
            let outside = |error| DataFusionError::External(Box::new(error));
            let all = part.source.schema();
            // A query may need no column at all but the number of rows: some column tells it.
            let mut read: Vec<usize> = part.columns.iter().copied().filter(|column| *column < part.width).collect();
            if read.is_empty() {
                read.push(0);
            }
            let names: Vec<&str> = read.iter().map(|column| all.field(*column).name().as_str()).collect();
            let mut before = 0;
            for batch in part.source.read(&names).map_err(outside)? {
                let batch = part.arranged(&batch.map_err(outside)?, &read, &mut before)?;
                // Nobody wants more.
                if to.blocking_send(Ok(batch)).is_err() {
                    break;
                }
            }
            Ok(())
        });
        builder.build()
    }
}

impl Part {
    /// The columns of the table from those that were read.
    fn arranged(&self, batch: &RecordBatch, read: &[usize], before: &mut i64) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        let first = *before + 1;
        *before += rows as i64;
        let column = |wanted: &usize| -> ArrayRef {
            match read.iter().position(|column| column == wanted) {
                Some(place) => batch.column(place).clone(),
                None => Arc::new(Int64Array::from_iter_values(first..first + rows as i64)),
            }
        };
        let columns = self.columns.iter().map(column).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?)
    }
}
