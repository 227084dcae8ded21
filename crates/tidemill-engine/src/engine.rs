//! Queries over tables.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, RecordBatch, StringBuilder};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::writer::{EncoderOptions, make_encoder};
use datafusion::datasource::MemTable;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::stream::{RecordBatchReceiverStreamBuilder, RecordBatchStreamAdapter};
use datafusion::prelude::{DataFrame, SQLOptions, SessionConfig, SessionContext};
use futures_util::StreamExt as _;
use tidemill_core::DatasetStatistics;
use tidemill_data::list_of;
use tidemill_validation::RowSource;

use crate::EngineError;
use crate::exact_arithmetic::exact_arithmetic;
use crate::exact_sum::exact_sum;
use crate::provider::Rows;
use crate::star;
use crate::statistics_function::{CONTENT, JSON, statistics_functions};
use crate::statistics_table::statistics_batch;

/// Room for groups, sorts and joins, unless told otherwise. What does not fit is kept in temporary files where it can
/// be; the rows of a table themselves take none of it.
const MEMORY_MIB: usize = 1024;

/// Batches that a partition is ahead of those before it.
const PARTITION_AHEAD: usize = 2;

/// Tables and the queries over them.
///
/// The same query over the same rows gives the same answer, in the same order: that of the tables, where rows are picked.
/// Names are written as they are, with capitals and all; those that are no plain words stand in double quotes
/// (`"Trip Seconds"`). A query can only read.
pub struct Engine {
    context: SessionContext,
    memory_mib: usize,
}

impl Engine {
    /// An engine without tables, which keeps so many threads busy.
    pub fn new(threads: usize) -> Result<Self, EngineError> {
        let mut config = SessionConfig::new().with_target_partitions(threads.max(1)).with_batch_size(8192);
        // A column is called what its file calls it.
        config.options_mut().sql_parser.enable_ident_normalization = false;
        // Batches dealt to threads in turn come back in another order each time, and so would rows and the last digits
        // of sums. Readers use all threads anyway.
        config.options_mut().optimizer.enable_round_robin_repartition = false;
        let runtime = RuntimeEnvBuilder::new().with_memory_limit(MEMORY_MIB << 20, 1.0).build_arc();
        let runtime = runtime.map_err(|error| EngineError::of(error, MEMORY_MIB))?;
        let context = SessionContext::new_with_config_rt(config, runtime);
        for function in statistics_functions() {
            context.register_udaf(function);
        }
        // Whole numbers of the engine wrap around: a sum beyond 64 bits would be a wrong one.
        context.register_udaf(exact_sum());
        context.add_analyzer_rule(exact_arithmetic());
        Ok(Self { context, memory_mib: MEMORY_MIB })
    }

    /// Adds rows as the table `name`; where `numbered`, with the number of each row as the column `_row`.
    pub fn add(&self, name: &str, source: Arc<dyn RowSource>, numbered: bool) -> Result<(), EngineError> {
        let table = Arc::new(Rows::new(source, numbered));
        let reference = datafusion::common::TableReference::bare(name);
        self.context.register_table(reference, table).map(|_| ()).map_err(|error| self.told(error))
    }

    /// Adds statistics as the table `name`: a feature a row, a number of it a column.
    pub fn add_statistics(&self, name: &str, statistics: &DatasetStatistics) -> Result<(), EngineError> {
        let batch = statistics_batch(statistics).map_err(|error| self.told(error.into()))?;
        let table = MemTable::try_new(batch.schema(), vec![vec![batch]]).map_err(|error| self.told(error))?;
        let reference = datafusion::common::TableReference::bare(name);
        self.context.register_table(reference, Arc::new(table)).map(|_| ()).map_err(|error| self.told(error))
    }

    /// Begins a query. Rows come as they are asked for.
    pub async fn query(&self, sql: &str) -> Result<Answer, EngineError> {
        let frame = self.plan(sql).await?;
        self.start(frame).await
    }

    pub(crate) async fn plan(&self, sql: &str) -> Result<DataFrame, EngineError> {
        let reading = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        let state = self.context.state();
        let planned = async {
            let mut statement = state.sql_to_statement(sql, &state.config().options().sql_parser.dialect)?;
            star::written_out(&state, &mut statement).await?;
            let plan = state.statement_to_plan(statement).await?;
            reading.verify_plan(&plan)?;
            self.context.execute_logical_plan(plan).await
        };
        planned.await.map_err(|error| self.told(error))
    }

    /// The query with the number of the row beside what it asks for, where its rows are rows of a numbered table.
    pub(crate) fn numbered(frame: DataFrame, row: &str) -> DataFrame {
        let (state, plan) = frame.into_parts();
        let plan = match &plan {
            LogicalPlan::Projection(projection)
                if plan.schema().index_of_column_by_name(None, row).is_none() && keeps_rows(&projection.input) =>
            {
                let input = &projection.input;
                let found = input.schema().iter().find(|(_, field)| field.name() == row);
                let added = found.and_then(|(table, field)| {
                    let column = datafusion::common::Column::new(table.cloned(), field.name());
                    let mut columns = projection.expr.clone();
                    columns.push(datafusion::logical_expr::Expr::Column(column));
                    datafusion::logical_expr::Projection::try_new(columns, input.clone()).ok()
                });
                added.map(LogicalPlan::Projection).unwrap_or(plan)
            }
            _ => plan,
        };
        DataFrame::new(state, plan)
    }

