//! `tidemill models`.

use console::style;
use serde_json::{Value, json};
use tidemill_core::{Code, Failure, Properties};
use tidemill_metadata::{Actor, AliasMove, MetadataStore, ModelRecord, ModelVersion, VersionSpec};
use tidemill_project::{Project, split_spec};

use crate::cli::{AliasArgs, Global, ModelsArgs, RollbackArgs};
use crate::commands::{actor, find_project, print};
use crate::ui::{Align, Table, age, number, printable};

pub async fn models(args: &ModelsArgs, global: &Global) -> Result<u8, Failure> {
    let metadata = find_project(None, global)?.metadata().await?;
    match &args.model {
        Some(name) => one(&*metadata, split_spec(name).0, global).await?,
        None => all(&*metadata, global).await?,
    }
    Ok(0)
}

async fn all(metadata: &dyn MetadataStore, global: &Global) -> Result<(), Failure> {
    let models = metadata.models().await?;
    print(global, &models, || {
        if models.is_empty() {
            return "no models yet: a pipeline's Pusher registers them\n".to_owned();
        }
        let columns = [
            ("model", Align::Left),
            ("versions", Align::Right),
            ("alias", Align::Left),
            ("version", Align::Right),
            ("metrics", Align::Left),
            ("registered", Align::Left),
        ];
        let mut table = Table::new(&columns);
        for record in &models {
            let (mut name, mut versions) = (record.model.name.clone(), record.versions.len().to_string());
            for (alias, version) in shown_versions(record) {
                // The model's own cells in its first line only.
                table.row([
                    std::mem::take(&mut name),
                    std::mem::take(&mut versions),
                    alias,
                    version.version.to_string(),
                    metrics(&version.properties),
                    age(version.created_at),
                ]);
            }
        }
        table.to_string()
    })
}

/// The versions that aliases stand for, and the newest if no alias stands for it.
fn shown_versions(record: &ModelRecord) -> Vec<(String, &ModelVersion)> {
    let version_of = |number| record.versions.iter().find(|version| version.version == number);
    let mut shown: Vec<(String, &ModelVersion)> = record
        .aliases
        .iter()
        .filter_map(|alias| Some((format!("@{}", alias.alias), version_of(alias.version)?)))
        .collect();
    if let Some(newest) = record.versions.last()
        && shown.iter().all(|(_, version)| version.version != newest.version)
    {
        shown.push(("newest".to_owned(), newest));
    }
    shown
}

async fn one(metadata: &dyn MetadataStore, name: &str, global: &Global) -> Result<(), Failure> {
    let record = metadata.model(name).await?;
    let history = metadata.alias_history(name).await?;
    print(global, &json!({ "model": record, "alias_history": history }), || {
        let mut text = format!("{}  {}\n", style(&record.model.name).bold(), style(&record.model.description).dim());
        let columns = [
            ("version", Align::Right),
            ("aliases", Align::Left),
            ("metrics", Align::Left),
            ("run", Align::Left),
            ("registered", Align::Left),
        ];
        let mut table = Table::new(&columns);
        for version in record.versions.iter().rev() {
            let aliases = record.aliases.iter().filter(|alias| alias.version == version.version);
            let aliases: Vec<String> =
                aliases.map(|alias| style(format!("@{}", alias.alias)).green().to_string()).collect();
            table.row([
                version.version.to_string(),
                aliases.join(" "),
                metrics(&version.properties),
                version.run_id.short().to_owned(),
                age(version.created_at),
            ]);
        }
        text.push_str(&table.to_string());
        for step in &history {
            let what = match step.from_version {
                Some(from) if from == step.version => format!("{from}, confirmed"),
                Some(from) => format!("{from} → {}", step.version),
                None => format!("→ {}", step.version),
            };
            let run = step.by.run_id.as_ref().map(|run| format!(" in run {}", run.short())).unwrap_or_default();
            let why = step.by.reason.as_ref().map(|why| format!(": {}", printable(why))).unwrap_or_default();
            let line = format!("  @{} {what} by {}{run}, {}{why}", step.alias, step.by.actor, age(step.moved_at));
            text.push_str(&format!("{}\n", style(line).dim()));
        }
        text
    })
}

