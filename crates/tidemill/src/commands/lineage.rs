//! `tidemill lineage`.

use std::collections::BTreeSet;
use std::path::Path;

use console::style;
use serde_json::json;
use tidemill_metadata::{Artifact, ArtifactId, Direction, Execution, LineageDirection, LineageGraph, MetadataStore};

use crate::cli::{Global, LineageArgs};
use crate::commands::{find_project, make_parent, print};
use crate::ui::{age, printable};
use tidemill_core::Failure;
use tidemill_project::{
    Project, find_version, open_lineage_events, split_reference, split_spec, transform_graphs_using,
};

pub async fn lineage(args: &LineageArgs, global: &Global) -> Result<u8, Failure> {
    let project = find_project(None, global)?;
    let metadata = project.metadata().await?;
    if let Some(file) = &args.openlineage {
        return write_events(&*metadata, &args.of, file, global).await;
    }
    let known = metadata.models().await?;
    let is_model = known.iter().any(|record| record.model.name == split_spec(&args.of).0);
    if !is_model && matches!(split_reference(&args.of), Ok((_, Some(_)))) {
        return of_set(&project, &*metadata, args, global).await;
    }
    let (artifact, title) = if is_model {
        let version = find_version(&*metadata, &args.of).await?;
        let artifact = metadata.artifact(version.artifact_id.as_str()).await?;
        (artifact, format!("{} version {}", version.model, version.version))
    } else {
        let artifact = metadata.artifact(&args.of).await?;
        let title = artifact.artifact_type.to_string();
        (artifact, title)
    };
    let direction = if args.down { LineageDirection::Down } else { LineageDirection::Up };
    let graph = metadata.lineage(&artifact.id, direction, args.hops).await?;
    print(global, &graph, || {
        let mut tree =
            Tree { graph: &graph, direction, seen: BTreeSet::new(), text: format!("{}\n", style(title).bold()) };
        tree.artifact(&artifact.id, "");
        tree.text
    })?;
    Ok(0)
}

/// Writes the events of a run as `OpenLineage` has them.
async fn write_events(metadata: &dyn MetadataStore, run: &str, file: &Path, global: &Global) -> Result<u8, Failure> {
    let run = metadata.run(run).await?;
    let executions = metadata.executions(&run.id).await?;
    let events = open_lineage_events(&run, &executions);
    let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
    make_parent(file)?;
    tidemill_files::write(file, lines)?;
    print(global, &json!({ "run": run.id, "file": file, "events": events.len() }), || {
        format!("{} events of run {} in `{}`\n", events.len(), run.id.short(), file.display())
    })?;
    Ok(0)
}

/// What was made with a feature set.
async fn of_set(
    project: &Project,
    metadata: &dyn MetadataStore,
    args: &LineageArgs,
    global: &Global,
) -> Result<u8, Failure> {
    let made = transform_graphs_using(metadata, &args.of).await?;
    if made.is_empty() {
        // A set that nobody has used is there all the same.
        project.feature_sets().get(&args.of)?;
    }
    let mut lineages = Vec::with_capacity(made.len());
    for record in &made {
        lineages.push(metadata.lineage(&record.artifact.id, LineageDirection::Down, args.hops).await?);
    }
    print(global, &json!({ "feature_set": args.of, "used": lineages }), || {
        let mut text = format!("{}\n", style(printable(&args.of)).bold());
        for (at, (record, graph)) in made.iter().zip(&lineages).enumerate() {
            let (branch, below) = if at + 1 == made.len() { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            let producer = &record.producer;
            let place = style(format!("used by {} of {}:", style(&producer.step).cyan(), producer.pipeline)).dim();
            text.push_str(&format!("{branch}{place} "));
            let mut tree = Tree { graph, direction: LineageDirection::Down, seen: BTreeSet::new(), text };
            tree.artifact(&record.artifact.id, below);
            text = tree.text;
        }
        text
    })?;
    Ok(0)
}

/// Draws the graph as a tree; what was drawn once is only named again.
struct Tree<'a> {
    graph: &'a LineageGraph,
    direction: LineageDirection,
    seen: BTreeSet<String>,
    text: String,
}

impl Tree<'_> {
    fn artifact(&mut self, id: &ArtifactId, indent: &str) {
        let Some(artifact) = self.graph.artifacts.iter().find(|artifact| artifact.id == *id) else { return };
        let again = !self.seen.insert(id.to_string());
        let line = label(artifact);
        self.text
            .push_str(&format!("{line}{}\n", if again { style(" (above)").dim().to_string() } else { String::new() }));
        if again {
            return;
        }
        let near = match self.direction {
            LineageDirection::Up => Direction::Output,
            LineageDirection::Down => Direction::Input,
        };
        let events = self.graph.events.iter().filter(|event| event.artifact_id == *id && event.direction == near);
        let mut executions: Vec<&Execution> = Vec::new();
        for event in events {
            let found = self.graph.executions.iter().find(|execution| execution.id == event.execution_id);
            executions.extend(found.filter(|execution| !executions.iter().any(|known| known.id == execution.id)));
        }
        match self.direction {
            // An artifact made several times has one maker worth showing: the first.
            LineageDirection::Up => {
                executions.sort_by_key(|execution| execution.started_at);
                executions.truncate(1);
            }
            // Steps that ran at once have no order of their own.
            LineageDirection::Down => executions.sort_by(|a, b| a.step.cmp(&b.step)),
        }
        for (index, execution) in executions.iter().enumerate() {
            self.execution(execution, indent, index + 1 == executions.len());
        }
    }

    fn execution(&mut self, execution: &Execution, indent: &str, last: bool) {
        let (branch, below) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        let word = if self.direction == LineageDirection::Up { "by" } else { "read by" };
        let outcome = execution.outcome.as_ref().map(|outcome| format!(" · {}", outcome.headline)).unwrap_or_default();
        let name = style(&execution.step).cyan();
        let facts = style(format!("{} · {}{outcome}", execution.component, age(execution.started_at))).dim();
        self.text.push_str(&format!("{indent}{branch}{word} {name} {facts}\n"));
        let far = match self.direction {
            LineageDirection::Up => Direction::Input,
            LineageDirection::Down => Direction::Output,
        };
        let events: Vec<_> = self
            .graph
            .events
            .iter()
            .filter(|event| event.execution_id == execution.id && event.direction == far)
            .map(|event| (event.key.clone(), event.artifact_id.clone()))
            .collect();
        let external = execution.fingerprint_parts.get("external").and_then(|external| external.as_object());
        let files: Vec<(String, String)> = external
            .filter(|_| self.direction == LineageDirection::Up)
            .map(|files| {
                files
                    .iter()
                    .map(|(name, digest)| (name.clone(), digest.as_str().unwrap_or_default().to_owned()))
                    .collect()
            })
            .unwrap_or_default();
        let indent = format!("{indent}{below}");
        let children = events.len() + files.len();
        for (index, (key, id)) in events.iter().enumerate() {
            let last = index + 1 == children;
            let (branch, below) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            self.text.push_str(&format!("{indent}{branch}{} ", style(format!("{key}:")).dim()));
            self.artifact(id, &format!("{indent}{below}"));
        }
        for (index, (name, digest)) in files.iter().enumerate() {
            let branch = if events.len() + index + 1 == children { "└─ " } else { "├─ " };
            let digest = style(digest.get(..12).unwrap_or(digest)).dim();
            self.text.push_str(&format!("{indent}{branch}{name} {digest}\n"));
        }
    }
}

fn label(artifact: &Artifact) -> String {
    format!("{} {}", artifact.artifact_type, style(artifact.digest.short()).dim())
}
