//! The parts of the page that need no script: verdict, metrics, thresholds, slices found.

use std::fmt::Write as _;
use tidemill_core::markup::{escape, marked};

use tidemill_core::{Task, TaskKind};

use super::html::{decimals, shortened, signed};
use crate::gate::number;
use crate::metrics::{Metric, guess};
use crate::summary::{bound, two_digits, with_separators};
use crate::{Blessing, BlessingVerdict, Check, CheckOutcome, Evaluation, Interval, SliceEvaluation};

/// The maximum number of reasons and bounds shown; a family of slices may have thousands.
const LINES_MAX: usize = 200;
/// Reasons shown in the banner.
const REASONS_MAX: usize = 8;

/// The verdict with its reasons.
pub(super) fn banner(blessing: &Blessing) -> String {
    let (class, title, what) = match blessing.verdict {
        BlessingVerdict::Blessed => ("good", "Blessed", "every bound holds"),
        BlessingVerdict::BlessedFirst => {
            ("good", "Blessed", "every bound on the value itself holds; the first model has no baseline")
        }
        BlessingVerdict::NotBlessed => ("bad", "Not blessed", "a bound does not hold"),
        BlessingVerdict::Unchecked => ("", "Unchecked", "no thresholds are set, so the model was not judged"),
    };
    let failed = blessing.checks.iter().filter(|check| check.outcome == CheckOutcome::Failed).count();
    let what =
        if failed > 1 { format!("{failed} of {} bounds do not hold", blessing.checks.len()) } else { what.to_owned() };
    let mut out = format!("<div class=\"verdict {class}\"><p><b>{title}</b><span>{what}</span></p>");
    let notes = blessing.notes.iter().filter(|_| blessing.verdict != BlessingVerdict::Unchecked);
    let lines: Vec<&String> = blessing.reasons.iter().take(REASONS_MAX).chain(notes).collect();
    if !lines.is_empty() {
        out.push_str("<ul>");
        for line in lines {
            let _ = write!(out, "<li>{}</li>", marked(line));
        }
        out.push_str("</ul>");
    }
    if blessing.reasons.len() > REASONS_MAX {
        let _ = write!(out, "<p class=\"sub\">and {} more, below</p>", blessing.reasons.len() - REASONS_MAX);
    }
    out.push_str("</div>");
    out
}

/// The metrics to see first, each with its interval, the baseline and the change.
pub(super) fn cards(evaluation: &Evaluation) -> String {
    let shown: &[Metric] = match evaluation.task.kind() {
        TaskKind::MultiClass => {
            &[Metric::Accuracy, Metric::LogLoss, Metric::Auc, Metric::BalancedAccuracy, Metric::MacroF1]
        }
        TaskKind::Binary => &[Metric::Auc, Metric::PrAuc, Metric::LogLoss, Metric::Accuracy, Metric::Calibration],
        TaskKind::MultiLabel => {
            &[Metric::Auc, Metric::LogLoss, Metric::SubsetAccuracy, Metric::HammingLoss, Metric::MacroF1]
        }
        TaskKind::Ranking => &[Metric::Ndcg, Metric::NdcgAt5, Metric::NdcgAt10, Metric::Map, Metric::Mrr],
        TaskKind::Regression if matches!(evaluation.task, Task::Quantiles { .. }) => {
            &[Metric::PinballLoss, Metric::Coverage, Metric::IntervalWidth, Metric::Mae, Metric::Bias]
        }
        TaskKind::Regression => &[Metric::Rmse, Metric::Mae, Metric::R2, Metric::Bias, Metric::Calibration],
    };
    let Some(overall) = evaluation.overall() else { return String::new() };
    let mut out = String::from("<div class=\"cards\">");
    for metric in shown {
        let line = Line::new(overall, *metric);
        let value = line.value.map_or_else(|| "–".to_owned(), decimals);
        let reach = line.half_width().map(|reach| format!("<i>±{}</i>", two_digits(reach))).unwrap_or_default();
        let _ = write!(
            out,
            "<div class=\"stat\" data-tip=\"{}\"><span>{}</span><b>{value}{reach}</b>",
            escape(metric.about()),
            escape(metric.title())
        );
        if let Some(baseline) = line.baseline {
            let _ = write!(out, "<em>{}<span>baseline {}</span></em>", line.change_html(), decimals(baseline));
        }
        out.push_str("</div>");
    }
    out.push_str("</div>");
    out
}

