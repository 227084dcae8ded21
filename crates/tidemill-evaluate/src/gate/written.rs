//! Thresholds in one line, as command-line arguments: `auc>=0.9`, `log_loss<=baseline+0.01`.

use std::collections::BTreeMap;

use tidemill_core::{Code, Coded};

use super::elsewhere::unknown_metric;
use super::threshold::WrittenThreshold;
use super::{Rule, Threshold, Thresholds};
use crate::metrics::{Direction, Metric};

/// Why a threshold cannot be parsed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("threshold `{text}`: {problem}")]
pub struct ThresholdSyntax {
    text: String,
    problem: String,
    hint: String,
}

impl Coded for ThresholdSyntax {
    fn code(&self) -> Code {
        Code::ThresholdInvalid
    }

    fn hint(&self) -> Option<String> {
        Some(self.hint.clone())
    }
}

const FORM: &str = "write a metric and a bound: `auc>=0.9`, or `auc>=baseline-0.005` to compare with the baseline";

impl Thresholds {
    /// Parses bounds on all rows, each `METRIC>=NUMBER`, `METRIC<=NUMBER` or, against the baseline, `METRIC>=baseline`
    /// with `-NUMBER`, `-NUMBER%` or `+NUMBER` after it (`<=` and the other sign if less is better). Several bounds on
    /// a metric must all be met. `(interval)` at the end asks for the whole confidence interval.
    pub fn parse<S: AsRef<str>>(lines: impl IntoIterator<Item = S>) -> Result<Self, ThresholdSyntax> {
        Self::parse_with(lines, &[])
    }

    /// As [`parse`](Self::parse), where bounds may name the metrics `own` too.
    pub fn parse_with<S: AsRef<str>>(
        lines: impl IntoIterator<Item = S>,
        own: &[Metric],
    ) -> Result<Self, ThresholdSyntax> {
        let mut overall: BTreeMap<Metric, Threshold> = BTreeMap::new();
        for line in lines {
            let text = line.as_ref();
            let fail = |problem: String, hint: String| ThresholdSyntax { text: text.to_owned(), problem, hint };
            let (bounds, interval) = without_interval(text);
            let (metric, rule, limit) = bound(bounds, own).map_err(|(problem, hint)| fail(problem, hint))?;
            let threshold = overall.entry(metric).or_default();
            threshold.interval |= interval;
            add(threshold, rule, limit).map_err(|(problem, hint)| fail(problem, hint))?;
            let named = BTreeMap::from([(metric.name().to_owned(), WrittenThreshold::Bounds(*threshold))]);
            if let Err(issues) = Self::read_with(&named, &[], own) {
                let problem = issues.first().map(|issue| issue.message.clone()).unwrap_or_default();
                let hint = issues.into_iter().find_map(|issue| issue.hint).unwrap_or_else(|| FORM.to_owned());
                return Err(fail(problem, hint));
            }
        }
        Ok(Self { overall, ..Self::default() })
    }

    /// Whether a bound compares with the baseline.
    pub fn needs_baseline(&self) -> bool {
        self.metrics().any(|(_, threshold)| threshold.rules().any(|(rule, _)| rule.needs_baseline()))
    }
}

/// The bounds on a metric in a text: `>= 0.9`, or several with commas between them. `>` counts as `>=` and `<` as `<=`.
pub(super) fn bounds(metric: Metric, text: &str) -> Result<Threshold, (String, String)> {
    let (text, interval) = without_interval(text);
    let mut threshold = Threshold { interval, ..Threshold::default() };
    for part in text.split(',') {
        let part = part.trim();
        let signs = [(">=", true), ("<=", false), ("≥", true), ("≤", false), (">", true), ("<", false)];
        let found =
            signs.into_iter().find_map(|(sign, more)| part.strip_prefix(sign).map(|limit| (more, limit.trim())));
        let Some((more, limit)) = found else {
            let problem = format!("`{part}` is no bound on `{metric}`");
            return Err((problem, "write `>= 0.9`, `<= 70` or `>= baseline - 0.01`".to_owned()));
        };
        let (rule, limit) = rule(metric, more, limit)?;
        add(&mut threshold, rule, limit)?;
    }
    Ok(threshold)
}

/// The text without `(interval)` at its end, and whether it was there.
fn without_interval(text: &str) -> (&str, bool) {
    text.trim_end().strip_suffix("(interval)").map_or((text, false), |bounds| (bounds.trim_end(), true))
}

/// Sets a bound, which must not be there yet.
fn add(threshold: &mut Threshold, rule: Rule, limit: f64) -> Result<(), (String, String)> {
    let place = match rule {
        Rule::AtLeast => &mut threshold.at_least,
        Rule::AtMost => &mut threshold.at_most,
        Rule::NoWorseThanBaselineBy => &mut threshold.no_worse_than_baseline_by,
        Rule::NoWorseThanBaselineByPercent => &mut threshold.no_worse_than_baseline_by_percent,
        Rule::BetterThanBaselineBy => &mut threshold.better_than_baseline_by,
        Rule::ChangeAtLeast => &mut threshold.change_at_least,
        Rule::ChangeAtMost => &mut threshold.change_at_most,
        Rule::RelativeChangeAtLeast => &mut threshold.relative_change_at_least,
        Rule::RelativeChangeAtMost => &mut threshold.relative_change_at_most,
    };
    match place.replace(limit) {
        None => Ok(()),
        Some(_) => Err(("there is such a bound already".to_owned(), "leave one of them out".to_owned())),
    }
}

