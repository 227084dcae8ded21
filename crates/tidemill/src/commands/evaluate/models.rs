//! Several models of one file, side by side.

use console::style;
use tidemill_evaluate::metrics::Direction;
use tidemill_evaluate::{Blessing, Evaluation, Metric};

use crate::ui::{Align, Table};

/// A model that was evaluated.
pub struct Judged {
    /// The column of its predictions.
    pub prediction: String,
    pub evaluation: Evaluation,
    pub blessing: Blessing,
}

/// A row for each metric and a column for each model. The best value is marked `*`; a change against the first model that is
/// within chance is in brackets.
pub fn side_by_side(models: &[Judged]) -> String {
    let Some(first) = models.first() else { return String::new() };
    let value = |model: &Judged, metric| model.evaluation.overall().and_then(|overall| overall.metrics.get(metric));
    let bounded =
        |metric: Metric| models.iter().any(|model| model.blessing.checks.iter().any(|check| check.metric == metric));
    let shown = |metric: &Metric| {
        let is_judged = !matches!(metric.direction(), Direction::Neutral) && *metric != Metric::TruePositiveRate;
        (is_judged || bounded(*metric)) && models.iter().any(|model| value(model, *metric).is_some())
    };
    let computed = first.evaluation.overall().map(|overall| overall.metrics.iter().map(|(metric, _)| metric));
    let metrics: Vec<Metric> = computed.into_iter().flatten().filter(shown).collect();
    let row = |metric: &Metric| -> Vec<String> {
        let best = models.iter().filter_map(|model| value(model, *metric)).reduce(|best, other| {
            if metric.direction().gain(other, best).is_some_and(|gain| gain > 0.0) { other } else { best }
        });
        let cell = |model: &Judged| {
            let Some(found) = value(model, *metric) else { return "–".to_owned() };
            let mark = if Some(found) == best { " *" } else { "" };
            let change = model.evaluation.overall().and_then(|overall| overall.change_intervals.as_ref()?.get(metric));
            let within = change.is_some_and(|change| change.low <= 0.0 && 0.0 <= change.high);
            let is_first = model.prediction == first.prediction;
            if within && !is_first { format!("({found:.4}){mark}") } else { format!("{found:.4}{mark}") }
        };
        std::iter::once(metric.title().to_owned()).chain(models.iter().map(cell)).collect()
    };
    let heads = models.iter().map(|model| (model.prediction.as_str(), Align::Right));
    let mut table = Table::new(&std::iter::once(("metric", Align::Left)).chain(heads).collect::<Vec<_>>());
    metrics.iter().for_each(|metric| table.row(row(metric)));
    format!(
        "{}\n{table}\n* the best value; in brackets: the difference from {} is within chance\n",
        style("Models").bold(),
        first.prediction
    )
}
