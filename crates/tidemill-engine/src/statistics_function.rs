//! The statistics as aggregate functions of SQL.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::common::{ScalarValue, exec_datafusion_err, exec_err, plan_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};
use datafusion::physical_plan::PhysicalExpr;
use datafusion::physical_plan::expressions::{CastExpr, Column};
use tidemill_validation::{DatasetAccumulator, StateError};

/// Said of a column whose text is JSON.
pub(crate) const CONTENT: &str = "content";
pub(crate) const JSON: &str = "json";

/// Bytes of partial states that are held before they are merged.
const HELD_BYTES: usize = 64 << 20;

/// `statistics(column, …)`, `statistics_state(column, …)` and `statistics_merge(state)`.
///
/// The first gives the statistics of the columns as JSON, in the form of a statistics file. Its partial state is the
/// accumulators as bytes, so a plan may divide the rows over partitions, threads or machines. The second gives that
/// state, to be kept; the third the statistics of what all states have seen together.
pub fn statistics_functions() -> [AggregateUDF; 3] {
    [
        ("statistics", Aggregation::ROWS),
        ("statistics_state", Aggregation::STATE),
        ("statistics_merge", Aggregation::STATES),
    ]
    .map(|(name, form)| AggregateUDF::from(StatisticsFunction::new(name, form)))
}

/// What goes in and what comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Aggregation {
    takes_states: bool,
    gives_state: bool,
}

impl Aggregation {
    const ROWS: Self = Self { takes_states: false, gives_state: false };
    const STATE: Self = Self { takes_states: false, gives_state: true };
    const STATES: Self = Self { takes_states: true, gives_state: false };
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct StatisticsFunction {
    name: &'static str,
    form: Aggregation,
    signature: Signature,
}

impl StatisticsFunction {
    fn new(name: &'static str, form: Aggregation) -> Self {
        Self { name, form, signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for StatisticsFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match (self.form.takes_states, given) {
            (true, [DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::Null]) => {
                Ok(vec![DataType::Binary])
            }
            (true, _) => plan_err!("`{}` takes one column of states, as `statistics_state` gives them", self.name),
            (false, []) => plan_err!("`{0}` takes columns: `{0}(*)` or `{0}(fare, tips)`", self.name),
            (false, given) => given.iter().map(|from| countable(from, self.name)).collect(),
        }
    }

    fn return_type(&self, _given: &[DataType]) -> Result<DataType> {
        Ok(if self.form.gives_state { DataType::Binary } else { DataType::Utf8 })
    }

    fn return_field(&self, given: &[FieldRef]) -> Result<FieldRef> {
        let types: Vec<DataType> = given.iter().map(|field| field.data_type().clone()).collect();
        let field = Field::new(self.name, self.return_type(&types)?, true);
        let content = [(CONTENT.to_owned(), JSON.to_owned())].into();
        Ok(Arc::new(if self.form.gives_state { field } else { field.with_metadata(content) }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format!("{}[state]", args.name), DataType::Binary, true))])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if args.is_distinct {
            return exec_err!("`{}` is of all rows: `DISTINCT` belongs into a query within", self.name);
        }
        let fields = args.exprs.iter().zip(args.expr_fields);
        let fields = fields.map(|(column, field)| Field::new(name(column), field.data_type().clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let own = DatasetAccumulator::new(&schema);
        Ok(Box::new(Statistics { form: self.form, schema, rows: 0, own, states: Vec::new(), held: 0 }))
    }
}

/// The type of our readers that holds the values of any other.
fn countable(from: &DataType, function: &str) -> Result<DataType> {
    use DataType::{
        Binary, BinaryView, Boolean, Date32, Date64, Decimal32, Decimal64, Decimal128, Decimal256, Dictionary,
        FixedSizeBinary, FixedSizeList, Float16, Float32, Float64, Int8, Int16, Int32, Int64, LargeBinary, LargeList,
        LargeUtf8, List, Null, Time32, Time64, Timestamp, UInt8, UInt16, UInt32, UInt64, Utf8, Utf8View,
    };
    Ok(match from {
        Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64 => Int64,
        Float16 | Float32 | Float64 | Decimal32(..) | Decimal64(..) | Decimal128(..) | Decimal256(..) => Float64,
        Boolean => Boolean,
        Utf8 | LargeUtf8 | Utf8View | Null | Date32 | Date64 | Time32(_) | Time64(_) | Timestamp(..) => Utf8,
        Binary | LargeBinary | BinaryView | FixedSizeBinary(_) => Binary,
        Dictionary(_, values) => countable(values, function)?,
        List(item) | LargeList(item) | FixedSizeList(item, _) => match countable(item.data_type(), function)? {
            List(_) => return plan_err!("`{function}` cannot take lists of lists"),
            item => List(Arc::new(Field::new_list_field(item, true))),
        },
        other => return plan_err!("`{function}` cannot take {other}; `CAST` it to text or a number"),
    })
}

/// What a column is called, beneath the casts that its type made necessary.
fn name(expression: &Arc<dyn PhysicalExpr>) -> String {
    if let Some(cast) = expression.downcast_ref::<CastExpr>() {
        return name(cast.expr());
    }
    expression.downcast_ref::<Column>().map_or_else(|| expression.to_string(), |column| column.name().to_owned())
}

/// What has been seen: rows by itself, and the states of others.
///
/// States are merged in the order of their bytes, not in that of their arrival, so that the answer does not depend on
/// which thread was first.
#[derive(Debug)]
struct Statistics {
    form: Aggregation,
    schema: SchemaRef,
    rows: u64,
    own: DatasetAccumulator,
    states: Vec<Vec<u8>>,
    held: usize,
}

impl Statistics {
    fn take(&mut self, states: &ArrayRef) -> Result<()> {
        let Some(states) = states.as_binary_opt::<i32>() else {
            return exec_err!("states of statistics are bytes, not {}", states.data_type());
        };
        for state in states.iter().flatten() {
            self.held += state.len();
            self.states.push(state.to_vec());
        }
        if self.held > HELD_BYTES && self.states.len() > 1 {
            let merged = merged(std::mem::take(&mut self.states), None)?.map(|all| all.to_bytes());
            self.held = merged.as_ref().map_or(0, Vec::len);
            self.states.extend(merged);
        }
        Ok(())
    }

