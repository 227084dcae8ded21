//! `tidemill diff`: two tables row by row. Two runs are compared in `diff_runs`.

use std::path::Path;

use console::style;
use tidemill_core::{Code, Failure};
use tidemill_data::{ChangedRow, ColumnDiff, DiffOptions, SampleRow, Sides, TableDiff, diff_tables};

use crate::cli::{DiffArgs, Global};
use crate::commands::diff_runs;
use crate::commands::input::open_pair;
use crate::commands::print;
use crate::ui::{Align, Table, count, printable};

/// Columns of the table.
const COLUMNS_MAX: usize = 30;

pub async fn diff(args: &DiffArgs, global: &Global) -> Result<u8, Failure> {
    if args.key.is_empty() {
        if !args.before.exists() && !args.after.exists() {
            return diff_runs::diff(&args.before.to_string_lossy(), &args.after.to_string_lossy(), global).await;
        }
        return Err(Failure::new(Code::CommandLine, "the required argument was not provided: --key <COLUMN>")
            .with_hint("name the columns that together name a row; two runs are compared without it"));
    }
    if !(args.tolerance >= 0.0 && args.tolerance.is_finite()) {
        return Err(Failure::new(Code::CommandLine, format!("`--tolerance {}` is no number from 0", args.tolerance)));
    }
    let options = DiffOptions {
        key: args.key.clone(),
        ignore: args.ignore.clone(),
        tolerance: args.tolerance,
        samples: args.rows,
    };
    let names = Sides { a: args.before.as_path(), b: args.after.as_path() };
    let [a, b] = open_pair([names.a, names.b], &args.input.options(), global)?;
    let found = diff_tables(a.read()?, b.read()?, &options, names)?;
    print(global, &found, || text(&found, names))?;
    Ok(u8::from(!found.is_same()))
}

fn text(diff: &TableDiff, names: Sides<&Path>) -> String {
    let (a, b) = (names.a.display().to_string(), names.b.display().to_string());
    let mut out = String::new();
    let mut table = Table::new(&[("rows", Align::Left), (&a, Align::Right), (&b, Align::Right)]);
    let mut row = |what: &str, sides: Sides<u64>| table.row([what.to_owned(), amount(sides.a), amount(sides.b)]);
    row("all", diff.rows);
    row("with a key the other has not", diff.only);
    row("matched, nothing changed", Sides { a: diff.same, b: diff.same });
    row("matched, changed", Sides { a: diff.changed, b: diff.changed });
    if diff.duplicate_keys != Sides::default() {
        row("keys there more than once", diff.duplicate_keys);
    }
    if diff.without_key != Sides::default() {
        row("without a key", diff.without_key);
    }
    out.push_str(&table.to_string());
    for (name, columns) in [(&a, &diff.columns_only.a), (&b, &diff.columns_only.b)] {
        if !columns.is_empty() {
            let quoted: Vec<String> = columns.iter().map(|column| format!("`{}`", printable(column))).collect();
            out.push_str(&format!("\nonly in `{name}`: columns {}\n", quoted.join(", ")));
        }
    }
    let changed: Vec<&ColumnDiff> = diff.columns.iter().filter(|column| column.changed > 0).collect();
    if !changed.is_empty() {
        out.push_str(&format!("\n{}", columns_text(&changed)));
    }
    for (title, rows) in [
        (format!("only in `{a}`"), &diff.samples.only.a),
        (format!("only in `{b}`"), &diff.samples.only.b),
        (format!("more than once in `{a}`"), &diff.samples.duplicate_keys.a),
        (format!("more than once in `{b}`"), &diff.samples.duplicate_keys.b),
    ] {
        if !rows.is_empty() {
            let shown: Vec<String> = rows.iter().map(sample).collect();
            out.push_str(&format!("\n{title}: {}\n", shown.join(", ")));
        }
    }
    if !diff.samples.changed.is_empty() {
        out.push_str(&format!("\n{}", rows_text(&diff.samples.changed, &diff.key)));
    }
    let mark = if diff.is_same() { style("✓").green() } else { style("✗").red() };
    let said = if diff.is_same() { "the same rows".to_owned() } else { differences(diff) };
    out.push_str(&format!("\n{mark} {said}\n"));
    out
}

fn amount(number: u64) -> String {
    if number == 0 { style("–").dim().to_string() } else { count(number) }
}

fn differences(diff: &TableDiff) -> String {
    let rows = |number: u64| format!("{} row{}", count(number), if number == 1 { "" } else { "s" });
    let mut parts = Vec::new();
    if diff.changed > 0 {
        parts.push(format!("{} changed", rows(diff.changed)));
    }
    if diff.only.a > 0 {
        parts.push(format!("{} gone", rows(diff.only.a)));
    }
    if diff.only.b > 0 {
        parts.push(format!("{} new", rows(diff.only.b)));
    }
    let twice = diff.duplicate_keys.a.max(diff.duplicate_keys.b);
    if twice > 0 {
        parts.push(format!("{} key{} not unique", count(twice), if twice == 1 { "" } else { "s" }));
    }
    if parts.is_empty() { "not all could be compared".to_owned() } else { parts.join(", ") }
}

fn columns_text(changed: &[&ColumnDiff]) -> Table {
    let mut table = Table::new(&[
        ("column", Align::Left),
        ("changed", Align::Right),
        ("filled", Align::Right),
        ("emptied", Align::Right),
        ("largest difference", Align::Right),
        ("most frequent", Align::Left),
    ]);
    for column in changed.iter().take(COLUMNS_MAX) {
        let frequent = column.frequent.first().map_or_else(String::new, |change| {
            format!("{} → {} ({})", value(change.a.as_deref()), value(change.b.as_deref()), count(change.rows))
        });
        table.row([
            printable(&column.column).into_owned(),
            count(column.changed),
            amount(column.appeared),
            amount(column.vanished),
            column.largest_difference.map_or_else(String::new, |difference| difference.to_string()),
            frequent,
        ]);
    }
    if changed.len() > COLUMNS_MAX {
        let more = format!("and {} more", changed.len() - COLUMNS_MAX);
        table.row([more, String::new(), String::new(), String::new(), String::new(), String::new()]);
    }
    table
}

fn rows_text(rows: &[ChangedRow], key: &[String]) -> Table {
    let heads = key.join(", ");
    let mut table = Table::new(&[
        (&heads, Align::Left),
        ("row", Align::Left),
        ("column", Align::Left),
        ("before", Align::Left),
        ("after", Align::Left),
    ]);
    for row in rows {
        for (index, cell) in row.cells.iter().enumerate() {
            let first = |text: String| if index == 0 { text } else { String::new() };
            table.row([
                first(named(&row.key)),
                first(format!("{} → {}", row.rows.a, row.rows.b)),
                printable(&cell.column).into_owned(),
                value(cell.a.as_deref()),
                value(cell.b.as_deref()),
            ]);
        }
    }
    table
}

fn sample(row: &SampleRow) -> String {
    let times = if row.rows > 1 { format!(" ({} rows)", row.rows) } else { String::new() };
    format!("{}{times}", named(&row.key))
}

fn named(key: &[String]) -> String {
    let values: Vec<String> = key.iter().map(|value| short(value)).collect();
    values.join(", ")
}

fn value(value: Option<&str>) -> String {
    value.map_or_else(|| style("missing").dim().to_string(), short)
}

fn short(text: &str) -> String {
    printable(&tidemill_core::shortened(text)).into_owned()
}
