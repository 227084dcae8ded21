//! Delivering letters.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use serde::Serialize;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;

use super::bodies::{Context, alertmanager, pagerduty, signature, slack, webhook};
use super::book::Alert;
use super::queue::{Letter, Queue};
use crate::MonitorError;
use crate::config::{Receiver, ReceiverSpec};
use crate::log::Micros;

/// A receiver must answer within this time.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What a round of deliveries did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Delivered {
    /// Letters that arrived.
    pub delivered: usize,
    /// Letters that wait for the next attempt.
    pub waiting: usize,
    /// Why the last attempts failed, by receiver.
    pub problems: BTreeMap<String, String>,
}

/// Delivers letters to the receivers of a monitor.
#[derive(Debug)]
pub struct Postman {
    client: reqwest::Client,
    receivers: BTreeMap<String, ReceiverSpec>,
    context: Context,
}

/// Why a letter did not arrive, and how long to wait at least.
struct Failed(String, Micros);

impl Postman {
    /// For these receivers.
    pub fn new(receivers: BTreeMap<String, ReceiverSpec>, context: Context) -> Result<Self, MonitorError> {
        let client = reqwest::Client::builder().timeout(TIMEOUT).user_agent("tidemill").build();
        let client = client.map_err(|error| MonitorError::log(format!("no HTTP client can be made: {error}")))?;
        Ok(Self { client, receivers, context })
    }

    /// The letters that tell of these alerts, one for each receiver that wants to know.
    pub fn letters(&self, alerts: &[Alert], now: Micros) -> Vec<Letter> {
        let letter = |(name, spec): (&String, &ReceiverSpec)| {
            let wanted = |alert: &&Alert| spec.kinds.is_empty() || spec.kinds.contains(&alert.kind);
            let alerts: Vec<Alert> = alerts.iter().filter(wanted).cloned().collect();
            let (receiver, attempts, problem) = (name.clone(), 0, None);
            (!alerts.is_empty()).then_some(Letter {
                receiver,
                alerts,
                written: now,
                attempts,
                not_before: now,
                problem,
            })
        };
        self.receivers.iter().filter_map(letter).collect()
    }

    /// Delivers what is due. A receiver that fails gets no second letter before the first: their order is kept.
    pub async fn deliver(&self, queue: &Queue, now: Micros) -> Result<Delivered, MonitorError> {
        let mut done = Delivered::default();
        let mut blocked: BTreeSet<String> = BTreeSet::new();
        for (path, letter) in queue.all()? {
            if blocked.contains(&letter.receiver) || letter.not_before > now {
                blocked.insert(letter.receiver);
                done.waiting += 1;
                continue;
            }
            let Some(spec) = self.receivers.get(&letter.receiver) else {
                // The receiver is not in the file any more.
                queue.remove(&path)?;
                continue;
            };
            match self.tell(&letter.receiver, &spec.to, &letter.alerts, now).await {
                Ok(()) => {
                    queue.remove(&path)?;
                    done.delivered += 1;
                }
                Err(Failed(problem, wait)) => {
                    queue.postpone(&path, &letter, &problem, now, wait)?;
                    done.waiting += 1;
                    done.problems.insert(letter.receiver.clone(), problem);
                    blocked.insert(letter.receiver);
                }
            }
        }
        Ok(done)
    }

    /// Tells Alertmanager again what fires: it forgets alerts that nobody repeats.
    pub async fn repeat(&self, firing: &[Alert], now: Micros) -> BTreeMap<String, String> {
        let mut problems = BTreeMap::new();
        for (name, spec) in &self.receivers {
            let wanted = |alert: &&Alert| spec.kinds.is_empty() || spec.kinds.contains(&alert.kind);
            let alerts: Vec<Alert> = firing.iter().filter(wanted).cloned().collect();
            if let (Receiver::Alertmanager { .. }, false) = (&spec.to, alerts.is_empty())
                && let Err(Failed(problem, _)) = self.tell(name, &spec.to, &alerts, now).await
            {
                problems.insert(name.clone(), problem);
            }
        }
        problems
    }