    /// Everything seen; nothing where there was nothing.
    fn all(&self) -> Result<DatasetAccumulator> {
        if self.states.is_empty() {
            return Ok(self.own.clone());
        }
        let own = (self.rows > 0).then(|| self.own.to_bytes());
        let all = merged(self.states.clone(), own)?;
        Ok(all.unwrap_or_else(|| self.own.clone()))
    }
}

fn merged(mut states: Vec<Vec<u8>>, own: Option<Vec<u8>>) -> Result<Option<DatasetAccumulator>> {
    states.extend(own);
    states.sort_unstable();
    let mut all: Option<DatasetAccumulator> = None;
    for state in &states {
        let state = DatasetAccumulator::from_bytes(state).map_err(outside)?;
        match &mut all {
            None => all = Some(state),
            Some(all) => all.try_merge(&state).map_err(outside)?,
        }
    }
    Ok(all)
}

fn outside(error: StateError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

impl Accumulator for Statistics {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        if self.form.takes_states {
            return values.first().map_or(Ok(()), |states| self.take(states));
        }
        let rows = values.first().map_or(0, Array::len);
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), values.to_vec(), &options)?;
        self.rows += rows as u64;
        self.own.update_alone(&batch);
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        states.first().map_or(Ok(()), |states| self.take(states))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        // No row, no state: the columns of an empty one may not be known yet.
        let any = self.rows > 0 || !self.states.is_empty();
        let state = any.then(|| self.all().map(|all| all.to_bytes())).transpose()?;
        Ok(vec![ScalarValue::Binary(state)])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let all = self.all()?;
        if self.form.gives_state {
            return Ok(ScalarValue::Binary(Some(all.to_bytes())));
        }
        if self.form.takes_states && self.states.is_empty() {
            return Ok(ScalarValue::Utf8(None));
        }
        let text = serde_json::to_string(&all.finish("query"));
        text.map(|text| ScalarValue::Utf8(Some(text))).map_err(|error| exec_datafusion_err!("{error}"))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.own.memory() + self.held
    }
}
