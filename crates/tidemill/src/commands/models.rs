//! `tidemill models`.

use console::style;
use serde_json::{Value, json};
use tidemill_core::{Failure, Properties};
use tidemill_metadata::{MetadataStore, Mover, VersionSpec};
use tidemill_project::split_spec;

use crate::cli::{AliasArgs, Global, ModelsArgs};
use crate::commands::{actor, find_project, print};
use crate::ui::{Align, Table, age, number};

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
            ("aliases", Align::Left),
            ("metrics", Align::Left),
            ("registered", Align::Left),
        ];
        let mut table = Table::new(&columns);
        for record in &models {
            let aliases: Vec<String> =
                record.aliases.iter().map(|alias| format!("@{} → {}", alias.alias, alias.version)).collect();
            let latest = record.versions.last();
            table.row([
                record.model.name.clone(),
                record.versions.len().to_string(),
                aliases.join(", "),
                latest.map(|version| metrics(&version.properties)).unwrap_or_default(),
                latest.map(|version| age(version.created_at)).unwrap_or_default(),
            ]);
        }
        table.to_string()
    })
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
                Some(from) if from == step.version => format!("confirmed at {from}"),
                Some(from) => format!("moved from {from} to {}", step.version),
                None => format!("moved to {}", step.version),
            };
            let line = format!("  @{} {what} by {}, {}", step.alias, step.by.actor, age(step.moved_at));
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
    let metadata = find_project(None, global)?.metadata().await?;
    let alias = args.alias.strip_prefix('@').unwrap_or(&args.alias);
    let spec: VersionSpec = args.version.parse().unwrap_or(VersionSpec::Latest);
    let version = metadata.model_version(&args.model, &spec).await?.version;
    let before = metadata.model(&args.model).await?.aliases.into_iter().find(|known| known.alias == alias);
    let moved = metadata.set_alias(&args.model, alias, version, Mover { actor: actor(), run_id: None }).await?;
    print(global, &moved, || match before {
        Some(before) if before.version == version => {
            format!("{}@{alias} stands for version {version} already\n", args.model)
        }
        Some(before) => format!("{}@{alias} moved from version {} to {version}\n", args.model, before.version),
        None => format!("{}@{alias} stands for version {version}\n", args.model),
    })?;
    Ok(0)
}