    /// Tells a receiver now, for trying it out.
    pub async fn tell_now(&self, name: &str, alerts: &[Alert], now: Micros) -> Result<(), String> {
        let Some(spec) = self.receivers.get(name) else { return Err(format!("there is no receiver `{name}`")) };
        self.tell(name, &spec.to, alerts, now).await.map_err(|Failed(problem, _)| problem)
    }

    async fn tell(&self, name: &str, to: &Receiver, alerts: &[Alert], now: Micros) -> Result<(), Failed> {
        let context = Context { receiver: name.to_owned(), ..self.context.clone() };
        match to {
            Receiver::Webhook { url, secret } => {
                let secret = secret.as_deref().map(resolved).transpose()?;
                self.post(&resolved(url)?, &webhook(&context, alerts), secret.as_deref()).await
            }
            Receiver::Alertmanager { url } => {
                let url = format!("{}/api/v2/alerts", resolved(url)?.trim_end_matches('/'));
                self.post(&url, &alertmanager(&context, alerts, now), None).await
            }
            Receiver::Slack { url } => {
                for alert in alerts {
                    self.post(&resolved(url)?, &slack(&context, alert), None).await?;
                }
                Ok(())
            }
            Receiver::Pagerduty { routing_key, url } => {
                let url = url.as_deref().map_or_else(|| Ok(PAGERDUTY.to_owned()), resolved)?;
                let key = resolved(routing_key)?;
                for alert in alerts {
                    self.post(&url, &pagerduty(&context, alert, &key), None).await?;
                }
                Ok(())
            }
            Receiver::Command { run } => command(run, &webhook(&context, alerts)).await,
        }
    }

    async fn post(&self, url: &str, body: &Value, secret: Option<&str>) -> Result<(), Failed> {
        let bytes = body.to_string();
        let mut request = self.client.post(url).header(CONTENT_TYPE, "application/json");
        if let Some(secret) = secret {
            request = request.header("x-tidemill-signature", signature(secret, bytes.as_bytes()));
        }
        // An error of the client names the address, which may hold a secret.
        let answer = request.body(bytes).send().await.map_err(|error| Failed(plain(&error.without_url()), 0))?;
        if answer.status().is_success() {
            return Ok(());
        }
        let status = answer.status();
        let wait = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse::<i64>().ok());
        let text = answer.text().await.unwrap_or_default();
        let text: String = text.chars().take(200).collect();
        Err(Failed(format!("{status}: {}", text.trim()), wait.unwrap_or(0).clamp(0, 86_400) * 1_000_000))
    }
}

const PAGERDUTY: &str = "https://events.pagerduty.com/v2/enqueue";

/// The error with what caused it.
fn plain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

/// The value of a variable, where the text is `${env.NAME}`.
fn resolved(text: &str) -> Result<String, Failed> {
    match text.strip_prefix("${env.").and_then(|rest| rest.strip_suffix('}')) {
        Some(name) => std::env::var(name).map_err(|_| Failed(format!("the environment has no variable `{name}`"), 0)),
        None => Ok(text.to_owned()),
    }
}

async fn command(run: &[String], body: &Value) -> Result<(), Failed> {
    let failed = |error: &dyn std::fmt::Display| Failed(format!("the command cannot be run: {error}"), 0);
    let Some((program, arguments)) = run.split_first() else { return Ok(()) };
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| failed(&error))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A command that does not read its input is no failure.
        let _ = stdin.write_all(format!("{body}\n").as_bytes()).await;
    }
    let output = tokio::time::timeout(TIMEOUT, child.wait_with_output()).await;
    let output = output.map_err(|_| failed(&"it did not end in time"))?.map_err(|error| failed(&error))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Failed(format!("the command ended with {}: {}", output.status, said.lines().last().unwrap_or_default()), 0))
}
