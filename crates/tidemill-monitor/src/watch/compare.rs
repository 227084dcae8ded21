//! A window against a reference, column by column.

use serde::{Deserialize, Serialize};
use tidemill_validation::cell_distances;

use super::cells::{Cells, short};
use super::counts::{ColumnCounts, WindowCounts};
use super::profile::Profile;
use super::significance::{benjamini_hochberg, chi_squared_tail, homogeneity};

/// Jensen-Shannon divergence in bits below which nothing is called drift: the world moves a little every day.
pub const DISTANCE_MIN: f64 = 0.01;
/// Share of missing values by which a column must differ.
const MISSING_MIN: f64 = 0.01;
/// Expected count below which a cell joins the next.
const EXPECTED_MIN: f64 = 5.0;

/// How drift is judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DriftRules {
    /// Share of false alarms among the columns that are called drifted.
    pub false_discovery_rate: f64,
    /// The least divergence that counts, in bits.
    pub distance_min: f64,
}

/// One column of a window beside its reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnResult {
    /// Its name.
    pub name: String,
    /// An output of the model.
    pub output: bool,
    /// Its part in the sum of all.
    pub importance: f64,
    /// Jensen-Shannon divergence in bits.
    pub distance: f64,
    /// Population stability index.
    pub psi: f64,
    /// The chance of a distance as large without a change.
    pub p: f64,
    /// The divergence above which it is called drift.
    pub threshold: f64,
    /// It is.
    pub drifted: bool,
    /// Share of missing values, and that of the reference.
    pub missing: [f64; 2],
    /// More or fewer are missing than chance explains.
    pub missing_changed: bool,
    /// What changed most, if it drifted: `Cash 41 % → 3 %`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub moved: String,
}

/// The columns of `window` beside those of `base`, counted in the same cells.
pub fn compare(profile: &Profile, base: &WindowCounts, window: &WindowCounts, rules: DriftRules) -> Vec<ColumnResult> {
    let mut results = Vec::with_capacity(profile.columns.len());
    let mut chances = Vec::with_capacity(2 * profile.columns.len());
    for (at, column) in profile.columns.iter().enumerate() {
        let (before, now) = (&base.columns[at], &window.columns[at]);
        let (a, b) = (numbers(before), numbers(now));
        let distances = cell_distances(&a, &b);
        let own = &column.windows;
        let (value, degrees) = tested(&a, &b, matches!(column.cells, Cells::Numbers { .. }));
        let p = chi_squared_tail(value / own.dispersion.max(1.0), degrees);
        let share = |of: &ColumnCounts| {
            of.missing as f64 / ((of.missing + of.values() + of.not_finite + of.wrong_type) as f64).max(1.0)
        };
        let missing = [share(now), share(before)];
        let present = |of: &ColumnCounts| [of.missing as f64, of.values() as f64];
        let (value, degrees) = homogeneity(&present(before), &present(now));
        let missing_p = chi_squared_tail(value / own.dispersion.max(1.0), degrees);
        chances.extend([p, missing_p]);
        results.push(ColumnResult {
            name: column.name.clone(),
            output: column.output,
            importance: column.importance,
            distance: distances.jensen_shannon,
            psi: distances.population_stability_index,
            p,
            threshold: threshold(rules.distance_min, own, &a, &b),
            drifted: false,
            missing,
            missing_changed: false,
            moved: String::new(),
        });
    }
    let rejected = benjamini_hochberg(&chances, rules.false_discovery_rate);
    for (at, result) in results.iter_mut().enumerate() {
        let values = window.columns[at].values() > 0 && base.columns[at].values() > 0;
        result.drifted = rejected[2 * at] && values && result.distance >= result.threshold;
        result.missing_changed = rejected[2 * at + 1] && (result.missing[0] - result.missing[1]).abs() >= MISSING_MIN;
        if result.drifted {
            result.moved = moved(&profile.columns[at].cells, &base.columns[at], &window.columns[at]);
        }
    }
    results
}

/// Jensen-Shannon divergence of counts in the same cells.
pub(super) fn distance_of(a: &[f64], b: &[f64]) -> f64 {
    cell_distances(a, b).jensen_shannon
}

