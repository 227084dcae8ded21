//! What a monitor file must keep beyond the types of its values.

use tidemill_core::ParamIssue;

use super::{Action, Maintenance, MonitorFile, Receiver, Reference};
use crate::log::parse_time;
use crate::performance::Task;

/// Everything that cannot work.
pub fn check(file: &MonitorFile) -> Vec<ParamIssue> {
    let mut issues = Vec::new();
    let mut wrong = |path: &[&str], message: String, hint: &str| {
        let issue = ParamIssue::new(path.iter().copied(), message);
        issues.push(if hint.is_empty() { issue } else { issue.with_hint(hint) });
    };
    if file.version != 1 {
        wrong(&["version"], format!("version {} is not known", file.version), "write `version: 1`");
    }
    let is_name = |name: &str| {
        !name.is_empty()
            && name.len() <= 100
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
            && !name.starts_with('.')
    };
    for (key, name) in [("monitor", &file.monitor), ("model", &file.model)] {
        if !is_name(name) {
            wrong(&[key], format!("`{name}` is not a valid name"), "letters, digits, `-`, `_` and `.`");
        }
    }
    if !(60..=86_400 * 31).contains(&file.window.0) {
        wrong(&["window"], "a window is between a minute and 31 days long".to_owned(), "such as `1h`, `1d` or `1w`");
    }
    if !(file.drift.false_discovery_rate > 0.0 && file.drift.false_discovery_rate < 1.0) {
        let found = file.drift.false_discovery_rate;
        wrong(&["drift", "false_discovery_rate"], format!("{found} is not between 0 and 1"), "0.05 is usual");
    }
    if !(0.0..=1.0).contains(&file.drift.distance_min) {
        let found = file.drift.distance_min;
        wrong(&["drift", "distance_min"], format!("{found} is not a divergence between 0 and 1"), "0.01 is usual");
    }
    for (name, weight) in &file.importance {
        if !(weight.is_finite() && *weight >= 0.0) {
            wrong(&["importance", name], format!("{weight} is not a weight"), "a number from 0");
        }
    }
    if let (Some(least), Some(most)) = (file.volume.at_least, file.volume.at_most)
        && least > most
    {
        wrong(&["volume", "at_most"], format!("{most} is less than `at_least`, {least}"), "");
    }
    if file.alert.after == 0 || file.alert.after > file.alert.of || file.alert.of > 100 {
        let (after, of) = (file.alert.after, file.alert.of);
        wrong(&["alert", "after"], format!("{after} of {of} windows cannot be"), "such as `after: 2` and `of: 3`");
    }
    for (at, period) in file.alert.maintenance.iter().enumerate() {
        if period.parsed().is_none() {
            let message = format!("`{}` to `{}` is not a period", period.from, period.to);
            let hint = "two times of a day (`02:00`, `04:00`), or two moments (`2026-03-01T02:00:00Z`)";
            wrong(&["alert", "maintenance", &at.to_string()], message, hint);
        }
    }
    if let Reference::Period { from, to } = &file.reference {
        match (parse_time(from), parse_time(to)) {
            (Some(start), Some(end)) if start < end => {}
            _ => wrong(&["reference"], format!("`{from}` to `{to}` is not a period"), "as in `2026-03-01T00:00:00Z`"),
        }
    }
    if let Some(metric) = &file.performance.metric {
        let known = [Task::Binary { threshold: 0.5 }, Task::Regression].map(Task::metrics).concat();
        if !known.contains(&metric.as_str()) {
            let near = tidemill_core::suggest(metric, known.iter().copied());
            let hint =
                near.map_or_else(|| format!("metrics: {}", known.join(", ")), |near| format!("did you mean `{near}`?"));
            wrong(&["performance", "metric"], format!("`{metric}` is not a metric of a monitor"), &hint);
        }
    }
    if let Some(labels) = &file.labels {
        if labels.files.is_some() && labels.request_id.is_none() && labels.keys.is_empty() {
            let hint = "`request_id: COLUMN`, or `keys: [COLUMN, …]` that files and log have both";
            wrong(&["labels", "files"], "nothing says which request a label belongs to".to_owned(), hint);
        }
        if labels.request_id.is_some() && !labels.keys.is_empty() {
            wrong(&["labels", "keys"], "`request_id` and `keys` exclude each other".to_owned(), "write one of them");
        }
        if !labels.keys.is_empty() && labels.within.is_some() && labels.time.is_none() {
            wrong(
                &["labels", "within"],
                "`within` needs the time of labels".to_owned(),
                "name their column with `time`",
            );
        }
        if labels.files.is_none() && !labels.feedback {
            wrong(
                &["labels", "feedback"],
                "there is no source of labels".to_owned(),
                "`files: …`, or `feedback: true`",
            );
        }
    }
    for (name, receiver) in &file.receivers {
        let url = match &receiver.to {
            Receiver::Webhook { url, .. } | Receiver::Alertmanager { url } | Receiver::Slack { url } => Some(url),
            Receiver::Pagerduty { url, .. } => url.as_ref(),
            Receiver::Command { run } => {
                if run.is_empty() {
                    wrong(
                        &["receivers", name, "to"],
                        "the command is empty".to_owned(),
                        "`run: [PROGRAM, ARGUMENT, …]`",
                    );
                }
                None
            }
        };
        if let Some(url) = url.filter(|url| !url.starts_with("${env.") && reqwest::Url::parse(url).is_err()) {
            let hint = "such as `https://hooks.example.org/x`, or `${env.NAME}`";
            wrong(&["receivers", name, "to"], format!("`{url}` is not an address"), hint);
        }
    }
    for (name, action) in &file.actions {
        if action.on.is_empty() {
            wrong(&["actions", name, "on"], "no kind of alert starts it".to_owned(), "such as `on: [drift]`");
        }
        if action.per_day == 0 {
            wrong(&["actions", name, "per_day"], "it would never be done".to_owned(), "at least 1");
        }
        if let Action::Run { export: Some(_), .. } = &action.what
            && file.labels.is_none()
        {
            let message = "`export` joins labels, and the file has none".to_owned();
            wrong(&["actions", name, "do"], message, "write `labels: { feedback: true }`");
        }
        if let Action::Review { rows: 0 } = action.what {
            wrong(&["actions", name, "do"], "no row would be reviewed".to_owned(), "`rows: 50`");
        }
    }
    issues
}

impl Maintenance {
    /// Begin and end in microseconds, and whether they are of every day.
    pub(crate) fn parsed(&self) -> Option<(i64, i64, bool)> {
        let clock = |text: &str| {
            let (hour, minute) = text.split_once(':')?;
            let (hour, minute): (i64, i64) = (hour.parse().ok()?, minute.parse().ok()?);
            ((0..=24).contains(&hour) && (0..60).contains(&minute)).then_some((hour * 60 + minute) * 60_000_000)
        };
        if let (Some(from), Some(to)) = (clock(&self.from), clock(&self.to)) {
            return (from != to).then_some((from, to, true));
        }
        let (from, to) = (parse_time(&self.from)?, parse_time(&self.to)?);
        (from < to).then_some((from, to, false))
    }

    /// Whether a window overlaps it.
    pub(crate) fn covers(&self, start: i64, end: i64) -> bool {
        const DAY: i64 = 86_400_000_000;
        match self.parsed() {
            Some((from, to, false)) => start < to && end > from,
            Some((from, to, true)) => {
                let to = if to < from { to + DAY } else { to };
                let day = start.div_euclid(DAY) * DAY;
                (-1..=1).any(|shift| start < day + shift * DAY + to && end > day + shift * DAY + from)
            }
            None => false,
        }
    }
}
