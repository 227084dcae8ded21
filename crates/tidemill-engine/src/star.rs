//! `statistics(*)`: all columns, written out.

use datafusion::common::Column;
use datafusion::error::Result;
use datafusion::execution::SessionState;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    self, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Ident, Query, Select, SelectItem, SetExpr,
};

/// The functions that take a star for all columns.
const FUNCTIONS: [&str; 2] = ["statistics", "statistics_state"];

/// Writes the columns of the tables of a `SELECT` where a statistics function in its list has a star.
///
/// What the columns are only a plan knows: that of the same query for `*`. A star further inside, in a query within the
/// query, is left, and is an error of the engine.
pub(crate) async fn written_out(state: &SessionState, statement: &mut Statement) -> Result<()> {
    let Statement::Statement(statement) = statement else { return Ok(()) };
    let ast::Statement::Query(query) = statement.as_mut() else { return Ok(()) };
    let whole = query.clone();
    let mut bodies = vec![query.body.as_mut()];
    while let Some(body) = bodies.pop() {
        match body {
            SetExpr::Select(select) => {
                if !select.projection.iter_mut().any(|item| stars(item).is_some()) {
                    continue;
                }
                let columns = columns(state, &whole, select).await?;
                for arguments in select.projection.iter_mut().filter_map(stars) {
                    arguments.clone_from(&columns);
                }
            }
            SetExpr::SetOperation { left, right, .. } => bodies.extend([left.as_mut(), right.as_mut()]),
            _ => {}
        }
    }
    Ok(())
}

/// The arguments of a statistics function, where they are a star.
fn stars(item: &mut SelectItem) -> Option<&mut Vec<FunctionArg>> {
    let (SelectItem::UnnamedExpr(expression) | SelectItem::ExprWithAlias { expr: expression, .. }) = item else {
        return None;
    };
    let Expr::Function(function) = expression else { return None };
    let name = function.name.to_string();
    let FunctionArguments::List(list) = &mut function.args else { return None };
    let star = matches!(list.args.as_slice(), [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)]);
    (star && FUNCTIONS.iter().any(|known| known.eq_ignore_ascii_case(&name))).then_some(&mut list.args)
}

/// All columns that a `SELECT` can name, as arguments.
async fn columns(state: &SessionState, whole: &Query, select: &Select) -> Result<Vec<FunctionArg>> {
    let mut all = select.clone();
    all.projection = vec![SelectItem::Wildcard(ast::WildcardAdditionalOptions::default())];
    all.distinct = None;
    all.group_by = GroupByExpr::Expressions(Vec::new(), Vec::new());
    all.having = None;
    all.qualify = None;
    all.sort_by = Vec::new();
    let mut query = whole.clone();
    *query.body = SetExpr::Select(Box::new(all));
    query.order_by = None;
    query.limit_clause = None;
    let statement = Statement::Statement(Box::new(ast::Statement::Query(Box::new(query))));
    let plan = state.statement_to_plan(statement).await?;
    let argument = |column: Column| {
        let table = column.relation.map(|table| Ident::with_quote('"', table.table()));
        let parts: Vec<Ident> = table.into_iter().chain([Ident::with_quote('"', column.name)]).collect();
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::CompoundIdentifier(parts)))
    };
    Ok(plan.schema().columns().into_iter().map(argument).collect())
}