/// Every metric of all rows, with its interval.
pub(super) fn metrics_table(evaluation: &Evaluation) -> String {
    let Some(overall) = evaluation.overall() else { return String::new() };
    let (compared, around) = (overall.baseline.is_some(), overall.intervals.is_some());
    let mut out = String::from(
        "<div class=\"scroll\"><table class=\"metrics\"><thead><tr><th scope=\"col\">metric</th><th scope=\"col\">candidate</th><th scope=\"col\">guessing</th>",
    );
    if compared {
        out.push_str("<th scope=\"col\">baseline</th><th scope=\"col\">change</th>");
    }
    if let Some(options) = evaluation.confidence_intervals.filter(|_| around) {
        let _ = write!(
            out,
            "<th scope=\"col\">{} % interval</th><th scope=\"col\" class=\"l\"></th>",
            number(options.level * 100.0)
        );
    }
    out.push_str("<th scope=\"col\" class=\"about\">what it is</th></tr></thead><tbody>");
    // The true positive rate is recall under another name.
    let hidden = [Metric::Count, Metric::TruePositiveRate];
    let is_computed = |metric: Metric| overall.metrics.iter().any(|(computed, _)| computed == metric);
    let written =
        overall.metrics.iter().map(|(metric, _)| metric).filter(|metric| matches!(metric, Metric::Written(_)));
    let all = Metric::of(&evaluation.task).filter(|metric| is_computed(*metric)).chain(written);
    for metric in all.filter(|metric| !hidden.contains(metric)) {
        let line = Line::new(overall, metric);
        let cell = |value: Option<f64>| value.map_or_else(|| "<span class=\"none\">–</span>".to_owned(), decimals);
        let _ = write!(
            out,
            "<tr class=\"f\"><td><span class=\"name\">{}</span></td><td>{}</td><td class=\"sub\">{}</td>",
            escape(metric.title()),
            cell(line.value),
            cell(guess(evaluation, metric))
        );
        if compared {
            let _ = write!(out, "<td class=\"sub\">{}</td><td>{}</td>", cell(line.baseline), line.change_html());
        }
        if around {
            let text = line.interval.map_or_else(
                || "<span class=\"none\">–</span>".to_owned(),
                |interval| format!("{} to {}", decimals(interval.low), decimals(interval.high)),
            );
            let _ = write!(out, "<td class=\"sub\">{text}</td><td class=\"l\">{}</td>", line.whisker());
        }
        let _ = write!(out, "<td class=\"about\">{}</td></tr>", marked(metric.about()));
    }
    out.push_str("</tbody></table></div>");
    out
}

/// The maximum number of classes in the confusion matrix.
const MATRIX_CLASSES_MAX: usize = 30;

