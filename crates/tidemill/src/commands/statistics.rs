//! What `tidemill stats` prints beyond the table of each feature: weights, lists, times, pairs, slices.

use console::style;
use tidemill_core::{CrossStatistics, DatasetStatistics, FeatureStatistics, SliceFamily};
use tidemill_validation::{AlertKind, alerts, first_of_each_kind};

use crate::ui::{Align, Table, count, number, printable};

/// Alerts printed; all are in the report.
const ALERTS: usize = 10;

/// Pairs of features printed; the rest is in the JSON and the report.
const PAIRS: usize = 10;

/// Everything there is beyond the tables of features; empty for plain statistics of plain columns.
pub(super) fn beyond_features(dataset: &DatasetStatistics) -> String {
    let mut parts = Vec::new();
    if let Some(weight) = &dataset.weight {
        parts.push(weights(dataset, &weight.column, weight.num_examples));
    }
    parts.extend(lists(dataset));
    parts.extend(bytes(dataset));
    parts.extend(times(dataset));
    parts.extend(languages(dataset));
    parts.extend(customs(dataset));
    parts.extend(pairs(&dataset.cross));
    parts.extend(lifts(&dataset.cross));
    parts.extend(dataset.slices.iter().map(|family| slices(family, dataset.num_examples)));
    parts.iter().map(|part| format!("\n{part}")).collect::<Vec<_>>().concat()
}

/// The alerts of a dataset, worst first, and how many are not printed; empty without alerts.
pub(super) fn alerts_text(dataset: &DatasetStatistics) -> String {
    let found = alerts(dataset);
    if found.is_empty() {
        return String::new();
    }
    let mut out = Table::new(&[("alert", Align::Left), ("feature", Align::Left), ("reason", Align::Left)]);
    let (shown, rest) = first_of_each_kind(&found, ALERTS, |alert| alert.kind);
    for alert in shown {
        let kind = match alert.kind {
            AlertKind::Empty | AlertKind::Constant | AlertKind::NotFinite => style(alert.kind.title()).red(),
            kind => style(kind.title()).yellow(),
        };
        out.row([kind.to_string(), printable(&alert.feature).into_owned(), printable(&alert.message).into_owned()]);
    }
    let rest = if rest.is_empty() {
        String::new()
    } else {
        format!("{}\n", style(format!("and {} more", count(rest.len() as u64))).dim())
    };
    format!("\n{out}{rest}")
}