/// The first few numbers among the properties.
fn metrics(properties: &Properties) -> String {
    let first = ["auc", "pr_auc", "log_loss", "accuracy", "rmse", "mae"];
    let shown = first.iter().filter_map(|name| {
        let value = properties.get(*name).and_then(Value::as_f64)?;
        Some(format!("{name} {}", number(value)))
    });
    shown.take(3).collect::<Vec<_>>().join(" · ")
}

/// Moves an alias by hand. The move goes on record, and the next run does not undo it.
pub async fn alias(args: &AliasArgs, global: &Global) -> Result<u8, Failure> {
    let project = find_project(None, global)?;
    let metadata = project.open().await?.metadata;
    let alias = args.alias.strip_prefix('@').unwrap_or(&args.alias);
    let spec: VersionSpec = args.version.parse().unwrap_or(VersionSpec::Latest);
    let found = metadata.model_version(&args.model, &spec).await?;
    let version = found.version;
    let before = metadata.model(&args.model).await?.aliases.into_iter().find(|known| known.alias == alias);
    if before.as_ref().is_none_or(|before| before.version != version) {
        require_approval(&project, &*metadata, alias, &found).await?;
    }
    let by = Actor { actor: actor(), reason: args.reason.clone(), ..Actor::default() };
    let moved = metadata.set_alias(&args.model, alias, version, by).await?;
    print(global, &moved, || match before {
        Some(before) if before.version == version => {
            format!("{}@{alias} stands for version {version} already\n", args.model)
        }
        Some(before) => format!("{}@{alias} {} → {version}\n", args.model, before.version),
        None => format!("{}@{alias} stands for version {version}\n", args.model),
    })?;
    Ok(0)
}

/// Moves an alias back to the version that it pointed to before the current one.
///
/// After a rollback the current version is the earlier one, so that a second rollback goes one further back: moves that are
/// rollbacks themselves are not targets.
pub async fn rollback(args: &RollbackArgs, global: &Global) -> Result<u8, Failure> {
    let project = find_project(None, global)?;
    let metadata = project.open().await?.metadata;
    let alias = args.alias.strip_prefix('@').unwrap_or(&args.alias);
    let current = metadata.model_version(&args.model, &VersionSpec::Alias(alias.to_owned())).await?.version;
    let history = metadata.alias_history(&args.model).await?;
    let target = previous(history.iter().filter(|moved| moved.alias == alias), current).ok_or_else(|| {
        Failure::new(Code::NotInStore, format!("{}@{alias} pointed to no other version before {current}", args.model))
            .with_hint(format!(
                "`tidemill models {}` lists the versions; `tidemill alias` moves it to any of them",
                args.model
            ))
    })?;
    let version = metadata.model_version(&args.model, &VersionSpec::Number(target)).await?;
    require_approval(&project, &*metadata, alias, &version).await?;
    let reason = Some(args.reason.clone().map_or_else(|| ROLLBACK.to_owned(), |why| format!("{ROLLBACK}: {why}")));
    let by = Actor { actor: actor(), reason, ..Actor::default() };
    let moved = metadata.set_alias(&args.model, alias, target, by).await?;
    print(global, &json!({ "from": current, "alias": moved }), || {
        format!("{}@{alias} {current} → {target}; a running server follows within its poll interval\n", args.model)
    })?;
    Ok(0)
}

/// Rejects the move of a protected alias to a version that nobody approved.
pub async fn require_approval(
    project: &Project,
    metadata: &dyn MetadataStore,
    alias: &str,
    version: &ModelVersion,
) -> Result<(), Failure> {
    project.settings.alias_policy().require_for(metadata, alias, version, &actor()).await
}

/// How the reason of a rollback begins.
const ROLLBACK: &str = "rollback";

/// The version before `current` in the history of an alias, newest move first.
fn previous<'a>(history: impl Iterator<Item = &'a AliasMove>, current: u64) -> Option<u64> {
    let is_rollback = |moved: &AliasMove| moved.by.reason.as_ref().is_some_and(|why| why.starts_with(ROLLBACK));
    let mut placed = history.filter(|moved| !is_rollback(moved)).skip_while(|moved| moved.version != current);
    placed.next()?.from_version.filter(|before| *before != current)
}
