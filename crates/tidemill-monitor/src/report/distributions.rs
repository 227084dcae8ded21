//! The columns of the newest window laid over the reference.

use tidemill_core::markup::{escape, marked};

use crate::watch::{Profile, WindowReport};

/// Columns that are drawn, those that differ most.
const COLUMNS_MAX: usize = 12;
/// Cells of a column that are drawn.
const CELLS_MAX: usize = 24;

pub(super) fn section(profile: Option<&Profile>, newest: Option<&WindowReport>) -> String {
    let Some((profile, report)) = profile.zip(newest) else {
        return "<p class=\"note\">No window has a row.</p>".to_owned();
    };
    let mut order: Vec<usize> = (0..profile.columns.len().min(report.columns().len())).collect();
    let ratio = |at: usize| report.columns()[at].distance / report.columns()[at].threshold.max(1e-9);
    order.sort_by(|a, b| ratio(*b).total_cmp(&ratio(*a)));
    let one = |at: usize| {
        let (column, result) = (&profile.columns[at], &report.columns()[at]);
        let (before, now) = (&profile.counts.columns[at], &report.counts.columns[at]);
        let cells = column.cells.count().min(CELLS_MAX);
        if cells == 0 {
            return String::new();
        }
        let share = |counts: &crate::ColumnCounts, cell: usize| {
            counts.cells.get(cell).copied().unwrap_or(0) as f64 / counts.values().max(1) as f64
        };
        let most = (0..cells).map(|cell| share(before, cell).max(share(now, cell))).fold(1e-9, f64::max);
        let step = 330.0 / cells as f64;
        let mut bars = String::new();
        for cell in 0..cells {
            for (counts, class) in [(before, "a"), (now, "b")] {
                let height = share(counts, cell) / most * 80.0;
                bars.push_str(&format!(
                    "<rect class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\"><title>{}: {:.1} % → {:.1} %</title></rect>",
                    cell as f64 * step,
                    84.0 - height,
                    (step - 1.0).max(1.0),
                    escape(&column.cells.name(cell)),
                    share(before, cell) * 100.0,
                    share(now, cell) * 100.0
                ));
            }
        }
        let class = if result.drifted { "drifted" } else { "" };
        let moved = if result.moved.is_empty() {
            String::new()
        } else {
            format!("<p class=\"note\">{}</p>", marked(&result.moved))
        };
        format!(
            "<div class=\"{class}\"><h3>{} <small>divergence {:.4}, threshold {:.4}</small></h3><svg viewBox=\"0 0 330 86\">{bars}</svg>{moved}</div>",
            escape(&column.name),
            result.distance,
            result.threshold
        )
    };
    let all: String = order.into_iter().take(COLUMNS_MAX).map(one).collect();
    format!(
        "<p class=\"key\">{}, {} rows<i style=\"background:var(--faint)\"></i>reference<i style=\"background:var(--c0)\"></i>window</p><div class=\"shapes\">{all}</div>",
        super::minute(report.start),
        tidemill_core::grouped(report.counts.rows)
    )
}
