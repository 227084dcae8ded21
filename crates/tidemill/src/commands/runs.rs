//! `tidemill runs`: list and search runs.

use tidemill_core::{Code, Failure};
use tidemill_metadata::{Entity, FoundRun, OrderBy, Run, RunFilter, RunSearch, SearchError, ValueKind};

use crate::cli::{Global, RunsArgs};
use crate::commands::inspect::{abandoned, run_state};
use crate::commands::{find_project, print};
use crate::ui::{Align, Table, age, number, printable, seconds};

/// A value that is shown as a column.
type Column = (ValueKind, String);

pub async fn runs(args: &RunsArgs, global: &Global) -> Result<u8, Failure> {
    let project = find_project(None, global)?;
    let metadata = project.metadata().await?;
    // A run whose process was killed is marked as such by whoever looks.
    for run in &metadata.runs(&RunFilter::default(), args.list.limit).await? {
        abandoned(&project, &*metadata, run).await;
    }
    if args.filter.is_none() && args.order_by.is_empty() && args.show.is_empty() {
        let runs = metadata.runs(&RunFilter::default(), args.list.limit).await?;
        print(global, &runs, || match runs.is_empty() {
            true => "no runs yet: start one with `tidemill run`\n".to_owned(),
            false => table(runs.iter().map(|run| (run, Vec::new())), &[]),
        })?;
        return Ok(0);
    }
    let search = RunSearch::parse(args.filter.as_deref().unwrap_or_default()).map_err(wrong)?;
    let orders = args.order_by.iter().map(|text| OrderBy::parse(text)).collect::<Result<Vec<_>, _>>().map_err(wrong)?;
    let columns = columns(args, &search, &orders)?;
    let found = metadata.search_runs(&search, &orders, args.list.limit).await?;
    print(global, &found, || match found.is_empty() {
        true => "no run fulfils the filter\n".to_owned(),
        false => table(found.iter().map(|found| (&found.run, cells(found, &columns))), &columns),
    })?;
    Ok(0)
}

fn wrong(error: SearchError) -> Failure {
    Failure { hint: error.hint, ..Failure::new(Code::CommandLine, error.message) }
}

/// The values to show: those asked for, or those that the filter and the orders are about.
fn columns(args: &RunsArgs, search: &RunSearch, orders: &[OrderBy]) -> Result<Vec<Column>, Failure> {
    let mut columns: Vec<Column> = Vec::new();
    let mut add = |entity: &Entity, key: &str| {
        if let Entity::Value(kind) = entity
            && !columns.iter().any(|known| known.0 == *kind && known.1 == key)
        {
            columns.push((*kind, key.to_owned()));
        }
    };
    if args.show.is_empty() {
        search.clauses.iter().for_each(|clause| add(&clause.entity, &clause.key));
        orders.iter().for_each(|order| add(&order.entity, &order.key));
    }
    for text in &args.show {
        let order = OrderBy::parse(text).map_err(wrong)?;
        add(&order.entity, &order.key);
    }
    Ok(columns)
}

fn cells(found: &FoundRun, columns: &[Column]) -> Vec<String> {
    let cell = |(kind, key): &Column| match found.value(*kind, key) {
        None => "–".to_owned(),
        Some(value) if *kind == ValueKind::Metric => value.number().map_or_else(|| value.text.clone(), number),
        Some(value) => printable(&value.text).into_owned(),
    };
    columns.iter().map(cell).collect()
}

fn table<'a>(runs: impl Iterator<Item = (&'a Run, Vec<String>)>, columns: &[Column]) -> String {
    let heads: Vec<String> = columns.iter().map(|(_, key)| key.clone()).collect();
    let mut all = vec![
        ("run", Align::Left),
        ("pipeline", Align::Left),
        ("state", Align::Left),
        ("started", Align::Left),
        ("time", Align::Right),
    ];
    all.extend(heads.iter().map(|head| (head.as_str(), Align::Right)));
    let mut table = Table::new(&all);
    for (run, values) in runs {
        let fixed = [
            run.id.short().to_owned(),
            run.pipeline.clone(),
            run_state(run.state).to_string(),
            age(run.started_at),
            run_time(run),
        ];
        table.row(fixed.into_iter().chain(values));
    }
    table.to_string()
}

fn run_time(run: &Run) -> String {
    run.finished_at.map(|end| seconds(end.duration_since(run.started_at).as_secs_f64())).unwrap_or_default()
}
