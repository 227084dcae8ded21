//! `tidemill features`: sets of features under a name and a version.

use console::style;
use serde_json::{Map, Value, json};

use crate::cli::{FeaturesAddArgs, FeaturesCommand, Global};
use crate::commands::{find_project, print, say};
use crate::ui::{Align, Table, age, printable};
use tidemill_core::Failure;
use tidemill_project::{FeatureSetFolder, KeptSet, Project, Use, uses};

pub async fn features(command: &FeaturesCommand, global: &Global) -> Result<u8, Failure> {
    let project = find_project(None, global)?;
    let sets = project.feature_sets();
    match command {
        FeaturesCommand::Add(args) => add(&sets, args, global),
        FeaturesCommand::List => list(&project, &sets, global).await,
        FeaturesCommand::Show { set } => show(&project, &sets.get(set)?, global).await,
        FeaturesCommand::Diff { before, after } => diff(&sets, before, after.as_deref(), global),
    }
}

fn add(sets: &FeatureSetFolder, args: &FeaturesAddArgs, global: &Global) -> Result<u8, Failure> {
    let added = sets.add(&args.file, args.name.as_deref())?;
    let set = &added.kept.set;
    let changes = Changes::of(added.before.as_ref().map(|before| &before.set.features), &set.features);
    let value = json!({
        "name": set.name,
        "version": set.version,
        "digest": set.digest,
        "file": added.kept.file,
        "created": added.created,
        "features": set.features.len(),
        "changes": added.before.as_ref().filter(|_| added.created).map(|_| changes.to_json()),
    });
    print(global, &value, || {
        if !added.created {
            return format!("{set} holds these features already: `{}`\n", added.kept.file.display());
        }
        let head = format!(
            "{}: {}, kept in `{}`\n",
            style(set).bold(),
            counted(set.features.len()),
            added.kept.file.display()
        );
        let changed = match &added.before {
            Some(before) => format!("since {}:\n{}", before.set, changes.text()),
            None => String::new(),
        };
        head + &changed
    })?;
    if added.created {
        say(global, &format!("use it in a `Transform` step: `use: {set}`"));
    }
    Ok(0)
}

async fn list(project: &Project, sets: &FeatureSetFolder, global: &Global) -> Result<u8, Failure> {
    let mut found: Vec<(KeptSet, usize, Vec<Use>)> = Vec::new();
    for (name, versions) in sets.names()? {
        let Some(newest) = versions.last() else { continue };
        let mut used = Vec::new();
        for version in &versions {
            used.extend(uses(project, &format!("{name}@{version}")).await?);
        }
        found.push((sets.read(&name, *newest)?, versions.len(), used));
    }
    let value: Vec<Value> = found
        .iter()
        .map(|(kept, versions, used)| {
            json!({
                "name": kept.set.name,
                "versions": versions,
                "newest": kept.set.version,
                "features": kept.set.features.len(),
                "description": kept.description,
                "models": models(used),
            })
        })
        .collect();
    print(global, &value, || {
        if found.is_empty() {
            return "no feature sets yet: `tidemill features add FILE` keeps the first\n".to_owned();
        }
        let columns = [
            ("set", Align::Left),
            ("versions", Align::Right),
            ("features", Align::Right),
            ("used by", Align::Left),
            ("", Align::Left),
        ];
        let mut table = Table::new(&columns);
        for (kept, versions, used) in &found {
            table.row([
                kept.set.to_string(),
                versions.to_string(),
                kept.set.features.len().to_string(),
                models(used).join(", "),
                printable(kept.description.as_deref().unwrap_or_default()).into_owned(),
            ]);
        }
        table.to_string()
    })?;
    Ok(0)
}

/// The names of the models, each once.
fn models(used: &[Use]) -> Vec<String> {
    let mut names: Vec<String> = used.iter().flat_map(|one| &one.models).map(|model| model.name.clone()).collect();
    names.sort();
    names.dedup();
    names
}

