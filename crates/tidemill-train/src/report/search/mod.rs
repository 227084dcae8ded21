//! A search as a page: how it went, which parameters mattered, and what speed costs.

mod chart;
mod parallel;
mod scatter;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;
use tidemill_core::markup::{About, BASE_STYLE, escape, fill};
use tidemill_tune::{Direction, Trial, TrialState};

use super::{STYLE, decimals};
use crate::tuner::{EnsembleFound, Hyperparameters, learner_of};

const PAGE: &str = include_str!("page.html");
const OWN_STYLE: &str = include_str!("style.css");
/// Colours that tell learners apart; further ones share the last.
const COLOURS: usize = 6;
/// Trials that the table lists.
const LISTED: usize = 30;
/// Parameters of which the page shows how the metric depends on them.
const PARAMS_SHOWN: usize = 8;

/// What the page is made of.
struct Study<'a> {
    found: &'a Hyperparameters,
    trials: &'a [Trial],
    /// The learners in the order of their first trials, with their colours.
    learners: Vec<String>,
}

/// Renders a search as one HTML page, from what it found and all its trials.
///
/// The page needs no network and no script. The same input gives the same bytes. `about` says which run it is of.
pub fn render_search_report(found: &Hyperparameters, trials: &[Trial], about: Option<&About>) -> String {
    let mut learners: Vec<String> = Vec::new();
    for trial in trials {
        let name = learner_name(found, trial);
        if !learners.contains(&name) {
            learners.push(name);
        }
    }
    let study = Study { found, trials, learners };
    let title = "Search".to_owned();
    let parts = [
        ("{{page_title}}", escape(&about.map_or_else(|| title.clone(), |about| about.page_title(&title)))),
        ("{{title}}", escape(&title)),
        ("{{of}}", about.map(About::html).unwrap_or_default()),
        ("{{style}}", [BASE_STYLE, STYLE, OWN_STYLE].concat()),
        ("{{facts}}", study.facts()),
        ("{{history}}", scatter::history(&study)),
        ("{{ensemble}}", study.ensemble()),
        ("{{importance}}", study.importance()),
        ("{{parallel}}", parallel::section(&study)),
        ("{{slices}}", scatter::slices(&study)),
        ("{{pareto}}", scatter::pareto(&study)),
        ("{{trials}}", study.table()),
    ];
    fill(PAGE, &parts)
}

/// The learner of a trial; a search of one learner names it in its result.
fn learner_name(found: &Hyperparameters, trial: &Trial) -> String {
    let named = learner_of(&trial.params).keys().next().cloned();
    named.or_else(|| found.space.as_object()?.keys().next().cloned()).unwrap_or_default()
}

