//! Changes of the endpoint in force: plan, apply, set, roll back, remove.

use std::path::Path;

use console::style;
use serde_json::{Map, Value, json};
use tidemill_core::{Code, Failure};
use tidemill_project::{
    EndpointAction, EndpointChange, EndpointFile, EndpointFolder, EndpointRevision, changes_between,
};

use super::{changes_text, checked, project};
use crate::cli::{EndpointApplyArgs, EndpointRollbackArgs, EndpointSetArgs, Global};
use crate::commands::{actor, print, say};

/// What made a revision, in a few words.
pub(super) fn action_text(action: &EndpointAction) -> String {
    match action {
        EndpointAction::Apply => "applied".to_owned(),
        EndpointAction::Rollback { to } => format!("back to {to}"),
        EndpointAction::Set { keys } => format!("set {}", keys.join(", ")),
        EndpointAction::Remove => "removed".to_owned(),
    }
}

/// What the revision in force says; nothing if there is none.
fn in_force(folder: &EndpointFolder, endpoint: &str) -> Result<(Option<EndpointRevision>, Value), Failure> {
    let latest = folder.latest(endpoint)?.filter(|revision| revision.action != EndpointAction::Remove);
    let value = match &latest {
        Some(revision) => revision.file()?.map_or(Value::Null, |file| file.value()),
        None => Value::Object(Map::new()),
    };
    Ok((latest, value))
}

pub(super) async fn plan(path: &Path, global: &Global) -> Result<u8, Failure> {
    let file = EndpointFile::read(path)?;
    checked(&file, global).await?;
    let (latest, before) = in_force(&project(global)?.endpoints(), &file.spec.endpoint)?;
    let changes = changes_between(&before, &file.value());
    let revision = latest.as_ref().map(|revision| revision.revision);
    let value = json!({ "endpoint": file.spec.endpoint, "in_force": revision, "changes": changes });
    print(global, &value, || {
        let name = style(&file.spec.endpoint).bold();
        match revision {
            Some(_) if changes.is_empty() => format!("{name}: no changes\n"),
            Some(revision) => format!("{name}, revision {revision} is in force:\n{}", changes_text(&changes)),
            None => format!("{name} is new:\n{}", changes_text(&changes)),
        }
    })?;
    Ok(0)
}

pub(super) async fn apply(args: &EndpointApplyArgs, global: &Global) -> Result<u8, Failure> {
    let file = EndpointFile::read(&args.file)?;
    checked(&file, global).await?;
    let folder = project(global)?.endpoints();
    let (latest, before) = in_force(&folder, &file.spec.endpoint)?;
    let changes = changes_between(&before, &file.value());
    if let Some(latest) = latest.filter(|_| changes.is_empty()) {
        print(global, &told(&latest, &changes, false), || {
            format!("{}: no changes, revision {} stays in force\n", style(&latest.endpoint).bold(), latest.revision)
        })?;
        return Ok(0);
    }
    let revision = folder.add(&file, EndpointAction::Apply, &actor(), args.reason.as_deref())?;
    done(&revision, &changes, global)
}

pub(super) async fn rollback(args: &EndpointRollbackArgs, global: &Global) -> Result<u8, Failure> {
    let folder = project(global)?.endpoints();
    let history = folder.history(&args.name)?;
    let is_applied = |revision: &&EndpointRevision| revision.action != EndpointAction::Remove;
    let to = match args.to {
        Some(to) => folder.read(&args.name, to)?,
        None => match history.iter().skip(1).find(is_applied) {
            Some(revision) => revision.clone(),
            None => {
                let message = format!("the endpoint `{}` has no earlier revision", args.name);
                return Err(Failure::new(Code::EndpointNotFound, message));
            }
        },
    };
    let Some(file) = to.file()? else {
        let message = format!("revision {} of `{}` removed the endpoint", to.revision, args.name);
        return Err(Failure::new(Code::EndpointNotFound, message).with_hint("name another with `--to`"));
    };
    checked(&file, global).await?;
    let (_, before) = in_force(&folder, &args.name)?;
    let action = EndpointAction::Rollback { to: to.revision };
    let revision = folder.add(&file, action, &actor(), args.reason.as_deref())?;
    done(&revision, &changes_between(&before, &file.value()), global)
}

pub(super) async fn approve(
    name: &str,
    step: Option<f64>,
    reason: Option<&str>,
    global: &Global,
) -> Result<u8, Failure> {
    let folder = project(global)?.endpoints();
    let (latest, value) = in_force(&folder, name)?;
    if latest.is_none() {
        return Err(folder.unknown(name)?);
    }
    let steps = |key: &str| {
        let steps = value["rollout"][key].as_array().into_iter().flatten();
        steps.filter_map(Value::as_f64).collect::<Vec<f64>>()
    };
    let (wanted, mut approved) = (steps("approve"), steps("approved"));
    let open = wanted.iter().copied().find(|step| !approved.contains(step));
    let Some(step) = step.or(open) else {
        let message = format!("no step of the rollout of `{name}` needs approval");
        return Err(Failure::new(Code::CommandLine, message).with_hint("name them in the file: `approve: [100]`"));
    };
    approved.push(step);
    let values = vec![("rollout.approved".to_owned(), json!(approved).to_string())];
    let reason = reason.map(str::to_owned);
    set(&EndpointSetArgs { name: name.to_owned(), values, reason }, global).await
}