/// The divergence that a window must exceed: `least`, or three standard deviations above what windows of the reference do
/// if that is more. What chance makes of a divergence grows with `1/a + 1/b`, so a smaller window gets more.
fn threshold(least: f64, own: &super::profile::OwnWindows, a: &[f64], b: &[f64]) -> f64 {
    if own.count < 3 {
        return least;
    }
    let (m, n): (f64, f64) = (a.iter().sum(), b.iter().sum());
    let smaller = ((1.0 / n.max(1.0) + 1.0 / m.max(1.0)) / (1.0 / own.rows.max(1.0) + 1.0 / m.max(1.0))).max(1.0);
    least.max((own.distance[0] + 3.0 * own.distance[1]) * smaller)
}

fn numbers(counts: &ColumnCounts) -> Vec<f64> {
    counts.cells.iter().map(|count| *count as f64).collect()
}

/// χ² of cells that are joined until chance expects a few rows in each on both sides: neighbours of numbers, the rarest
/// of texts.
fn tested(a: &[f64], b: &[f64], ordered: bool) -> (f64, f64) {
    let (total_a, total_b): (f64, f64) = (a.iter().sum(), b.iter().sum());
    let all = total_a + total_b;
    if total_a <= 0.0 || total_b <= 0.0 {
        return (0.0, 0.0);
    }
    let mut order: Vec<usize> = (0..a.len()).collect();
    if !ordered {
        order.sort_by(|x, y| (a[*y] + b[*y]).total_cmp(&(a[*x] + b[*x])));
    }
    let needed = EXPECTED_MIN * all / total_a.min(total_b);
    let (mut left, mut right, mut open) = (Vec::new(), Vec::new(), (0.0, 0.0));
    for cell in order {
        open = (open.0 + a[cell], open.1 + b[cell]);
        if open.0 + open.1 >= needed {
            left.push(open.0);
            right.push(open.1);
            open = (0.0, 0.0);
        }
    }
    match (left.last_mut(), right.last_mut()) {
        (Some(last_left), Some(last_right)) => {
            *last_left += open.0;
            *last_right += open.1;
        }
        _ => return (0.0, 0.0),
    }
    homogeneity(&left, &right)
}

/// The two cells whose shares changed most, and the change of the mean.
fn moved(cells: &Cells, before: &ColumnCounts, now: &ColumnCounts) -> String {
    let mut parts = Vec::new();
    if let (Some((old, _)), Some((new, _)), Cells::Numbers { .. }) = (before.moments(), now.moments(), cells) {
        parts.push(format!("mean {} → {}", short(old), short(new)));
    }
    let totals = (before.values().max(1) as f64, now.values().max(1) as f64);
    let mut changes: Vec<(f64, usize, f64, f64)> = (0..cells.count())
        .map(|cell| {
            let old = before.cells.get(cell).copied().unwrap_or(0) as f64 / totals.0;
            let new = now.cells.get(cell).copied().unwrap_or(0) as f64 / totals.1;
            (new - old, cell, old, new)
        })
        .collect();
    changes.sort_by(|a, b| b.0.abs().total_cmp(&a.0.abs()).then(a.1.cmp(&b.1)));
    for (_, cell, old, new) in changes.into_iter().take(2) {
        parts.push(format!("{} {} → {}", cells.name(cell), percent(old), percent(new)));
    }
    parts.join(", ")
}

/// A share for people: `41 %`, `0.3 %`.
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent != 0.0 && percent.abs() < 10.0 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}

/// The cell of which the window has most more than the reference: where its unusual rows are.
pub(crate) fn most_grown(cells: &Cells, before: &ColumnCounts, now: &ColumnCounts) -> Option<usize> {
    let totals = (before.values().max(1) as f64, now.values().max(1) as f64);
    let gain = |cell: usize| now.cells[cell] as f64 / totals.1 - before.cells[cell] as f64 / totals.0;
    (0..cells.count().min(now.cells.len()).min(before.cells.len())).max_by(|a, b| gain(*a).total_cmp(&gain(*b)))
}
