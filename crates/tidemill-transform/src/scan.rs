//! One scan of a split, piece by piece: what was seen of a piece before is not read again.

use arrow::array::RecordBatch;
use rayon::ThreadPool;
use rayon::prelude::*;
use tidemill_core::{CancelFlag, Digest};
use tidemill_model::{BoundLabel, Feature};

use crate::analyze::Merge as _;
use crate::analyzer::Analyzer;
use crate::cache::{AnalyzerCache, from_bytes, to_bytes};
use crate::column_counts::{ColumnCounter, ColumnCounts};
use crate::config::TransformConfig;
use crate::error::TransformError;
use crate::feature::{FeatureFit, ScanBatch};
use crate::fit::{ColumnKinds, FitOptions};
use crate::label::{LabelCheck, LabelState};
use crate::leak::LeakMeasure;
use crate::rows::{Piece, SplitSource};

/// What scans of the split that is fitted on share.
pub(crate) struct Scans<'a> {
    pub(crate) config: &'a TransformConfig,
    pub(crate) rows: &'a dyn SplitSource,
    pub(crate) options: &'a FitOptions<'a>,
    pub(crate) cache: Option<&'a AnalyzerCache>,
    pub(crate) pool: &'a ThreadPool,
    pub(crate) datatypes: &'a ColumnKinds,
    pub(crate) date_features: &'a [Feature],
    pub(crate) label_columns: &'a [String],
    pub(crate) feature_columns: &'a [String],
    /// The pieces of the split, and whether each had to be read.
    pub(crate) pieces: Vec<(Piece, bool)>,
}

/// What a first scan learns beside what features wait for.
pub(crate) struct FirstScan {
    pub(crate) label: LabelCheck,
    pub(crate) counts: ColumnCounts,
}

/// What was seen of one piece.
struct PieceResult {
    analyzers: Vec<Option<Analyzer>>,
    label: Option<LabelState>,
    counts: Option<ColumnCounts>,
}

impl PieceResult {
    fn is_whole(&self, with_first: bool) -> bool {
        self.analyzers.iter().all(Option::is_some) && !(with_first && (self.label.is_none() || self.counts.is_none()))
    }
}

