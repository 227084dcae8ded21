//! Which files the rows come from: the source resolved, spans chosen.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::params::{Params, Select};
use super::pattern::{Match, Pattern};
use super::sql::Asked;
use crate::DataError;
use crate::connect::{Connectors, Listing, Query, RemoteFile, Tree, is_url};
use crate::examples::SpanInfo;
use crate::source::{Format, InputFile, resolve};

/// The files of a source.
#[derive(Debug)]
pub(super) struct Chosen {
    /// Files by split where the splits were made before, else one entry without a name. Never empty.
    pub(super) splits: Vec<ChosenSplit>,
    /// The spans they belong to, ascending; empty where the paths have none.
    pub(super) spans: Vec<SpanInfo>,
    /// Things worth knowing that stop nothing.
    pub(super) warnings: Vec<String>,
}

#[derive(Debug)]
pub(super) struct ChosenSplit {
    pub(super) name: Option<String>,
    /// The path as written.
    pub(super) written: String,
    /// The same, from the folder of the project.
    pub(super) path: PathBuf,
    pub(super) files: Vec<InputFile>,
    /// By file: the span it belongs to; empty where the path has none.
    pub(super) file_spans: Vec<i64>,
    /// Those of the files that are elsewhere, as they were listed.
    pub(super) remote: Vec<RemoteFile>,
    /// The query that gives the rows, where they are those of a database.
    pub(super) asked: Option<Asked>,
}

impl Chosen {
    /// Resolves the source of `params`.
    ///
    /// Every split must come to the same spans, and a file may belong to one split only.
    pub(super) fn new(params: &Params, project_dir: &Path, connectors: &Connectors) -> Result<Self, DataError> {
        if let Some(sql) = params.source.sql() {
            let (asked, spans) = sql.queries(params.select(), project_dir, connectors)?;
            return Ok(Self {
                splits: asked.into_iter().map(ChosenSplit::of_query).collect(),
                spans,
                warnings: Vec::new(),
            });
        }
        let format = params.source.format();
        let mut splits: Vec<ChosenSplit> = Vec::new();
        let mut picked: Option<Picked> = None;
        for (name, written) in params.source.parts() {
            let (path, listing) = if is_url(Path::new(written)) {
                (PathBuf::from(written), connectors.listing(written)?)
            } else {
                (project_dir.join(written), Listing::default())
            };
            let tree = if is_url(&path) { Tree::Listing(&listing) } else { Tree::Disk };
            let pattern = Pattern::parse(written).map_err(|message| DataError::Params { message })?;
            let (files, file_spans, found) = match &pattern {
                None => (resolve(&tree, &path, Some(format))?, Vec::new(), Picked::default()),
                Some(pattern) => pick(pattern, &tree, &path, project_dir, format, params.select())?,
            };
            if let (Some(first), Some(split)) = (&picked, splits.first())
                && first.spans != found.spans
            {
                let message = format!(
                    "split `{}` comes to {}, but split `{}` to {}",
                    split.name.as_deref().unwrap_or_default(),
                    named(&first.spans),
                    name.unwrap_or_default(),
                    named(&found.spans)
                );
                return Err(DataError::Params { message });
            }
            picked.get_or_insert(found);
            let remote = files.iter().filter_map(|file| listing.get(&file.path)).cloned().collect();
            let (name, written) = (name.map(str::to_owned), written.to_owned());
            splits.push(ChosenSplit { name, written, path, files, file_spans, remote, asked: None });
        }
        check_disjoint(&splits)?;
        let Picked { spans, warnings } = picked.unwrap_or_default();
        Ok(Self { splits, spans, warnings })
    }

    /// The files of all splits that are elsewhere, as they were listed.
    pub(super) fn remote(&self) -> Vec<RemoteFile> {
        self.splits.iter().flat_map(|split| split.remote.iter().cloned()).collect()
    }

    /// The queries of all splits, with what their rows are called.
    pub(super) fn queries(&self) -> Vec<(String, Query)> {
        let asked = self.splits.iter().filter_map(|split| split.asked.as_ref());
        asked.map(|asked| (asked.label.clone(), asked.query.clone())).collect()
    }

    /// The files of a split, whose numbers among all files are `files`, in runs of one span.
    pub(super) fn spans_of(&self, split: usize, files: Range<usize>) -> Vec<(Option<i64>, Range<usize>)> {
        let spans = self.splits.get(split).map_or(&[][..], |split| &split.file_spans);
        if spans.len() != files.len() {
            return vec![(None, files)];
        }
        let mut at = files.start;
        let run = |same: &[i64]| {
            let range = at..at + same.len();
            at = range.end;
            (same.first().copied(), range)
        };
        spans.chunk_by(|a, b| a == b).map(run).collect()
    }

    /// The files of all splits, one split after the other.
    pub(super) fn files(&self) -> impl Iterator<Item = (&ChosenSplit, &InputFile)> {
        self.splits.iter().flat_map(|split| split.files.iter().map(move |file| (split, file)))
    }
}

impl ChosenSplit {
    /// A query is one file to the rest.
    fn of_query(asked: Asked) -> Self {
        let path = PathBuf::from(&asked.label);
        let file = InputFile { path: path.clone(), format: Format::Parquet, root: None };
        let (name, written) = (asked.split.clone(), asked.label.clone());
        Self { name, written, path, files: vec![file], file_spans: Vec::new(), remote: Vec::new(), asked: Some(asked) }
    }
}