    pub(crate) async fn start(&self, frame: DataFrame) -> Result<Answer, EngineError> {
        let streams = frame.execute_stream_partitioned().await.map_err(|error| self.told(error))?;
        let stream = in_order(streams);
        let given = stream.schema();
        let fields = given.fields().iter().map(|field| {
            let mut metadata = field.metadata().clone();
            let plain = plain(field.data_type()).unwrap_or_else(|| {
                metadata.insert(CONTENT.to_owned(), JSON.to_owned());
                DataType::Utf8
            });
            Field::new(field.name(), plain, true).with_metadata(metadata)
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(Answer { stream, schema, memory_mib: self.memory_mib })
    }

    fn told(&self, error: datafusion::error::DataFusionError) -> EngineError {
        EngineError::of(error, self.memory_mib)
    }
}

/// The rows of all partitions, one partition after the other; they work side by side, a few batches ahead.
fn in_order(mut streams: Vec<SendableRecordBatchStream>) -> SendableRecordBatchStream {
    if streams.len() == 1
        && let Some(only) = streams.pop()
    {
        return only;
    }
    let schema = streams.first().map_or_else(|| Arc::new(Schema::empty()), |stream| stream.schema());
    let ahead: Vec<SendableRecordBatchStream> = streams
        .into_iter()
        .map(|mut stream| {
            let mut builder = RecordBatchReceiverStreamBuilder::new(stream.schema(), PARTITION_AHEAD);
            let to = builder.tx();
            builder.spawn(async move {
                while let Some(batch) = stream.next().await {
                    // Nobody wants more.
                    if to.send(batch).await.is_err() {
                        break;
                    }
                }
                Ok(())
            });
            builder.build()
        })
        .collect();
    Box::pin(RecordBatchStreamAdapter::new(schema, futures_util::stream::iter(ahead).flatten()))
}

/// Whether every row that comes out is one that went in.
fn keeps_rows(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::TableScan(_) => true,
        LogicalPlan::Filter(filter) => keeps_rows(&filter.input),
        LogicalPlan::SubqueryAlias(alias) => keeps_rows(&alias.input),
        _ => false,
    }
}

/// The rows of an answer.
pub struct Answer {
    stream: SendableRecordBatchStream,
    schema: SchemaRef,
    memory_mib: usize,
}

impl Answer {
    /// Its columns: whole numbers, numbers, booleans, bytes, text, and lists of these. What is nested deeper is JSON.
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Whether the text of a column is JSON.
    pub fn is_json(&self, column: usize) -> bool {
        self.schema.field(column).metadata().get(CONTENT).is_some_and(|content| content == JSON)
    }

    /// The next rows; none at the end.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, EngineError> {
        loop {
            let Some(batch) = self.stream.next().await else { return Ok(None) };
            let batch = batch.map_err(|error| EngineError::of(error, self.memory_mib))?;
            if batch.num_rows() > 0 {
                return self.plain(&batch).map(Some);
            }
        }
    }

    fn plain(&self, batch: &RecordBatch) -> Result<RecordBatch, EngineError> {
        let options = CastOptions { safe: false, ..CastOptions::default() };
        let columns = batch.columns().iter().zip(self.schema.fields()).map(|(array, field)| -> Result<ArrayRef, _> {
            if array.data_type() == field.data_type() {
                return Ok(array.clone());
            }
            if plain(array.data_type()).is_none() {
                return json(array).map_err(|error| EngineError::of(error.into(), self.memory_mib));
            }
            cast_with_options(array, field.data_type(), &options).map_err(|error| EngineError::Query {
                message: format!("column `{}` is {} and cannot be given: {error}", field.name(), array.data_type()),
            })
        });
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        RecordBatch::try_new(self.schema.clone(), columns)
            .map_err(|error| EngineError::of(error.into(), self.memory_mib))
    }
}

/// The plain type that holds the values of another, alone or in lists; `None` for what is nested.
fn plain(from: &DataType) -> Option<DataType> {
    use DataType::{
        Binary, BinaryView, Boolean, Decimal32, Decimal64, Decimal128, Decimal256, Dictionary, FixedSizeBinary,
        FixedSizeList, Float16, Float32, Float64, Int8, Int16, Int32, Int64, LargeBinary, LargeList, LargeListView,
        List, ListView, Map, Struct, UInt8, UInt16, UInt32, UInt64, Union, Utf8,
    };
    Some(match from {
        Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64 => Int64,
        // A value that does not fit is an error.
        Decimal32(_, scale) | Decimal64(_, scale) | Decimal128(_, scale) | Decimal256(_, scale) if *scale <= 0 => Int64,
        Float16 | Float32 | Float64 | Decimal32(..) | Decimal64(..) | Decimal128(..) | Decimal256(..) => Float64,
        Boolean => Boolean,
        Binary | LargeBinary | BinaryView | FixedSizeBinary(_) => Binary,
        Dictionary(_, values) => plain(values)?,
        List(item) | LargeList(item) | FixedSizeList(item, _) | ListView(item) | LargeListView(item) => {
            match plain(item.data_type())? {
                List(_) | Binary => return None,
                item => list_of(item),
            }
        }
        Struct(_) | Map(..) | Union(..) => return None,
        _ => Utf8,
    })
}

/// Values of any depth as JSON, one text a row.
fn json(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let field = Arc::new(Field::new("value", array.data_type().clone(), true));
    let options = EncoderOptions::default().with_explicit_nulls(true);
    let mut encoder = make_encoder(&field, array, &options)?;
    let mut texts = StringBuilder::new();
    let mut bytes = Vec::new();
    for row in 0..array.len() {
        if array.is_null(row) {
            texts.append_null();
            continue;
        }
        bytes.clear();
        encoder.encode(row, &mut bytes);
        texts.append_value(String::from_utf8_lossy(&bytes));
    }
    Ok(Arc::new(texts.finish()))
}
