//! `tidemill endpoint status`: what a running server does, on one screen.

use console::style;
use serde_json::{Value, json};
use tidemill_core::{Code, Failure};
use tidemill_serving::endpoint::fetch_json;

use super::project;
use crate::cli::{EndpointStatusArgs, Global};
use crate::commands::{print, say};
use crate::ui::{Align, Table, age, bytes, count, number, printable};

pub(super) async fn status(args: &EndpointStatusArgs, global: &Global) -> Result<u8, Failure> {
    if args.offline {
        return applied(args, global);
    }
    let path = match &args.name {
        Some(name) => format!("/endpoints/{name}"),
        None => "/endpoints".to_owned(),
    };
    let unreachable = |why: String| {
        Failure::new(Code::LoadTarget, format!("the server at `{}` does not answer", args.url))
            .with_cause(why)
            .with_hint("name another with `--url`, or show what is applied with `--offline`")
    };
    let (status, value) = fetch_json(&args.url, &path, args.api_key.as_deref()).await.map_err(unreachable)?;
    if status != 200 {
        let message = value["error"].as_str().unwrap_or("the server refused").to_owned();
        let code = if status == 404 { Code::EndpointNotFound } else { Code::NotAllowed };
        return Err(Failure::new(code, message));
    }
    print(global, &value, || match value["endpoints"].as_array() {
        Some(all) if all.is_empty() => "no endpoints: `tidemill endpoint apply FILE` applies one\n".to_owned(),
        Some(all) => all.iter().map(screen).collect::<Vec<_>>().join("\n"),
        None => screen(&value),
    })?;
    Ok(0)
}

/// What is applied in the project, without a server.
fn applied(args: &EndpointStatusArgs, global: &Global) -> Result<u8, Failure> {
    let folder = project(global)?.endpoints();
    let mut current = folder.current()?;
    if let Some(name) = &args.name {
        current.retain(|revision| revision.endpoint == *name);
        if current.is_empty() {
            return Err(folder.unknown(name)?);
        }
    }
    let value: Vec<Value> = current
        .iter()
        .map(|revision| {
            json!({ "endpoint": revision.endpoint, "revision": revision.revision, "by": revision.by, "at": revision.at })
        })
        .collect();
    print(global, &value, || {
        if current.is_empty() {
            return "no endpoints: `tidemill endpoint apply FILE` applies the first\n".to_owned();
        }
        let columns = [("endpoint", Align::Left), ("revision", Align::Right), ("by", Align::Left), ("at", Align::Left)];
        let mut table = Table::new(&columns);
        for revision in &current {
            let by = printable(&revision.by).into_owned();
            table.row([revision.endpoint.clone(), revision.revision.to_string(), by, age(revision.at)]);
        }
        table.to_string()
    })?;
    if args.name.is_none() {
        say(global, "without `--offline`, a running server shows what it does");
    }
    Ok(0)
}

fn text<'a>(value: &'a Value, key: &str) -> std::borrow::Cow<'a, str> {
    printable(value[key].as_str().unwrap_or_default())
}

fn whole(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or_default()
}