impl Study<'_> {
    fn direction(&self) -> Direction {
        self.found.direction
    }

    /// The class of the colour of a trial's learner.
    fn colour(&self, trial: &Trial) -> String {
        let name = learner_name(self.found, trial);
        let at = self.learners.iter().position(|other| *other == name).unwrap_or(0);
        format!("c{}", at.min(COLOURS - 1))
    }

    /// Completed trials, best first.
    fn ranked(&self) -> Vec<&Trial> {
        let loss = |trial: &Trial| trial.result().map_or(f64::INFINITY, |value| self.direction().loss(value));
        let mut ranked: Vec<&Trial> = self.trials.iter().filter(|trial| trial.result().is_some()).collect();
        ranked.sort_by(|a, b| loss(a).total_cmp(&loss(b)).then(a.number.cmp(&b.number)));
        ranked
    }

    /// The colours of learners, where there are several.
    fn legend(&self) -> String {
        if self.learners.len() < 2 {
            return String::new();
        }
        let key = |(at, name): (usize, &String)| {
            let colour = at.min(COLOURS - 1);
            format!("<span class=\"key\"><i class=\"dot c{colour}\"></i>{}</span>", escape(name))
        };
        let keys: String = self.learners.iter().enumerate().map(key).collect();
        format!("<span class=\"legend\">{keys}</span>")
    }

    /// Parameters that vary, the most important first, with their names as they are shown.
    fn params(&self) -> Vec<(String, String)> {
        let mut names: Vec<&String> = self.found.importance.iter().map(|(name, _)| name).collect();
        let mut seen: BTreeMap<&String, Vec<&Value>> = BTreeMap::new();
        for (name, value) in self.trials.iter().flat_map(|trial| &trial.params) {
            let values = seen.entry(name).or_default();
            if !values.contains(&value) {
                values.push(value);
            }
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let varies = |name: &&String| seen.get(*name).is_some_and(|values| values.len() > 1);
        names.into_iter().filter(varies).map(|name| (name.clone(), name.replace('.', " · "))).collect()
    }

    fn facts(&self) -> String {
        let found = self.found;
        let mut out = String::new();
        let mut fact = |value: String, label: &str| {
            let _ = write!(out, "<div class=\"fact\"><b>{}</b><span>{}</span></div>", escape(&value), escape(label));
        };
        let error = found.standard_error.map_or_else(String::new, |error| format!(" ± {}", decimals(error)));
        fact(format!("{}{error}", decimals(found.value)), &format!("{} of the best trial", found.metric));
        if let Some(floor) = found.floor {
            fact(decimals(floor), "without any column");
        }
        fact(found.trials.to_string(), "trials");
        fact(found.pruned.to_string(), "ended early");
        if found.failed > 0 {
            fact(found.failed.to_string(), "failed");
        }
        let seconds: f64 = self.trials.iter().map(|trial| trial.seconds).sum();
        fact(format!("{seconds:.1} s"), "of trials");
        let _ = write!(
            out,
            "<p class=\"why\">Judged on {}. It ended because {}.</p>",
            escape(&found.judged_on),
            escape(&found.ended)
        );
        out
    }

    fn ensemble(&self) -> String {
        let Some(ensemble) = &self.found.ensemble else { return String::new() };
        let EnsembleFound { members, value, gain, gain_error, chosen, .. } = ensemble;
        let total: u32 = members.iter().map(|(_, count)| count).sum();
        let mut rows = String::new();
        for (number, count) in members {
            let Some(trial) = self.trials.iter().find(|trial| trial.number == *number) else { continue };
            let share = 100.0 * f64::from(*count) / f64::from(total.max(1));
            let _ = write!(
                rows,
                "<tr class=\"f\"><td>{}</td><td class=\"bar\"><i style=\"width:{share:.1}%\"></i></td><td>{share:.0} %</td><td>{}</td><td>{}</td></tr>",
                escape(&learner_name(self.found, trial)),
                number + 1,
                trial.value.map_or_else(|| "–".to_owned(), decimals)
            );
        }
        let verdict = if *chosen { "it was chosen" } else { "it is no more than chance, so the best trial was chosen" };
        format!(
            "<section id=\"ensemble\"><h2>The best together<span>{} {}; on rows that had no part in the choice their loss is \
             {} ± {} less than that of the best alone: {verdict}</span></h2><div class=\"scroll\"><table><thead><tr><th>learner</th><th></th>\
             <th>share</th><th>trial</th><th>alone</th></tr></thead><tbody>{rows}</tbody></table></div></section>",
            escape(&self.found.metric),
            decimals(*value),
            decimals(*gain),
            decimals(*gain_error)
        )
    }

    fn importance(&self) -> String {
        let shown: Vec<&(String, f64)> = self.found.importance.iter().filter(|(_, share)| *share > 0.0).collect();
        let Some((_, most)) = shown.first() else { return String::new() };
        let mut rows = String::new();
        for (name, share) in shown.iter().take(2 * PARAMS_SHOWN) {
            let _ = write!(
                rows,
                "<tr class=\"f\"><td><code>{}</code></td><td class=\"bar\"><i style=\"width:{:.1}%\"></i></td><td>{:.1} %</td></tr>",
                escape(name),
                100.0 * share / most,
                100.0 * share
            );
        }
        format!(
            "<section id=\"importance\"><h2>Which parameters matter<span>how far the best tenth of the trials lies from all</span></h2>\
             <div class=\"scroll\"><table><thead><tr><th>parameter</th><th></th><th>share</th></tr></thead><tbody>{rows}</tbody></table></div></section>"
        )
    }

    /// The best trials, and those that failed.
    fn table(&self) -> String {
        let ranked = self.ranked();
        let failed = self.trials.iter().filter(|trial| trial.state == TrialState::Failed);
        let mut rows = String::new();
        let fact = |trial: &Trial, name: &str| trial.facts.get(name).and_then(Value::as_f64);
        for trial in ranked.iter().copied().take(LISTED).chain(failed) {
            let value = trial.result().map_or_else(|| "failed".to_owned(), decimals);
            let error = trial.noise.map_or_else(|| "–".to_owned(), decimals);
            let p99 = fact(trial, "latency_p99_us").map_or_else(|| "–".to_owned(), |us| format!("{us:.0} µs"));
            let params: Vec<String> = trial
                .params
                .iter()
                .filter(|(name, _)| *name != "learner")
                .map(|(name, value)| {
                    let own = name.split_once('.').map_or(name.as_str(), |(_, own)| own);
                    format!("{own} {}", value.to_string().trim_matches('"'))
                })
                .collect();
            let what = trial.reason.clone().unwrap_or_else(|| params.join(", "));
            let _ = write!(
                rows,
                "<tr class=\"f\"><td>{}</td><td>{}</td><td>{value}</td><td>{error}</td><td>{:.2} s</td><td>{p99}</td><td class=\"what\">{}</td></tr>",
                trial.number + 1,
                escape(&learner_name(self.found, trial)),
                trial.seconds,
                escape(&what)
            );
        }
        let more = ranked.len().saturating_sub(LISTED);
        let note =
            if more == 0 { String::new() } else { format!("<span>the best {LISTED} of {}</span>", ranked.len()) };
        format!(
            "<section id=\"trials\"><h2>Trials{note}</h2><div class=\"scroll\"><table><thead><tr><th>trial</th><th>learner</th><th>{}</th>\
             <th>error</th><th>time</th><th>p99 of a row</th><th>parameters</th></tr></thead><tbody>{rows}</tbody></table></div></section>",
            escape(&self.found.metric)
        )
    }
}