/// The quality of each class, and the predictions for its rows.
pub(super) fn classes_table(evaluation: &Evaluation) -> String {
    let Some(classes) = &evaluation.classes else { return String::new() };
    // A row has several labels, so none is taken for another.
    let with_matrix = classes.len() <= MATRIX_CLASSES_MAX && evaluation.task.kind() == TaskKind::MultiClass;
    let mut out = String::from(
        "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">class</th><th scope=\"col\">rows</th><th scope=\"col\">precision</th><th scope=\"col\">recall</th><th scope=\"col\">F1</th><th scope=\"col\">AUC</th>",
    );
    for class in classes.iter().filter(|_| with_matrix) {
        let _ = write!(out, "<th scope=\"col\">as {}</th>", escape(&shortened(&class.class)));
    }
    out.push_str("</tr></thead><tbody>");
    let cell = |value: Option<f64>| value.map_or_else(|| "<span class=\"none\">–</span>".to_owned(), decimals);
    for class in classes {
        let _ = write!(out, "<tr><td>{}</td><td>{}</td>", escape(&shortened(&class.class)), number(class.rows));
        for value in [class.precision, class.recall, class.f1, class.auc] {
            let _ = write!(out, "<td>{}</td>", cell(value));
        }
        for other in classes.iter().filter(|_| with_matrix) {
            let rows = class.predicted.get(&other.class).copied().unwrap_or_default();
            let tag = if other.class == class.class { "b" } else { "span" };
            let _ = write!(out, "<td><{tag}>{}</{tag}></td>", number(rows));
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>");
    out
}

/// Every bound and its result, failures first.
pub(super) fn thresholds_table(blessing: &Blessing) -> String {
    if blessing.checks.is_empty() {
        return String::new();
    }
    let mut checks: Vec<&Check> = blessing.checks.iter().collect();
    checks.sort_by_key(|check| check.outcome != CheckOutcome::Failed);
    let compared = checks.iter().any(|check| check.baseline.is_some());
    let mut out = String::from(
        "<div class=\"scroll\"><table class=\"bounds\"><thead><tr><th scope=\"col\">metric</th><th scope=\"col\" class=\"l\">rows</th><th scope=\"col\" class=\"l\">bound</th><th scope=\"col\">value</th>",
    );
    if compared {
        out.push_str("<th scope=\"col\">baseline</th>");
    }
    out.push_str("<th scope=\"col\" class=\"l\">holds</th></tr></thead><tbody>");
    for check in checks.iter().take(LINES_MAX) {
        let (class, holds) = match check.outcome {
            CheckOutcome::Passed => ("good", "yes".to_owned()),
            CheckOutcome::Failed => ("hot", "no".to_owned()),
            CheckOutcome::NotApplied => ("none", "not applied: there is no baseline yet".to_owned()),
        };
        let of = check.against.as_ref().map(|against| format!("{against} − {}", check.slice));
        let rows = if let Some(difference) = of {
            shortened(&difference)
        } else if check.slice.is_overall() {
            "all".to_owned()
        } else {
            shortened(&check.slice.to_string())
        };
        let cell = |value: Option<f64>| value.map_or_else(|| "<span class=\"none\">–</span>".to_owned(), decimals);
        let _ = write!(
            out,
            "<tr class=\"f\"><td><span class=\"name\">{}</span></td><td class=\"l\">{}</td><td class=\"l\">{}</td><td>{}</td>",
            escape(check.metric.title()),
            escape(&rows),
            escape(&bound(check)),
            cell(check.value)
        );
        if compared {
            let _ = write!(out, "<td class=\"sub\">{}</td>", cell(check.baseline));
        }
        let _ = write!(out, "<td class=\"l\"><span class=\"{class}\">{holds}</span></td></tr>");
    }
    out.push_str("</tbody></table></div>");
    if checks.len() > LINES_MAX {
        let _ = write!(out, "<p class=\"foot\">{} more are in `blessing.json`.</p>", checks.len() - LINES_MAX);
    }
    out
}

/// The results of the automatic search.
pub(super) fn found_table(evaluation: &Evaluation) -> String {
    let Some(search) = &evaluation.found_slices else { return String::new() };
    let tried = format!(
        "{} slices of {} columns were tried on half of the rows, of {} rows or more each, and those found were confirmed on the other half.",
        with_separators(search.tried),
        search.columns.len(),
        with_separators(search.min_rows)
    );
    if search.slices.is_empty() {
        return format!("<p class=\"foot\">No slice is clearly worse than the rest. {tried}</p>");
    }
    let mut out = String::from(
        "<div class=\"scroll\"><table class=\"found\"><thead><tr><th scope=\"col\">slice</th><th scope=\"col\">rows</th><th scope=\"col\">share</th>",
    );
    let loss = search.loss.replace('_', " ");
    let _ = write!(
        out,
        "<th scope=\"col\">{}</th><th scope=\"col\">elsewhere</th><th scope=\"col\" class=\"l\">effect size</th><th scope=\"col\">p</th></tr></thead><tbody>",
        escape(&loss)
    );
    let widest = search.slices.iter().map(|slice| slice.effect_size).fold(0.0, f64::max).max(1e-9);
    for slice in &search.slices {
        let p = if slice.adjusted_p_value < 0.001 {
            "&lt; 0.001".to_owned()
        } else {
            format!("{:.3}", slice.adjusted_p_value)
        };
        let _ = write!(
            out,
            "<tr class=\"f\"><td><span class=\"name\">{}</span></td><td>{}</td><td class=\"sub\">{:.1} %</td><td class=\"hot\">{}</td><td class=\"sub\">{}</td>",
            escape(&shortened(&slice.sentence(&search.loss))),
            with_separators(slice.rows),
            slice.share * 100.0,
            decimals(slice.loss),
            decimals(slice.rest_loss)
        );
        let _ = write!(
            out,
            "<td class=\"l\"><span class=\"effect\"><i style=\"width:{:.1}%\"></i></span>{:.2}</td><td class=\"sub\">{p}</td></tr>",
            slice.effect_size / widest * 100.0,
            slice.effect_size
        );
    }
    let _ = write!(
        out,
        "</tbody></table></div><p class=\"foot\">{tried} Effect size: the difference of the mean losses in standard deviations. p: the chance that the worst of all slices tried is as bad as this, from shuffled losses.</p>"
    );
    out
}

/// One metric of all rows beside its baseline.
struct Line {
    metric: Metric,
    value: Option<f64>,
    interval: Option<Interval>,
    baseline: Option<f64>,
    change_interval: Option<Interval>,
}

impl Line {
    fn new(slice: &SliceEvaluation, metric: Metric) -> Self {
        let of =
            |intervals: &Option<crate::Intervals>| intervals.as_ref().and_then(|found| found.get(&metric).copied());
        Self {
            metric,
            value: slice.metrics.get(metric),
            interval: of(&slice.intervals),
            baseline: slice.baseline.as_ref().and_then(|metrics| metrics.get(metric)),
            change_interval: of(&slice.change_intervals),
        }
    }

    /// The largest distance of the interval from the value.
    fn half_width(&self) -> Option<f64> {
        let (value, interval) = (self.value?, self.interval?);
        Some((interval.high - value).max(value - interval.low))
    }

    /// The change, coloured if it is clear: 0 is outside its interval, or there is no interval.
    fn change_html(&self) -> String {
        let Some((value, baseline)) = self.value.zip(self.baseline) else {
            return "<span class=\"none\">–</span>".into();
        };
        let clear = self.change_interval.is_none_or(|interval| interval.low > 0.0 || interval.high < 0.0);
        let gain = self.metric.direction().gain(value, baseline).unwrap_or(0.0);
        let class = match gain {
            _ if !clear => "sub",
            gain if gain > 0.0 => "good",
            gain if gain < 0.0 => "hot",
            _ => "sub",
        };
        let title = self.change_interval.map_or_else(String::new, |interval| {
            let noise = if clear { "" } else { ": within chance" };
            format!(" data-tip=\"{} to {}{noise}\"", signed(interval.low), signed(interval.high))
        });
        format!("<span class=\"{class}\"{title}>{}</span>", signed(value - baseline))
    }

    /// What the picture of the interval shows.
    fn spoken(&self, value: f64, interval: Interval) -> String {
        let baseline = self.baseline.map_or_else(String::new, |baseline| format!(", baseline {}", decimals(baseline)));
        let (title, value) = (self.metric.title(), decimals(value));
        format!("{title} {value}, interval {} to {}{baseline}", decimals(interval.low), decimals(interval.high))
    }

    /// The interval as a line, the candidate as a dot on it and the baseline as a tick beside it.
    fn whisker(&self) -> String {
        const WIDTH: f64 = 150.0;
        let Some((value, interval)) = self.value.zip(self.interval) else { return String::new() };
        let low = interval.low.min(self.baseline.unwrap_or(interval.low));
        let high = interval.high.max(self.baseline.unwrap_or(interval.high));
        let span = high - low;
        if span <= 0.0 {
            return String::new();
        }
        let x = |v: f64| 6.0 + (v - low) / span * (WIDTH - 12.0);
        let mut out = format!(
            "<svg class=\"whisker\" width=\"{WIDTH}\" height=\"18\" role=\"img\" aria-label=\"{}\"><line class=\"axis\" x1=\"0\" x2=\"{WIDTH}\" y1=\"9\" y2=\"9\"/><line class=\"reach\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"9\" y2=\"9\"/>",
            escape(&self.spoken(value, interval)),
            x(interval.low),
            x(interval.high)
        );
        if let Some(baseline) = self.baseline {
            let _ = write!(out, "<line class=\"tick\" x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"2\" y2=\"16\"/>", x(baseline));
        }
        let _ = write!(out, "<circle class=\"at\" cx=\"{:.1}\" cy=\"9\" r=\"4\"/></svg>", x(value));
        out
    }
}