/// The bound, or a problem and its solution.
fn bound(text: &str, own: &[Metric]) -> Result<(Metric, Rule, f64), (String, String)> {
    let form = |problem: &str| (problem.to_owned(), FORM.to_owned());
    let (at, sign) = [(">=", true), ("<=", false), ("≥", true), ("≤", false)]
        .into_iter()
        .find_map(|(sign, more)| text.find(sign).map(|at| (at, (sign, more))))
        .ok_or_else(|| form("it has neither `>=` nor `<=`"))?;
    let (sign, more) = sign;
    let name = text[..at].trim();
    let defined = own.iter().copied().find(|metric| metric.name() == name);
    let metric = defined.map_or_else(|| name.parse::<Metric>(), Ok).map_err(|error| {
        let issue = unknown_metric(&error, name, own, Vec::new());
        (issue.message, issue.hint.unwrap_or_default())
    })?;
    let (rule, limit) = rule(metric, more, text[at + sign.len()..].trim())?;
    Ok((metric, rule, limit))
}

/// The rule of a bound, from what is behind its sign.
fn rule(metric: Metric, more: bool, limit: &str) -> Result<(Rule, f64), (String, String)> {
    match limit.strip_prefix("baseline") {
        Some(rest) => against_baseline(metric, more, rest.trim()),
        None => {
            let limit = limit.parse().map_err(|_| (format!("`{limit}` is not a number"), FORM.to_owned()))?;
            Ok((if more { Rule::AtLeast } else { Rule::AtMost }, limit))
        }
    }
}

fn against_baseline(metric: Metric, more: bool, rest: &str) -> Result<(Rule, f64), (String, String)> {
    let (right_way, worse, example) = match metric.direction() {
        Direction::Higher => (more, '-', format!("`{metric}>=baseline-0.01`")),
        Direction::Lower => (!more, '+', format!("`{metric}<=baseline+0.01`")),
        Direction::Towards(_) | Direction::Neutral => {
            let problem = format!("neither more nor less `{metric}` is better than the baseline's");
            return Err((problem, "bound it with two numbers, `>=` and `<=`".to_owned()));
        }
    };
    let form = format!("write {example}");
    if !right_way {
        let better = if more { "less" } else { "more" };
        return Err((format!("{better} `{metric}` is better, and this asks for no more than worse"), form));
    }
    let Some(sign) = rest.chars().next() else { return Ok((Rule::NoWorseThanBaselineBy, 0.0)) };
    let amount = rest[sign.len_utf8()..].trim();
    let (amount, percent) = amount.strip_suffix('%').map_or((amount, false), |amount| (amount.trim(), true));
    let number = amount.parse::<f64>().ok().filter(|_| matches!(sign, '+' | '-'));
    let Some(number) = number else { return Err((format!("`{rest}` does not say by how much"), form)) };
    let rule = match (sign == worse, percent) {
        (true, false) => Rule::NoWorseThanBaselineBy,
        (true, true) => Rule::NoWorseThanBaselineByPercent,
        (false, false) => Rule::BetterThanBaselineBy,
        (false, true) => return Err(("a percentage says how much worse is allowed, not better".to_owned(), form)),
    };
    Ok((rule, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_read_as_they_are_shown() {
        let read =
            Thresholds::parse(["auc>=0.9", "auc >= baseline - 0.005", "log_loss≤baseline", "recall>=baseline-2%"]);
        let read = read.unwrap();
        assert_eq!(read.overall[&Metric::Auc].at_least, Some(0.9));
        assert_eq!(read.overall[&Metric::Auc].no_worse_than_baseline_by, Some(0.005));
        assert_eq!(read.overall[&Metric::LogLoss].no_worse_than_baseline_by, Some(0.0));
        assert_eq!(read.overall[&Metric::Recall].no_worse_than_baseline_by_percent, Some(2.0));
        assert!(read.needs_baseline());
        let read = Thresholds::parse(["log_loss<=baseline-0.1", "calibration<=1.1"]).unwrap();
        assert_eq!(read.overall[&Metric::LogLoss].better_than_baseline_by, Some(0.1));
        assert!(!Thresholds::parse(["auc<=1"]).unwrap().needs_baseline());
    }

    #[test]
    fn what_cannot_be_read_is_answered() {
        let says = |line: &str| {
            let error = Thresholds::parse([line]).unwrap_err();
            assert_eq!(error.code(), Code::ThresholdInvalid);
            (error.to_string(), error.hint().unwrap())
        };
        assert_eq!(
            says("auk>=0.9"),
            ("threshold `auk>=0.9`: `auk` is not a metric".into(), "did you mean `auc`?".into())
        );
        assert!(says("auc=0.9").0.ends_with("it has neither `>=` nor `<=`"));
        assert!(says("auc>=high").0.ends_with("`high` is not a number"));
        assert!(says("auc>=1.5").0.ends_with("`auc` is never more than 1"));
        assert!(says("auc>=NaN").0.contains("not a valid bound"));
        assert_eq!(says("log_loss>=baseline").1, "write `log_loss<=baseline+0.01`");
        assert!(says("calibration>=baseline").1.contains("two numbers"));
        assert!(says("auc>=baseline*2").0.contains("does not say by how much"));
        assert!(says("auc>=baseline+2%").0.contains("percentage"));
        let twice = Thresholds::parse(["auc>=0.9", "auc>=0.8"]).unwrap_err();
        assert!(twice.to_string().contains("already"));
    }
}