fn check_disjoint(splits: &[ChosenSplit]) -> Result<(), DataError> {
    let mut owners: HashMap<&Path, &str> = HashMap::new();
    for split in splits {
        let name = split.name.as_deref().unwrap_or_default();
        for file in &split.files {
            if let Some(owner) = owners.insert(&file.path, name) {
                let message = format!("`{}` belongs to both split `{owner}` and split `{name}`", file.path.display());
                return Err(DataError::Params { message });
            }
        }
    }
    Ok(())
}

/// `span 3`, `spans 3, 4`, `spans 3 to 9`, with versions.
pub(super) fn named(spans: &[SpanInfo]) -> String {
    let one = |info: &SpanInfo| {
        let span = info.date.clone().unwrap_or_else(|| info.span.to_string());
        info.version.map_or(span.clone(), |version| format!("{span} version {version}"))
    };
    match spans {
        [] => "no span".to_owned(),
        [only] => format!("span {}", one(only)),
        [first, .., last] if spans.len() > 4 => format!("{} spans from {} to {}", spans.len(), one(first), one(last)),
        several => format!("spans {}", several.iter().map(one).collect::<Vec<_>>().join(", ")),
    }
}

#[derive(Debug, Default)]
struct Picked {
    spans: Vec<SpanInfo>,
    warnings: Vec<String>,
}

/// Picks spans and the newest version of each. What matches but holds no file does not count: it may still be written.
fn pick(
    pattern: &Pattern,
    tree: &Tree<'_>,
    path: &Path,
    project_dir: &Path,
    format: Format,
    select: Select,
) -> Result<(Vec<InputFile>, Vec<i64>, Picked), DataError> {
    let mut by_span: BTreeMap<i64, Vec<Match>> = BTreeMap::new();
    for found in pattern.matches(tree, project_dir)? {
        by_span.entry(found.span).or_default().push(found);
    }
    let wanted = |span: i64| match select {
        Select::Latest(_) => true,
        Select::Between(start, end) => (start..=end).contains(&span),
    };
    let most = match select {
        Select::Latest(count) => count as usize,
        Select::Between(..) => usize::MAX,
    };
    let mut chosen: Vec<(SpanInfo, Vec<InputFile>)> = Vec::new();
    for (span, matches) in by_span.iter().rev().filter(|(span, _)| wanted(**span)) {
        if chosen.len() == most {
            break;
        }
        if let Some((version, files)) = newest_version(matches, tree, path, format)? {
            let date = pattern.has_dates.then(|| matches[0].text.clone());
            chosen.push((SpanInfo { span: *span, date, version }, files));
        }
    }
    chosen.reverse();
    if chosen.is_empty() {
        if by_span.is_empty() {
            return Err(DataError::SourceNotFound { path: path.to_owned() });
        }
        let label = |span: &i64| if pattern.has_dates { by_span[span][0].text.clone() } else { span.to_string() };
        // The newest few are the likely ones.
        let known = by_span.keys().rev().take(5).map(label).collect();
        return Err(DataError::SpanNotFound { path: path.to_owned(), wanted: select.to_string(), known });
    }
    let warnings = missing(select, &chosen);
    let of_files = chosen.iter().flat_map(|(info, files)| std::iter::repeat_n(info.span, files.len()));
    let file_spans: Vec<i64> = of_files.collect();
    let (spans, files): (Vec<_>, Vec<_>) = chosen.into_iter().unzip();
    Ok((files.into_iter().flatten().collect(), file_spans, Picked { spans, warnings }))
}

type VersionFiles = (Option<i64>, Vec<InputFile>);

fn newest_version(
    matches: &[Match],
    tree: &Tree<'_>,
    path: &Path,
    format: Format,
) -> Result<Option<VersionFiles>, DataError> {
    let mut by_version: BTreeMap<Option<i64>, Vec<&Match>> = BTreeMap::new();
    for found in matches {
        by_version.entry(found.version).or_default().push(found);
    }
    for (version, matches) in by_version.into_iter().rev() {
        let mut files = Vec::new();
        let mut text: Option<&str> = None;
        for found in matches {
            match resolve(tree, &found.path, Some(format)) {
                Ok(more) => files.extend(more),
                Err(DataError::SourceNotFound { .. }) => continue,
                Err(error) => return Err(error),
            }
            // `3` and `03`: nobody can say which is meant.
            if let Some(text) = text.filter(|text| *text != found.text) {
                let message = format!("span {} is there twice, as `{text}` and as `{}`", found.span, found.text);
                return Err(DataError::malformed(path, None, message));
            }
            text = Some(&found.text);
        }
        if !files.is_empty() {
            return Ok(Some((version, files)));
        }
    }
    Ok(None)
}

/// What was asked for and is not there.
fn missing(select: Select, chosen: &[(SpanInfo, Vec<InputFile>)]) -> Vec<String> {
    match select {
        Select::Latest(count) if chosen.len() < count as usize => {
            vec![format!("only {} of the {count} newest spans asked for are there", chosen.len())]
        }
        Select::Between(start, end) => {
            let expected = end.saturating_sub(start).saturating_add(1);
            let gaps = expected - chosen.len() as i64;
            let first = (start..=end).find(|span| !chosen.iter().any(|(info, _)| info.span == *span));
            match first {
                Some(first) => {
                    vec![format!("{gaps} of the {expected} spans asked for are not there, the first is {first}")]
                }
                None => Vec::new(),
            }
        }
        Select::Latest(_) => Vec::new(),
    }
}