fn percent(value: &Value) -> String {
    value.as_f64().map_or_else(String::new, |share| format!("{:.1} %", 100.0 * share))
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

/// One endpoint.
fn screen(value: &Value) -> String {
    let ready = value["ready"] == true;
    let mark = if ready { style("✓").green() } else { style("✗").red() };
    let mut out = format!("{mark} {}", style(text(value, "endpoint")).bold());
    for (key, label) in [("owner", ""), ("review_by", "review by ")] {
        if value[key].is_string() {
            out.push_str(&format!("  {}", style(format!("{label}{}", text(value, key))).dim()));
        }
    }
    if let Some(slo) = value["slo"].as_object() {
        let slo = format!("p99 {} ms, {} % available", slo["latency_p99_ms"], slo["availability"]);
        out.push_str(&format!("  {}", style(slo).dim()));
    }
    out.push('\n');
    if value["problem"].is_string() {
        out.push_str(&format!("  {} {}\n", style("problem:").red(), text(value, "problem")));
    }
    for rule in list(value, "route") {
        out.push_str(&format!("  {}\n", rule_text(rule)));
    }
    if value["rollout"].is_object() {
        out.push_str(&rollout(&value["rollout"]));
    }
    out.push_str(&models(list(value, "models")));
    if let Some(cache) = value["cache"].as_object() {
        let cache = Value::Object(cache.clone());
        out.push_str(&format!(
            "cache: {} rows, {}, {} hits of {} ({})\n",
            count(whole(&cache, "rows")),
            bytes(whole(&cache, "bytes")),
            count(whole(&cache, "hits")),
            count(whole(&cache, "hits") + whole(&cache, "misses")),
            percent(&cache["hit_ratio"]),
        ));
    }
    for features in list(value, "features") {
        out.push_str(&format!(
            "features: {} keys in {}, {} found, {} missing\n",
            count(whole(features, "rows")),
            text(features, "from"),
            count(whole(features, "hits")),
            count(whole(features, "misses")),
        ));
    }
    out.push_str(&shadows(list(value, "shadows")));
    out
}

/// A rollout in one line.
fn rollout(value: &Value) -> String {
    let steps: Vec<String> = list(value, "steps").iter().map(ToString::to_string).collect();
    let (candidate, share) = (text(value, "candidate"), &value["share"]);
    let mut line = format!("  rollout: {} at {share} % of {}", style(candidate).bold(), steps.join(", "));
    line.push_str(&format!(", {} rows, {} errors", count(whole(value, "rows")), count(whole(value, "errors"))));
    match value["state"].as_str() {
        Some("running") => {
            let waits = value["waits_for"].as_str().map(|waits| format!(", waits for {}", printable(waits)));
            line.push_str(&waits.unwrap_or_default());
        }
        Some("done") => line.push_str(&format!(", {}", style("done").green())),
        Some(state) => {
            let state = style(state.replace('_', " ")).red();
            line.push_str(&format!(", {state}: {}", text(value, "reason")));
        }
        None => {}
    }
    line + "\n"
}

/// A rule in one line.
fn rule_text(rule: &Value) -> String {
    let conditions: Vec<String> =
        list(rule, "when").iter().filter_map(Value::as_str).map(|when| printable(when).into_owned()).collect();
    let to = match rule["split"].as_object() {
        Some(split) => {
            let arms: Vec<String> = split.iter().map(|(arm, share)| format!("{arm} {share} %")).collect();
            let by = rule["by"].as_str().map(|by| format!(" by {by}")).unwrap_or_default();
            format!("{}{by}", arms.join(", "))
        }
        None => text(rule, "to").into_owned(),
    };
    match conditions.is_empty() {
        true => format!("→ {to}"),
        false => format!("{} → {to}", style(conditions.join(" and ")).dim()),
    }
}

fn models(models: &[Value]) -> String {
    let columns = [
        ("model", Align::Left),
        ("requests", Align::Right),
        ("rows", Align::Right),
        ("errors", Align::Right),
        ("rejected", Align::Right),
        ("fallbacks", Align::Right),
        ("in work", Align::Right),
        ("waiting", Align::Right),
        ("mean", Align::Right),
        ("breaker", Align::Left),
    ];
    let mut table = Table::new(&columns);
    let mut missing = String::new();
    for model in models {
        let breaker = &model["breaker"];
        let state = match (breaker["state"].as_str(), breaker["open_for_secs"].as_f64()) {
            (Some(state), Some(secs)) => style(format!("{state}, {secs} s")).red().to_string(),
            (Some(state), None) => state.replace('_', " "),
            (None, _) => String::new(),
        };
        let answers = if model["off"] == true {
            format!("{} (off)", text(model, "model"))
        } else {
            text(model, "answers").into_owned()
        };
        table.row([
            answers,
            count(whole(model, "requests")),
            count(whole(model, "rows")),
            count(whole(model, "errors")),
            count(whole(model, "rejected")),
            count(whole(model, "fallbacks")),
            count(whole(model, "in_work")),
            count(whole(model, "waiting")),
            model["mean_ms"].as_f64().map_or_else(String::new, |mean| format!("{} ms", number(mean))),
            state,
        ]);
        if model["missing"].is_string() {
            let line = format!("{} {}: {}\n", style("missing:").red(), text(model, "model"), text(model, "missing"));
            missing.push_str(&line);
        }
    }
    format!("{table}{missing}")
}

fn shadows(shadows: &[Value]) -> String {
    if shadows.is_empty() {
        return String::new();
    }
    let columns = [
        ("shadow", Align::Left),
        ("requests", Align::Right),
        ("errors", Align::Right),
        ("dropped", Align::Right),
        ("equal", Align::Right),
        ("mean difference", Align::Right),
        ("max", Align::Right),
        ("decisions differ", Align::Right),
        ("mean", Align::Right),
    ];
    let mut table = Table::new(&columns);
    let mut errors = String::new();
    for shadow in shadows {
        let figure = |key: &str| shadow[key].as_f64().map_or_else(String::new, number);
        table.row([
            text(shadow, "model").into_owned(),
            count(whole(shadow, "requests")),
            count(whole(shadow, "errors")),
            count(whole(shadow, "dropped")),
            percent(&shadow["equal"]),
            figure("mean_difference"),
            figure("max_difference"),
            percent(&shadow["decisions_differ"]),
            shadow["mean_ms"].as_f64().map_or_else(String::new, |mean| format!("{} ms", number(mean))),
        ]);
        if shadow["last_error"].is_string() {
            errors.push_str(&format!("  {}: {}\n", text(shadow, "model"), style(text(shadow, "last_error")).dim()));
        }
    }
    format!("\n{table}{errors}")
}