fn table(heads: &[&'static str]) -> Table {
    let side = |index: usize| if index == 0 { Align::Left } else { Align::Right };
    Table::new(&heads.iter().enumerate().map(|(index, head)| (*head, side(index))).collect::<Vec<_>>())
}

pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn weights(dataset: &DatasetStatistics, column: &str, total: f64) -> String {
    let mut out = table(&["weighted", "missing", "mean", "std", "median", "heaviest"]);
    for feature in &dataset.features {
        let Some(weighted) = &feature.weighted else { continue };
        let all = weighted.num_missing + weighted.num_non_missing;
        let numbers = weighted.numeric.as_ref().filter(|_| weighted.num_non_missing > 0.0);
        let shown = |get: fn(&tidemill_core::WeightedNumericStatistics) -> f64| {
            numbers.map_or_else(String::new, |numbers| number(get(numbers)))
        };
        let heaviest = match (&weighted.string, &weighted.boolean) {
            (Some(text), _) => text.top_values.first().map_or_else(String::new, |top| {
                format!(
                    "{} {}",
                    printable(&top.value).chars().take(24).collect::<String>(),
                    style(number(top.weight)).dim()
                )
            }),
            (None, Some(boolean)) => format!("true {}", style(number(boolean.num_true)).dim()),
            (None, None) => String::new(),
        };
        out.row([
            printable(&feature.name).into_owned(),
            if weighted.num_missing > 0.0 {
                percent(weighted.num_missing / all)
            } else {
                style("–").dim().to_string()
            },
            shown(|numbers| numbers.mean),
            shown(|numbers| numbers.std_dev),
            shown(|numbers| numbers.median),
            heaviest,
        ]);
    }
    format!("{out}{}\n", style(format!("weights of `{}`: {} in all", printable(column), number(total))).dim())
}

/// A table with a line for each feature for which `row` gives one.
fn of_features(
    dataset: &DatasetStatistics,
    heads: &[&'static str],
    row: impl Fn(&FeatureStatistics) -> Option<Vec<String>>,
) -> Option<String> {
    let mut out = table(heads);
    let mut any = false;
    for feature in &dataset.features {
        if let Some(cells) = row(feature) {
            out.row(std::iter::once(printable(&feature.name).into_owned()).chain(cells));
            any = true;
        }
    }
    any.then(|| out.to_string())
}

/// What another program said of features beside.
fn customs(dataset: &DatasetStatistics) -> Option<String> {
    let mut out = Table::new(&[("custom", Align::Left), ("statistic", Align::Left), ("", Align::Left)]);
    let mut any = false;
    for feature in &dataset.features {
        for custom in &feature.custom {
            let said: String = printable(&custom.in_words()).chars().take(80).collect();
            out.row([printable(&feature.name).into_owned(), printable(&custom.name).into_owned(), said]);
            any = true;
        }
    }
    any.then(|| out.to_string())
}

fn lists(dataset: &DatasetStatistics) -> Option<String> {
    of_features(dataset, &["list", "empty", "fewest", "mean", "most", "values", "null values"], |feature| {
        let valency = feature.valency.as_ref()?;
        let common = &feature.common;
        Some(vec![
            count(valency.num_empty),
            count(common.min_num_values),
            number(common.avg_num_values),
            count(common.max_num_values),
            count(common.tot_num_values),
            count(valency.num_null_values),
        ])
    })
}

fn bytes(dataset: &DatasetStatistics) -> Option<String> {
    of_features(
        dataset,
        &["bytes", "shortest", "mean", "longest", "not UTF-8", "pictures", "width", "height"],
        |feature| {
            let bytes = feature.bytes.as_ref()?;
            let pictures = bytes.images.as_ref().map_or_else(String::new, |images| {
                images
                    .formats
                    .iter()
                    .map(|of| format!("{} {}", of.value, count(of.frequency)))
                    .collect::<Vec<_>>()
                    .join(" · ")
            });
            let extent = |get: fn(&tidemill_core::ImageStatistics) -> &tidemill_core::Extent| {
                bytes
                    .images
                    .as_ref()
                    .map(get)
                    .filter(|extent| extent.max > 0.0)
                    .map_or_else(String::new, |extent| format!("{} to {}", number(extent.min), number(extent.max)))
            };
            Some(vec![
                count(bytes.min_num_bytes),
                number(bytes.avg_num_bytes),
                count(bytes.max_num_bytes),
                count(bytes.invalid_utf8_count),
                pictures,
                extent(|images| &images.width),
                extent(|images| &images.height),
            ])
        },
    )
}

fn times(dataset: &DatasetStatistics) -> Option<String> {
    of_features(dataset, &["time", "first", "last", "read as", "of the values"], |feature| {
        let time = feature.time.as_ref()?;
        let written = time.formats.first().map_or_else(String::new, |format| format.value.clone());
        Some(vec![time.min.clone(), time.max.clone(), written, percent(time.share)])
    })
}

fn languages(dataset: &DatasetStatistics) -> Option<String> {
    of_features(dataset, &["words", "fewest", "mean", "most", "letters", "sentences"], |feature| {
        let language = feature.language.as_ref()?;
        // Dates with a time are two words, and no text.
        if feature.time.is_some() {
            return None;
        }
        Some(vec![
            count(language.min_tokens),
            number(language.avg_tokens),
            count(language.max_tokens),
            number(language.avg_token_length),
            percent(language.sentence_share),
        ])
    })
}

fn pairs(cross: &CrossStatistics) -> Option<String> {
    let mut ranked: Vec<_> = cross.numeric.iter().filter_map(|pair| Some((pair, pair.correlation?))).collect();
    ranked.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    if ranked.is_empty() {
        return None;
    }
    let mut out = Table::new(&[("correlation", Align::Left), ("with", Align::Left), ("r", Align::Right)]);
    for (pair, r) in ranked.iter().take(PAIRS) {
        out.row([printable(&pair.x).into_owned(), printable(&pair.y).into_owned(), format!("{r:+.3}")]);
    }
    let rest = ranked.len().saturating_sub(PAIRS);
    let mut text = out.to_string();
    if rest > 0 {
        text.push_str(&format!("{}\n", style(format!("{} weaker pairs are not listed", count(rest as u64))).dim()));
    }
    if !cross.numeric_left_out.is_empty() {
        let left = cross.numeric_left_out.len() as u64;
        text.push_str(&format!(
            "{}\n",
            style(format!("{} further numeric features were not compared", count(left))).dim()
        ));
    }
    Some(text)
}

fn lifts(cross: &CrossStatistics) -> Option<String> {
    let first = cross.lift.first();
    if first.is_none() && cross.lift_left_out.is_empty() {
        return None;
    }
    let mut out = table(&["with the label", "bits", "value", "label", "together", "lift"]);
    let mut ranked: Vec<_> = cross.lift.iter().collect();
    ranked.sort_by(|a, b| b.mutual_information.total_cmp(&a.mutual_information));
    for lift in ranked {
        // The value that tells most: how far its lift is from 1, among those of some frequency.
        let told = lift
            .values
            .iter()
            .filter(|value| value.count * 100 >= lift.count)
            .flat_map(|value| value.lift.iter().enumerate().map(move |(label, lift)| (value, label, *lift)));
        let far = |lift: f64| if lift > 0.0 { lift.ln().abs() } else { 0.0 };
        let Some((value, label, most)) = told.max_by(|a, b| far(a.2).total_cmp(&far(b.2))) else { continue };
        out.row([
            printable(&lift.feature).into_owned(),
            format!("{:.4}", lift.mutual_information),
            printable(&value.value).chars().take(24).collect(),
            lift.label_values.get(label).map_or_else(String::new, |label| printable(&label.value).into_owned()),
            count(value.counts.get(label).copied().unwrap_or_default()),
            format!("{most:.2}"),
        ]);
    }
    let mut text = if first.is_some() { out.to_string() } else { String::new() };
    if !cross.lift_left_out.is_empty() {
        let names: Vec<_> = cross.lift_left_out.iter().map(|name| format!("`{}`", printable(name))).collect();
        let told = format!("too many values to hold against the label: {}", names.join(", "));
        text.push_str(&format!("{}\n", style(told).dim()));
    }
    Some(text)
}

fn slices(family: &SliceFamily, rows: u64) -> String {
    let mut out = table(&["slice", "rows", "share"]);
    for slice in &family.slices {
        let own = slice.statistics.num_examples;
        out.row([printable(&slice.statistics.name).into_owned(), count(own), percent(own as f64 / rows.max(1) as f64)]);
    }
    let hidden = family.num_slices.saturating_sub(family.slices.len() as u64);
    if hidden == 0 {
        return out.to_string();
    }
    let about = if family.num_slices_is_estimate { "about " } else { "" };
    let rest = format!(
        "{about}{} smaller slices of {} rows are not listed",
        count(hidden),
        count(family.num_examples_not_shown)
    );
    format!("{out}{}\n", style(rest).dim())
}