pub(super) async fn set(args: &EndpointSetArgs, global: &Global) -> Result<u8, Failure> {
    let folder = project(global)?.endpoints();
    let (latest, before) = in_force(&folder, &args.name)?;
    let Some(latest) = latest else { return Err(folder.unknown(&args.name)?) };
    let mut value = before.clone();
    for (key, text) in &args.values {
        let new = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone()));
        put(&mut value, key, new)?;
    }
    // JSON is YAML: the text of this revision has no comments, but the same keys in the same order.
    let text = format!("{value:#}\n");
    let path = Path::new(&args.name);
    let file = EndpointFile::parse(path, &text, &latest.folder)?;
    if file.spec.endpoint != args.name {
        return Err(Failure::new(
            Code::CommandLine,
            "an endpoint keeps its name: apply a file with another name instead",
        ));
    }
    checked(&file, global).await?;
    let changes = changes_between(&before, &value);
    if changes.is_empty() {
        print(global, &told(&latest, &changes, false), || {
            format!("{}: no changes, revision {} stays in force\n", style(&latest.endpoint).bold(), latest.revision)
        })?;
        return Ok(0);
    }
    let keys = args.values.iter().map(|(key, _)| key.clone()).collect();
    let revision = folder.add(&file, EndpointAction::Set { keys }, &actor(), args.reason.as_deref())?;
    done(&revision, &changes, global)
}

/// Sets the value at a key such as `models.champion.threshold`; null removes it.
fn put(value: &mut Value, key: &str, new: Value) -> Result<(), Failure> {
    let wrong = |what: &str| Err(Failure::new(Code::CommandLine, format!("there is no key `{key}`: {what}")));
    let parts: Vec<&str> = key.split('.').collect();
    let Some((last, parents)) = parts.split_last() else { return wrong("it is empty") };
    let mut at = value;
    for part in parents {
        at = match at {
            Value::Object(object) => object.entry((*part).to_owned()).or_insert_with(|| json!({})),
            Value::Array(items) => match part.parse::<usize>().ok().and_then(|index| items.get_mut(index)) {
                Some(item) => item,
                None => return wrong(&format!("the list has no item `{part}`")),
            },
            _ => return wrong(&format!("what holds `{part}` is a single value")),
        };
    }
    match at {
        Value::Object(object) if new.is_null() => {
            object.shift_remove(*last);
        }
        Value::Object(object) => {
            object.insert((*last).to_owned(), new);
        }
        Value::Array(items) => match last.parse::<usize>().ok().filter(|index| *index < items.len()) {
            Some(index) if new.is_null() => {
                items.remove(index);
            }
            Some(index) => items[index] = new,
            None => return wrong(&format!("the list has no item `{last}`")),
        },
        _ => return wrong(&format!("what holds `{last}` is a single value")),
    }
    Ok(())
}

pub(super) fn remove(name: &str, reason: Option<&str>, global: &Global) -> Result<u8, Failure> {
    let revision = project(global)?.endpoints().remove(name, &actor(), reason)?;
    print(global, &told(&revision, &[], true), || {
        format!("{} is removed (revision {})\n", style(&revision.endpoint).bold(), revision.revision)
    })?;
    Ok(0)
}

fn told(revision: &EndpointRevision, changes: &[EndpointChange], changed: bool) -> Value {
    json!({
        "endpoint": revision.endpoint,
        "revision": revision.revision,
        "action": revision.action,
        "by": revision.by,
        "changed": changed,
        "changes": changes,
    })
}

fn done(revision: &EndpointRevision, changes: &[EndpointChange], global: &Global) -> Result<u8, Failure> {
    print(global, &told(revision, changes, true), || {
        let (name, number) = (style(&revision.endpoint).bold(), revision.revision);
        format!("{name}: revision {number} is in force\n{}", changes_text(changes))
    })?;
    say(global, "servers started with `tidemill serve` in this project follow within their poll time");
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_set_where_their_keys_lead() {
        let mut value = json!({ "models": { "a": { "off": true } }, "route": [{ "split": { "a": 90 } }] });
        put(&mut value, "models.a.threshold", json!(0.5)).unwrap();
        put(&mut value, "models.a.off", Value::Null).unwrap();
        put(&mut value, "route.0.split.a", json!(75)).unwrap();
        put(&mut value, "cache.predictions.ttl_secs", json!(5)).unwrap();
        let expected = json!({
            "models": { "a": { "threshold": 0.5 } },
            "route": [{ "split": { "a": 75 } }],
            "cache": { "predictions": { "ttl_secs": 5 } },
        });
        assert_eq!(value, expected);
        for wrong in ["route.7.to", "route.x", "models.a.threshold.x"] {
            assert!(put(&mut value, wrong, json!(1)).is_err(), "{wrong}");
        }
    }
}