impl Scans<'_> {
    /// Shows all rows to the features that wait, and in a first scan to `first`.
    pub(crate) fn run(
        &mut self,
        waiting: &mut [&mut FeatureFit],
        mut first: Option<&mut FirstScan>,
    ) -> Result<(), TransformError> {
        let mut totals: Vec<Option<Analyzer>> = waiting.iter().map(|_| None).collect();
        let mut first_row = 0;
        for at in 0..self.pieces.len() {
            let piece = self.pieces[at].0.clone();
            let seen = self.piece(at, &piece, first_row, waiting, first.is_some())?;
            for (total, analyzer) in totals.iter_mut().zip(seen.analyzers) {
                match (total.as_mut(), analyzer) {
                    (Some(total), Some(analyzer)) => total.merge(analyzer),
                    (None, analyzer) => *total = analyzer,
                    (Some(_), None) => {}
                }
            }
            if let Some(first) = &mut first {
                if let Some(label) = seen.label {
                    first.label.absorb(label);
                }
                first.counts.merge(seen.counts.unwrap_or_default());
            }
            first_row += piece.rows;
        }
        for (fit, total) in waiting.iter_mut().zip(totals) {
            if let Some(total) = total {
                fit.set_analyzer(total)?;
            }
        }
        Ok(())
    }

    /// What is known of a piece, the rest of it read.
    fn piece(
        &mut self,
        at: usize,
        piece: &Piece,
        first_row: u64,
        waiting: &mut [&mut FeatureFit],
        with_first: bool,
    ) -> Result<PieceResult, TransformError> {
        // The columns of a batch are those that are asked for of this piece.
        for fit in waiting.iter_mut() {
            fit.begin();
        }
        let label = &self.config.label;
        // Without a name of its own a piece is neither kept nor taken from elsewhere.
        let kept = piece.id.as_ref();
        let analyzer_keys: Option<Vec<Digest>> = kept.map(|id| {
            waiting.iter().map(|fit| AnalyzerCache::key(id, &["analyzer", &fit.depends_on(label, first_row)])).collect()
        });
        let label_key = kept.map(|id| {
            AnalyzerCache::key(
                id,
                &["label", &format!("{label:?} {:?}", self.label_columns), &format!("{:?}", self.feature_columns)],
            )
        });
        let counts_key = kept.map(|id| {
            let mut columns: Vec<_> = self.datatypes.iter().collect();
            columns.sort_unstable_by_key(|(name, _)| *name);
            AnalyzerCache::key(id, &["columns", &format!("{columns:?} {:?}", self.date_features)])
        });
        let known = |at: usize| self.cache?.get(analyzer_keys.as_ref()?.get(at)?);
        let first = self.cache.filter(|_| with_first);
        let mut seen = PieceResult {
            analyzers: (0..waiting.len()).map(known).collect(),
            label: first.zip(label_key.as_ref()).and_then(|(cache, key)| cache.get(key)),
            counts: first.zip(counts_key.as_ref()).and_then(|(cache, key)| cache.get(key)),
        };
        if seen.is_whole(with_first) {
            self.options.progress.advance(piece.rows);
            return Ok(seen);
        }
        self.pieces[at].1 = true;
        self.read(at, first_row, waiting, with_first, &mut seen)?;
        let put = |key: Option<&Digest>, bytes: &[u8]| {
            if let (Some(cache), Some(key)) = (self.cache, key) {
                cache.put(key, bytes);
            }
        };
        for (at, analyzer) in seen.analyzers.iter_mut().enumerate() {
            let (Some(found), Some(key)) = (&analyzer, analyzer_keys.as_ref().and_then(|keys| keys.get(at))) else {
                continue;
            };
            let bytes = to_bytes(found);
            put(Some(key), &bytes);
            // What goes on is what would be read back, so that it makes no difference whether it was.
            *analyzer = from_bytes(&bytes);
        }
        if let Some(label) = &seen.label {
            put(label_key.as_ref(), &to_bytes(label));
        }
        if let Some(counts) = &seen.counts {
            put(counts_key.as_ref(), &to_bytes(counts));
        }
        Ok(seen)
    }

    fn label_check(&self) -> Result<LabelCheck, TransformError> {
        let leaks = LeakMeasure::new(self.config, self.label_columns)?;
        Ok(LabelCheck::new(&self.config.label, self.options.split).measuring(leaks))
    }

    /// Reads a piece for what of `seen` is not known yet.
    fn read(
        &self,
        at: usize,
        first_row: u64,
        waiting: &mut [&mut FeatureFit],
        with_first: bool,
        seen: &mut PieceResult,
    ) -> Result<(), TransformError> {
        let mut open: Vec<(usize, &mut FeatureFit)> = Vec::with_capacity(waiting.len());
        for (at, fit) in waiting.iter_mut().enumerate() {
            if seen.analyzers[at].is_none() {
                open.push((at, fit));
            }
        }
        let with_label = with_first && seen.label.is_none();
        let with_counts = with_first && seen.counts.is_none();
        let needs_label = open.iter().any(|(_, fit)| fit.needs_label());
        let mut columns: Vec<String> = Vec::new();
        let first = self.feature_columns.iter().filter(|_| with_first && (with_counts || with_label));
        let labels = self.label_columns.iter().filter(|_| with_label || needs_label);
        let own: Vec<String> = open.iter().flat_map(|(_, fit)| fit.columns().map(str::to_owned)).collect();
        for column in first.chain(labels).chain(&own) {
            if !columns.contains(column) {
                columns.push(column.clone());
            }
        }
        let mut label = if with_label { Some(self.label_check()?) } else { None };
        let mut counter = ColumnCounter::new(self.datatypes, self.date_features);
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        let mut reader = self.rows.read_piece(self.options.split, at, &columns)?;
        let mut labeller: Option<BoundLabel> = None;
        let mut row = first_row;
        let mut next: Option<RecordBatch> = reader.next().transpose()?;
        while let Some(batch) = next.take() {
            if self.options.cancel.is_some_and(CancelFlag::is_set) {
                return Err(TransformError::Canceled);
            }
            if with_counts {
                counter.update(&batch)?;
            }
            let labels = match (&mut labeller, needs_label) {
                (_, false) => Vec::new(),
                (Some(bound), true) => bound.optional_values(&batch)?,
                (unbound, true) => {
                    unbound.insert(self.config.label.bind(batch.schema_ref())?).optional_values(&batch)?
                }
            };
            let scan = ScanBatch { batch: &batch, first_row: row, labels: &labels };
            // The next batch is read while this one is looked at.
            let (read, (analyzed, labelled)) = self.pool.join(
                || reader.next().transpose(),
                || {
                    rayon::join(
                        || open.par_iter_mut().map(|(_, fit)| fit.update(scan)).collect::<Vec<_>>(),
                        || label.as_mut().map_or(Ok(()), |label| label.update(&batch)),
                    )
                },
            );
            // Of several errors the one of the first feature, whichever thread was faster.
            analyzed.into_iter().collect::<Result<(), _>>()?;
            labelled?;
            row += batch.num_rows() as u64;
            self.options.progress.advance(batch.num_rows() as u64);
            next = read?;
        }
        for (at, fit) in open {
            seen.analyzers[at] = fit.analyzer.take();
        }
        if let Some(label) = label {
            seen.label = Some(label.state());
        }
        if with_counts {
            seen.counts = Some(counter.finish());
        }
        Ok(())
    }
}
