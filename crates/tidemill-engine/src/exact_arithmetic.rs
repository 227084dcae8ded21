//! Sums, differences and products of whole numbers that are right or an error.

use std::sync::Arc;

use arrow::array::{ArrayRef, Datum};
use arrow::compute::kernels::numeric::{add, mul, neg, sub};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::common::{DFSchema, ScalarValue, exec_err};
use datafusion::error::Result;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable as _, LogicalPlan, Operator, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::optimizer::utils::NamePreserver;

/// Replaces arithmetic on whole numbers, which the engine lets wrap around, by functions that do not.
#[derive(Debug, Default)]
pub(crate) struct ExactArithmetic;

impl AnalyzerRule for ExactArithmetic {
    fn name(&self) -> &'static str {
        "exact_arithmetic"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(exact).map(|done| done.data)
    }
}

fn exact(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let mut schema = merge_schema(&plan.inputs());
    if let LogicalPlan::TableScan(scan) = &plan {
        schema.merge(&DFSchema::try_from_qualified_schema(scan.table_name.clone(), &scan.source.schema())?);
    }
    // A column is called what it was called before.
    let names = NamePreserver::new(&plan);
    plan.map_expressions(|expression| {
        let name = names.save(&expression);
        let changed = expression.transform_up(|expression| replaced(expression, &schema))?;
        Ok(changed.update_data(|expression| name.restore(expression)))
    })
}

fn replaced(expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let is_whole = |expression: &Expr| expression.get_type(schema).is_ok_and(|data_type| data_type.is_integer());
    let (operation, arguments) = match expression {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let operation = match op {
                Operator::Plus => Some(Operation::Add),
                Operator::Minus => Some(Operation::Subtract),
                Operator::Multiply => Some(Operation::Multiply),
                _ => None,
            };
            match operation.filter(|_| is_whole(&left) && is_whole(&right)) {
                Some(operation) => (operation, vec![*left, *right]),
                None => return Ok(Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right }))),
            }
        }
        Expr::Negative(inner) if is_whole(&inner) => (Operation::Negate, vec![*inner]),
        other => return Ok(Transformed::no(other)),
    };
    let function = ScalarUDF::from(Exact { operation, signature: Signature::user_defined(Volatility::Immutable) });
    Ok(Transformed::yes(function.call(arguments)))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Operation {
    Add,
    Subtract,
    Multiply,
    Negate,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Exact {
    operation: Operation,
    signature: Signature,
}

impl ScalarUDFImpl for Exact {
    fn name(&self) -> &'static str {
        match self.operation {
            Operation::Add => "exact_add",
            Operation::Subtract => "exact_subtract",
            Operation::Multiply => "exact_multiply",
            Operation::Negate => "exact_negate",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        Ok(given.to_vec())
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        match given {
            [first, ..] => Ok(first.clone()),
            [] => exec_err!("`{}` takes whole numbers", self.name()),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = arguments.args.iter().all(|value| matches!(value, ColumnarValue::Scalar(_)));
        let values: Vec<Box<dyn Datum>> = arguments
            .args
            .into_iter()
            .map(|value| -> Result<Box<dyn Datum>> {
                Ok(match value {
                    ColumnarValue::Array(array) => Box::new(array),
                    ColumnarValue::Scalar(value) => Box::new(value.to_scalar()?),
                })
            })
            .collect::<Result<_>>()?;
        let found = match (self.operation, values.as_slice()) {
            (Operation::Add, [a, b]) => add(a.as_ref(), b.as_ref()),
            (Operation::Subtract, [a, b]) => sub(a.as_ref(), b.as_ref()),
            (Operation::Multiply, [a, b]) => mul(a.as_ref(), b.as_ref()),
            (Operation::Negate, [a]) => neg(a.get().0),
            _ => return exec_err!("`{}` was given {} values", self.name(), values.len()),
        };
        let found: ArrayRef = match found {
            Ok(found) => found,
            Err(ArrowError::ArithmeticOverflow(_)) => {
                let what = match self.operation {
                    Operation::Add => "a sum",
                    Operation::Subtract => "a difference",
                    Operation::Multiply => "a product",
                    Operation::Negate => "a negative",
                };
                return exec_err!(
                    "{what} of whole numbers does not fit 64 bits; make one of them a float, as in `CAST(x AS DOUBLE)`"
                );
            }
            Err(error) => return Err(error.into()),
        };
        Ok(if is_constant {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&found, 0)?)
        } else {
            ColumnarValue::Array(found)
        })
    }
}

/// The rule, to be added to an engine.
pub(crate) fn exact_arithmetic() -> Arc<dyn AnalyzerRule + Send + Sync> {
    Arc::new(ExactArithmetic)
}
