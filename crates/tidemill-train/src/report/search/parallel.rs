//! Parallel coordinates: a line for each trial through its parameters, to the metric.

use std::fmt::Write as _;

use serde_json::Value;
use tidemill_core::markup::escape;
use tidemill_tune::Trial;

use super::chart::{Axis, plain};
use super::{Study, learner_name};
use crate::report::decimals;

const SIZE: [f64; 2] = [1080.0, 330.0];
const TOP: f64 = 34.0;
const BOTTOM: f64 = 26.0;
const SIDE: f64 = 70.0;
/// Axes, that of the metric not counted, and lines.
const AXES_MAX: usize = 8;
const LINES_MAX: usize = 200;
/// The share of lines that stand out.
const GOOD_SHARE: f64 = 0.1;

/// One axis: numbers, or choices.
enum Scale {
    Numbers(Axis, f64, f64),
    Choices(Vec<String>),
}

impl Scale {
    fn of(values: &[&Value]) -> Option<Self> {
        let numbers: Option<Vec<f64>> = values.iter().map(|value| value.as_f64()).collect();
        if let Some(numbers) = numbers.filter(|numbers| !numbers.is_empty()) {
            let (low, high) =
                numbers.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(*x), high.max(*x)));
            return Some(Self::Numbers(Axis::of(numbers.into_iter(), true)?, low, high));
        }
        let mut names: Vec<String> = Vec::new();
        for value in values {
            let name = name(value);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names.sort();
        (!names.is_empty()).then_some(Self::Choices(names))
    }

    fn share(&self, value: &Value) -> Option<f64> {
        match self {
            Self::Numbers(axis, ..) => Some(axis.share(value.as_f64()?)),
            Self::Choices(names) => {
                let at = names.iter().position(|other| *other == name(value))?;
                Some((at as f64 + 0.5) / names.len() as f64)
            }
        }
    }
}

fn name(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

pub(super) fn section(study: &Study<'_>) -> String {
    let ranked = study.ranked();
    let Some(best) = ranked.first() else { return String::new() };
    // Of several learners each has parameters of its own: those of the best one are shown, and which learner it is.
    let learner = learner_name(study.found, best);
    let is_shown = |trial: &&&Trial| learner_name(study.found, trial) == learner;
    let shown: Vec<&Trial> = ranked.iter().filter(is_shown).take(LINES_MAX).copied().collect();
    let mut axes: Vec<(String, String, Scale)> = Vec::new();
    for (key, _) in study.params().into_iter().filter(|(key, _)| key != "learner") {
        let values: Vec<&Value> = shown.iter().filter_map(|trial| trial.params.get(&key)).collect();
        let varies = values.iter().any(|value| Some(value) != values.first());
        if axes.len() < AXES_MAX
            && varies
            && let Some(scale) = Scale::of(&values)
        {
            let own = key.strip_prefix(&learner).and_then(|rest| rest.strip_prefix('.')).unwrap_or(&key).to_owned();
            axes.push((key, own, scale));
        }
    }
    let Some(metric) = Axis::of(shown.iter().filter_map(|trial| trial.result()), false) else { return String::new() };
    if axes.is_empty() || shown.len() < 3 {
        return String::new();
    }
    let count = axes.len() + 1;
    let x = |at: usize| SIDE + at as f64 / (count - 1) as f64 * (SIZE[0] - 2.0 * SIDE);
    let y = |share: f64| TOP + (1.0 - share) * (SIZE[1] - TOP - BOTTOM);
    let mut svg =
        format!("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"parameters of trials\">", SIZE[0], SIZE[1]);
    let good = ((shown.len() as f64 * GOOD_SHARE).ceil() as usize).max(1);
    for (place, trial) in shown.iter().enumerate().rev() {
        let of_axis = |(at, (key, _, scale)): (usize, &(String, String, Scale))| {
            Some((x(at), y(scale.share(trial.params.get(key)?)?)))
        };
        let mut points: Vec<(f64, f64)> = axes.iter().enumerate().filter_map(of_axis).collect();
        points.extend(trial.result().map(|value| (x(count - 1), y(metric.share(value)))));
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let class = if place < good { "thread good c1" } else { "thread c0" };
        let _ = write!(
            svg,
            "<polyline class=\"{class}\" points=\"{}\"><title>trial {}: {}</title></polyline>",
            points.join(" "),
            trial.number + 1,
            trial.value.map_or_else(String::new, decimals)
        );
    }
    let mut axis = |at: usize, name: &str, ends: &[(f64, String)]| {
        let _ = write!(
            svg,
            "<line class=\"axis\" x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"{TOP}\" y2=\"{1}\"/><text class=\"label\" x=\"{0:.1}\" y=\"16\" text-anchor=\"middle\">{2}</text>",
            x(at),
            SIZE[1] - BOTTOM,
            escape(name)
        );
        for (share, text) in ends {
            let _ = write!(svg, "<text x=\"{:.1}\" y=\"{:.1}\">{}</text>", x(at) + 5.0, y(*share) + 4.0, escape(text));
        }
    };
    for (at, (_, own, scale)) in axes.iter().enumerate() {
        let ends: Vec<(f64, String)> = match scale {
            Scale::Numbers(axis, low, high) => [*low, *high].map(|value| (axis.share(value), plain(value))).to_vec(),
            Scale::Choices(names) => {
                let share = |at: usize| (at as f64 + 0.5) / names.len() as f64;
                names.iter().enumerate().map(|(at, name)| (share(at), name.clone())).collect()
            }
        };
        axis(at, own, &ends);
    }
    let results: Vec<f64> =
        [shown.first(), shown.last()].into_iter().flatten().filter_map(|trial| trial.result()).collect();
    let ends: Vec<(f64, String)> = results.iter().map(|value| (metric.share(*value), decimals(*value))).collect();
    axis(count - 1, &study.found.metric, &ends);
    svg.push_str("</svg>");
    let of = if study.learners.len() > 1 { format!("of {}; ", escape(&learner)) } else { String::new() };
    format!(
        "<section id=\"parallel\"><h2>Parameters together<span>{of}a line for each trial; the best tenth stands out</span></h2>\
         <div class=\"chart\">{svg}</div></section>"
    )
}