async fn show(project: &Project, kept: &KeptSet, global: &Global) -> Result<u8, Failure> {
    let set = &kept.set;
    let used = uses(project, &set.to_string()).await?;
    let value = json!({
        "name": set.name,
        "version": set.version,
        "digest": set.digest,
        "file": kept.file,
        "description": kept.description,
        "features": set.features,
        "used": used,
    });
    print(global, &value, || {
        let mut text = format!("{}  {}\n", style(set).bold(), style(kept.file.display()).dim());
        if let Some(description) = &kept.description {
            text.push_str(&format!("{}\n", printable(description)));
        }
        text.push_str(&format!("{}, digest {}\n\n", counted(set.features.len()), set.digest.short()));
        let mut table = Table::new(&[("feature", Align::Left), ("steps", Align::Left)]);
        for (name, steps) in &set.features {
            table.row([printable(name).into_owned(), brief(steps)]);
        }
        text.push_str(&table.to_string());
        text.push_str(&format!("\n{}", used_by(&used)));
        text
    })?;
    Ok(0)
}

fn used_by(used: &[Use]) -> String {
    if used.is_empty() {
        return "no run has used it yet\n".to_owned();
    }
    let columns = [
        ("used by", Align::Left),
        ("pipeline", Align::Left),
        ("run", Align::Left),
        ("transform", Align::Left),
        ("", Align::Left),
    ];
    let mut table = Table::new(&columns);
    for one in used {
        let models: Vec<String> = one.models.iter().map(ToString::to_string).collect();
        let models = if models.is_empty() { "–".to_owned() } else { models.join(", ") };
        let graph = one.transform.short().to_owned();
        table.row([models, one.pipeline.clone(), one.run.short().to_owned(), graph, age(one.at)]);
    }
    table.to_string()
}

fn diff(sets: &FeatureSetFolder, before: &str, after: Option<&str>, global: &Global) -> Result<u8, Failure> {
    let before = sets.get(before)?.set;
    let after = sets.get(after.unwrap_or(&before.name))?.set;
    let changes = Changes::of(Some(&before.features), &after.features);
    let mut value = changes.to_json();
    value["before"] = json!(before.to_string());
    value["after"] = json!(after.to_string());
    print(global, &value, || {
        if changes.is_empty() {
            return format!("{} {before} and {after} hold the same features\n", style("✓").green());
        }
        format!("{before} → {after}\n{}", changes.text())
    })?;
    Ok(u8::from(!changes.is_empty()))
}

/// In what features differ.
struct Changes<'a> {
    /// By name: what there was, and what there is.
    features: Vec<(&'a str, Option<&'a Value>, Option<&'a Value>)>,
    /// The same features in another order, which is that of the model's columns.
    reordered: bool,
}

impl<'a> Changes<'a> {
    fn of(before: Option<&'a Map<String, Value>>, after: &'a Map<String, Value>) -> Self {
        let Some(before) = before else { return Self { features: Vec::new(), reordered: false } };
        let gone = before.iter().filter(|(name, _)| !after.contains_key(*name));
        let gone = gone.map(|(name, value)| (name.as_str(), Some(value), None));
        let other = after.iter().filter(|(name, value)| before.get(*name) != Some(value));
        let other = other.map(|(name, value)| (name.as_str(), before.get(name), Some(value)));
        let kept = before.keys().filter(|name| after.contains_key(*name));
        let reordered = !kept.eq(after.keys().filter(|name| before.contains_key(*name)));
        Self { features: gone.chain(other).collect(), reordered }
    }

    fn is_empty(&self) -> bool {
        self.features.is_empty() && !self.reordered
    }

    fn to_json(&self) -> Value {
        let features: Vec<Value> = self
            .features
            .iter()
            .map(|(name, before, after)| json!({ "feature": name, "before": before, "after": after }))
            .collect();
        json!({ "features": features, "reordered": self.reordered })
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (name, before, after) in &self.features {
            let name = printable(name);
            text.push_str(&match (before, after) {
                (Some(before), Some(after)) => format!("  ~ {name}: {} → {}\n", brief(before), brief(after)),
                (Some(before), None) => format!("  {}\n", style(format!("- {name}: {}", brief(before))).red()),
                (None, Some(after)) => format!("  {}\n", style(format!("+ {name}: {}", brief(after))).green()),
                (None, None) => String::new(),
            });
        }
        if self.reordered {
            text.push_str("  the features stand in another order\n");
        }
        text
    }
}

/// Steps as one would write them on a line.
fn brief(steps: &Value) -> String {
    let text = match steps {
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[ {} ]", items.iter().map(brief).collect::<Vec<_>>().join(", ")),
        Value::Object(entries) => {
            let entries: Vec<String> = entries.iter().map(|(key, value)| format!("{key}: {}", brief(value))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        other => other.to_string(),
    };
    printable(&text).into_owned()
}

fn counted(features: usize) -> String {
    format!("{features} feature{}", if features == 1 { "" } else { "s" })
}
