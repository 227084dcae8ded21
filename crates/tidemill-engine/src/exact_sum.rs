//! `sum` of whole numbers, which is right or an error.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Int64Array, ListArray, UInt64Array};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Int64Type, UInt64Type};
use datafusion::common::{ScalarValue, exec_err};
use datafusion::error::Result;
use datafusion::functions_aggregate::sum::Sum;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF, Signature,
};

/// Room for the sum of more whole numbers of 64 bits than there can be.
const WIDE: DataType = DataType::Decimal128(38, 0);

/// `sum`, of whole numbers without wrapping around; of anything else that of the engine.
pub(crate) fn exact_sum() -> AggregateUDF {
    AggregateUDF::from(ExactSum { plain: Sum::new() })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ExactSum {
    plain: Sum,
}

fn is_whole(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Int64 | DataType::UInt64)
}

impl AggregateUDFImpl for ExactSum {
    fn name(&self) -> &str {
        self.plain.name()
    }

    fn signature(&self) -> &Signature {
        self.plain.signature()
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        self.plain.return_type(given)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        if !is_whole(args.return_type()) {
            return self.plain.state_fields(args);
        }
        let name = format!("{}[sum]", args.name);
        let field = if args.is_distinct {
            Field::new_list(name, Field::new_list_field(WIDE, true), true)
        } else {
            Field::new(name, WIDE, true)
        };
        Ok(vec![Arc::new(field)])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let data_type = args.return_field.data_type().clone();
        match (is_whole(&data_type), args.is_distinct) {
            (false, _) => self.plain.accumulator(args),
            (true, false) => Ok(Box::new(Total { data_type, sum: 0, count: 0 })),
            (true, true) => Ok(Box::new(DistinctTotal { data_type, values: HashSet::new() })),
        }
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if is_whole(args.return_field.data_type()) && !args.is_distinct {
            return self.accumulator(args);
        }
        self.plain.create_sliding_accumulator(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        self.plain.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        let data_type = args.return_field.data_type().clone();
        if is_whole(&data_type) {
            return Ok(Box::new(GroupTotals { data_type, sums: Vec::new() }));
        }
        self.plain.create_groups_accumulator(args)
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

/// The values of a column of whole numbers, or of partial sums.
fn wide(array: &ArrayRef) -> Result<Vec<Option<i128>>> {
    Ok(match array.data_type() {
        DataType::Int64 => array.as_primitive::<Int64Type>().iter().map(|value| value.map(i128::from)).collect(),
        DataType::UInt64 => array.as_primitive::<UInt64Type>().iter().map(|value| value.map(i128::from)).collect(),
        DataType::Decimal128(..) => array.as_primitive::<Decimal128Type>().iter().collect(),
        DataType::Null => vec![None; array.len()],
        other => return exec_err!("`sum` of whole numbers was given {other}"),
    })
}

/// The sum as what `sum` gives.
fn fitted(sum: Option<i128>, data_type: &DataType) -> Result<ScalarValue> {
    let Some(sum) = sum else { return ScalarValue::try_from(data_type) };
    match (data_type, i64::try_from(sum), u64::try_from(sum)) {
        (DataType::UInt64, _, Ok(sum)) => Ok(ScalarValue::UInt64(Some(sum))),
        (DataType::Int64, Ok(sum), _) => Ok(ScalarValue::Int64(Some(sum))),
        _ => exec_err!(
            "the sum {sum} does not fit 64 bits; sum decimals or floats instead, as in `sum(CAST(x AS DOUBLE))`"
        ),
    }
}

fn decimals(values: impl Iterator<Item = Option<i128>>) -> Result<Decimal128Array> {
    Ok(values.collect::<Decimal128Array>().with_precision_and_scale(38, 0)?)
}

/// The sum of all rows, or of those in a window that moves.
#[derive(Debug)]
struct Total {
    data_type: DataType,
    sum: i128,
    count: u64,
}

impl Total {
    fn sum(&self) -> Option<i128> {
        (self.count > 0).then_some(self.sum)
    }
}

impl Accumulator for Total {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for value in wide(&values[0])?.into_iter().flatten() {
            self.sum += value;
            self.count += 1;
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for value in wide(&values[0])?.into_iter().flatten() {
            self.sum -= value;
            self.count -= 1;
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::Decimal128(self.sum(), 38, 0)])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        fitted(self.sum(), &self.data_type)
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

/// The sum of the different values.
#[derive(Debug)]
struct DistinctTotal {
    data_type: DataType,
    values: HashSet<i128>,
}

impl Accumulator for DistinctTotal {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.values.extend(wide(&values[0])?.into_iter().flatten());
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for list in states[0].as_list::<i32>().iter().flatten() {
            self.values.extend(wide(&list)?.into_iter().flatten());
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values = decimals(self.values.iter().map(|value| Some(*value)))?;
        let offsets = OffsetBuffer::from_lengths([values.len()]);
        let field = Arc::new(Field::new_list_field(WIDE, true));
        Ok(vec![ScalarValue::List(Arc::new(ListArray::try_new(field, offsets, Arc::new(values), None)?))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let sum = (!self.values.is_empty()).then(|| self.values.iter().sum());
        fitted(sum, &self.data_type)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.values.capacity() * size_of::<i128>()
    }
}

/// The sum of each group.
#[derive(Debug)]
struct GroupTotals {
    data_type: DataType,
    sums: Vec<Option<i128>>,
}

impl GroupTotals {
    fn add(&mut self, values: &ArrayRef, groups: &[usize], filter: Option<&BooleanArray>, total: usize) -> Result<()> {
        self.sums.resize(total, None);
        let is_counted = |row: usize| filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        for (row, (value, group)) in wide(values)?.into_iter().zip(groups).enumerate() {
            if let Some(value) = value.filter(|_| is_counted(row)) {
                let sum = &mut self.sums[*group];
                *sum = Some(sum.unwrap_or_default() + value);
            }
        }
        Ok(())
    }
}

impl GroupsAccumulator for GroupTotals {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.add(&values[0], groups, filter, total)
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.add(&states[0], groups, None, total)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let is_counted = |row: usize| filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        let values = wide(&values[0])?.into_iter().enumerate();
        Ok(vec![Arc::new(decimals(values.map(|(row, value)| value.filter(|_| is_counted(row))))?)])
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let sums = emit_to.take_needed(&mut self.sums);
        let mut whole = Vec::with_capacity(sums.len());
        for sum in sums {
            whole.push(fitted(sum, &self.data_type)?);
        }
        Ok(match self.data_type {
            DataType::UInt64 => {
                let value = |sum: ScalarValue| if let ScalarValue::UInt64(value) = sum { value } else { None };
                Arc::new(whole.into_iter().map(value).collect::<UInt64Array>())
            }
            _ => {
                let value = |sum: ScalarValue| if let ScalarValue::Int64(value) = sum { value } else { None };
                Arc::new(whole.into_iter().map(value).collect::<Int64Array>())
            }
        })
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![Arc::new(decimals(emit_to.take_needed(&mut self.sums).into_iter())?)])
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<Option<i128>>()
    }
}
