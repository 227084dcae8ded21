//! A frame with two axes, and points in it.

use std::fmt::Write as _;

use tidemill_core::markup::escape;

use crate::report::{nice, short};

/// Lines of a grid, about.
const LINES: f64 = 5.0;

/// An axis: numbers, or their logarithms.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    is_log: bool,
}

impl Axis {
    /// An axis that has room for `values`; `None` without a finite one. Logarithms are taken where all are positive and the largest
    /// is many times the least.
    pub(super) fn of(values: impl Iterator<Item = f64>, may_be_log: bool) -> Option<Self> {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| value.is_finite()) {
            (low, high) = (low.min(value), high.max(value));
        }
        if low > high {
            return None;
        }
        let is_log = may_be_log && low > 0.0 && high / low > 20.0;
        let (low, high) = if is_log { (low.ln(), high.ln()) } else { (low, high) };
        let room = if high > low { (high - low) * 0.06 } else { high.abs().max(1.0) * 0.1 };
        Some(Self { low: low - room, high: high + room, is_log })
    }

    /// Where a value lies, from 0 to 1.
    pub(super) fn share(&self, value: f64) -> f64 {
        let value = if self.is_log { value.max(f64::MIN_POSITIVE).ln() } else { value };
        (value - self.low) / (self.high - self.low)
    }

    /// Round values with their texts.
    fn ticks(&self) -> Vec<(f64, String)> {
        if self.is_log {
            let (from, to) = (self.low / std::f64::consts::LN_10, self.high / std::f64::consts::LN_10);
            let powers: Vec<i32> = (from.ceil() as i32..=to.floor() as i32).collect();
            let stride = powers.len().div_ceil(6).max(1);
            return powers
                .into_iter()
                .step_by(stride)
                .map(|power| (10_f64.powi(power), plain(10_f64.powi(power))))
                .collect();
        }
        let step = nice((self.high - self.low) / LINES);
        let first = (self.low / step).ceil();
        (0..20)
            .map(|at| (first + f64::from(at)) * step)
            .take_while(|value| *value <= self.high)
            .map(|value| (value, short(value, step)))
            .collect()
    }
}

/// A number as it is short to read.
pub(super) fn plain(value: f64) -> String {
    if value != 0.0 && !(1e-3..1e6).contains(&value.abs()) { format!("{value:.0e}") } else { format!("{value}") }
}

/// A chart that is drawn part by part.
pub(super) struct Chart {
    size: [f64; 2],
    x: Axis,
    y: Axis,
    svg: String,
}

const LEFT: f64 = 64.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 34.0;

impl Chart {
    /// A chart with its grid. `about`: what it shows, for those who do not see it.
    pub(super) fn new(size: [f64; 2], x: Axis, y: Axis, about: &str) -> Self {
        let mut chart = Self { size, x, y, svg: String::new() };
        let [width, height] = size;
        let _ =
            write!(chart.svg, "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\">", escape(about));
        for (value, text) in chart.y.ticks() {
            let at = chart.place_y(value);
            let _ = write!(
                chart.svg,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>",
                width - RIGHT,
                LEFT - 8.0,
                at + 4.0
            );
        }
        for (value, text) in chart.x.ticks() {
            let at = chart.place_x(value);
            let _ = write!(
                chart.svg,
                "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{text}</text>",
                height - BOTTOM + 18.0
            );
        }
        chart
    }

    fn place_x(&self, value: f64) -> f64 {
        LEFT + self.x.share(value) * (self.size[0] - LEFT - RIGHT)
    }

    fn place_y(&self, value: f64) -> f64 {
        TOP + (1.0 - self.y.share(value)) * (self.size[1] - TOP - BOTTOM)
    }

    /// A trial, with a text that is shown when it is pointed at.
    pub(super) fn dot(&mut self, x: f64, y: f64, class: &str, text: &str) {
        let (x, y) = (self.place_x(x), self.place_y(y));
        let _ = write!(
            self.svg,
            "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\"><title>{}</title></circle>",
            escape(text)
        );
    }

    /// A line through points.
    pub(super) fn line(&mut self, points: &[(f64, f64)], class: &str) {
        let points: Vec<String> =
            points.iter().map(|(x, y)| format!("{:.1},{:.1}", self.place_x(*x), self.place_y(*y))).collect();
        let _ = write!(self.svg, "<polyline class=\"{class}\" points=\"{}\"/>", points.join(" "));
    }

    /// A level line with a name.
    pub(super) fn level(&mut self, y: f64, class: &str, name: &str) {
        let at = self.place_y(y);
        if !(TOP..=self.size[1] - BOTTOM).contains(&at) {
            return;
        }
        let right = self.size[0] - RIGHT;
        let _ = write!(
            self.svg,
            "<line class=\"{class}\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/><text x=\"{right}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            at - 4.0,
            escape(name)
        );
    }

    /// The drawing.
    pub(super) fn finish(mut self) -> String {
        self.svg.push_str("</svg>");
        self.svg
    }
}
