//! What every training begins with: the rows, their labels, the task, and the rows that decide.

use arrow::array::RecordBatch;
use arrow::buffer::BooleanBuffer;
use tidemill_core::{CancelFlag, ComponentError, Progress, StepContext, Task, TaskKind};
use tidemill_data::Examples;
use tidemill_model::{ModelError, TransformGraph};

use super::asked::AskedTask;
use super::error::TrainError;
use super::folds::Fold;
use super::labels::{Labels, Texts};
use super::params::TrainerParams;
use super::rolling::{Folds, Judged};
use super::sample::SamplePicker;
use super::task::Decision;
use super::validation::{self, Validation};
use super::warm_start::{self, BaseModel};
use super::{LabelReader, RowSource, TRANSFORM_FILE, offset};
use crate::learner::{Estimator, MoreInput, SplitRows, TrainingData, Watch};

/// Whether rows are kept aside of those learned from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aside {
    /// If a learner decides something on them, or they are asked for.
    WhereNeeded,
    /// Something is decided on them beside what a learner decides.
    Always,
    /// They are in folds.
    Never,
}

/// Everything that is read before a learner is fitted. Several can be fitted to it.
pub(crate) struct Prepared<'a> {
    pub(crate) context: &'a StepContext<'a>,
    /// What rows run through: the transform graph, and the offset where there is one.
    pub(super) graph: TransformGraph,
    /// The transform graph as it was fitted.
    pub(super) transform: TransformGraph,
    base_model: Option<BaseModel>,
    /// What a rolling origin says of the learner, where that is asked for.
    pub(super) rolling: Option<Judged>,
    has_offset: bool,
    pub(super) decision: Decision,
    /// The labels of the rows learned from.
    pub(super) labels: Labels,
    /// Those of the validation rows.
    pub(super) validation_labels: Option<Labels>,
    /// Rows of raw input.
    pub(super) sample: RecordBatch,
    pub(crate) warnings: Vec<String>,
    pub(super) examples: Examples,
    pub(super) split: String,
    /// The split of validation rows, where they have one of their own.
    own: Option<String>,
    /// Which rows of the split are learned from and which are kept aside, where some are.
    kept_aside: Option<(BooleanBuffer, BooleanBuffer)>,
    pub(super) seed: u64,
}

impl<'a> Prepared<'a> {
    /// Reads the rows for `learners`, by their names; each must be able to learn the task.
    pub(crate) fn read(
        context: &'a StepContext<'a>,
        params: &TrainerParams,
        learners: &[(&'static str, &dyn Estimator)],
        aside: Aside,
    ) -> Result<Self, ComponentError> {
        let examples = Examples::open(&context.input("examples")?.path)?;
        let transform = TransformGraph::load(context.input("transform")?.path.join(TRANSFORM_FILE))?;
        let graph = match &params.offset {
            Some(offset) => offset::with_offset(&transform, offset, &examples.schema())?,
            None => transform.clone(),
        };
        let spec = graph.label().ok_or(ModelError::NoLabel)?.clone();
        let spec = match &params.task {
            Some(asked) => asked.label(spec),
            None => spec,
        };
        let split = params.splits.train.as_str();

        let weight = params.weight.as_deref();
        let group = params.task.as_ref().and_then(AskedTask::group);
        let reader = LabelReader { context, examples: &examples, graph: &graph, label: &spec, weight, group };
        let rows = reader.rows(split)?;
        context.progress.total_rows(rows);
        let mut texts = Texts::default();
        let (mut labels, sample) = reader.read(split, rows, &mut texts, Some(SamplePicker::new(rows)))?;
        labels.check(&texts)?;
        let mut decision = Decision::new(params.task.as_ref(), &spec, &labels, &texts)?;
        let kind = decision.task.kind();
        if let Some((learner, _)) = learners.iter().find(|(_, estimator)| !estimator.tasks().contains(&kind)) {
            return Err(TrainError::TaskNotLearned { learner, task: kind }.into());
        }
        for (_, estimator) in learners {
            decision.task = estimator.refined(decision.task);
        }
        decision.encode(&mut labels, &texts)?;
        if params.offset.is_some() && !matches!(decision.task, Task::Binary | Task::Regression) {
            return Err(TrainError::NoUse { what: format!("task `{}`", decision.task.kind()), key: "offset" }.into());
        }
        let base_model = BaseModel::load(context, params.warm_start.as_deref(), &graph, &decision.task)?;
        let stubborn = learners.iter().find(|(_, estimator)| !estimator.takes(MoreInput::BaseModel));
        if let (Some(_), Some((learner, _))) = (&base_model, stubborn) {
            let what = format!("learner `{learner}` as it is set here");
            return Err(TrainError::NoUse { what, key: warm_start::INPUT }.into());
        }

        params.check_task(decision.task.kind())?;

        let mut warnings: Vec<String> = decision.guess.iter().cloned().collect();
        let rolling = match (&params.rolling_origin, learners) {
            (Some(rolling), [(_, estimator)]) => {
                let source = RowSource {
                    progress: context.progress,
                    cancel: context.cancel,
                    project_dir: context.project_dir,
                    examples: &examples,
                    graph: &graph,
                };
                let folds = Folds {
                    source: &source,
                    estimator: *estimator,
                    features: transform.features(),
                    has_offset: params.offset.is_some(),
                    task: &decision.task,
                    split,
                    labels: &labels,
                    seed: params.seed,
                };
                Some(folds.judge(rolling, spec.horizon_seconds)?)
            }
            _ => None,
        };
        warnings.extend(rolling.as_ref().and_then(Judged::warning));
        warnings.extend(base_model.iter().flat_map(|model| model.warnings.iter().cloned()));
        let own = params.validation.as_ref().and_then(Validation::split).filter(|_| aside != Aside::Never);
        let mut kept_aside = None;
        let mut validation_labels = None;
        if let Some(own) = own {
            let (mut of_own, _) = reader.read(own, reader.rows(own)?, &mut texts, None)?;
            of_own.check(&texts)?;
            decision.encode(&mut of_own, &texts)?;
            validation_labels = Some(of_own);
        } else if aside == Aside::Always
            || (aside == Aside::WhereNeeded
                && (params.validation.is_some() || learners.iter().any(|(_, estimator)| estimator.needs_validation())))
        {
            let classes = (decision.task.kind() != TaskKind::Regression).then_some(labels.values.as_slice());
            let asked = params.validation.as_ref();
            let aside = validation::kept_aside(asked, &examples, split, classes, group, rows, params.seed)?;
            if aside.iter().any(|aside| *aside) {
                validation_labels = Some(labels.take(&aside, "validation"));
                labels.check(&texts)?;
                let aside = BooleanBuffer::from(aside);
                kept_aside = Some((!&aside, aside));
            } else {
                warnings.push(
                    "no rows could be kept aside to decide when to stop: they are too few, of one group or of one time"
                        .to_owned(),
                );
            }
        }

        if let Some(of_classes) = &params.class_weights {
            let of_class = of_classes.of(&decision.task, &decision.class_names(), &labels.values)?;
            let weights = labels.weights.get_or_insert_with(|| vec![1.0; labels.values.len()]);
            for (weight, label) in weights.iter_mut().zip(&labels.values) {
                *weight *= of_class.get(*label as usize).copied().unwrap_or(1.0);
            }
        }
        let (split, own) = (split.to_owned(), own.map(str::to_owned));
        Ok(Self {
            context,
            graph,
            transform,
            base_model,
            rolling,
            has_offset: params.offset.is_some(),
            decision,
            labels,
            validation_labels,
            sample,
            warnings,
            examples,
            split,
            own,
            kept_aside,
            seed: params.seed,
        })
    }

    /// What is learned.
    pub(crate) fn task(&self) -> &Task {
        &self.decision.task
    }

    /// How many rows are learned from, and how many decide.
    pub(crate) fn rows(&self) -> (usize, usize) {
        (self.labels.values.len(), self.validation_labels.as_ref().map_or(0, |labels| labels.values.len()))
    }

    /// What a learner is given.
    pub(crate) fn data<'b>(
        &'b self,
        progress: &'b dyn Progress,
        cancel: &'b CancelFlag,
        watch: &'b dyn Watch,
    ) -> TrainingData<'b> {
        let source = self.source(progress, cancel);
        let (learned, aside) =
            self.kept_aside.as_ref().map_or((None, None), |(learned, aside)| (Some(learned), Some(aside)));
        let train = source.rows(&self.split, &self.labels, learned, true);
        let validation = self.validation_labels.as_ref().map(|of_rows| match &self.own {
            Some(own) => source.rows(own, of_rows, None, false),
            None => source.rows(&self.split, of_rows, aside, true),
        });
        self.given(train, validation, progress, cancel, watch)
    }

    /// What a learner is given that is judged on the rows of a fold.
    pub(crate) fn data_of<'b>(
        &'b self,
        fold: &'b Fold,
        progress: &'b dyn Progress,
        cancel: &'b CancelFlag,
        watch: &'b dyn Watch,
    ) -> TrainingData<'b> {
        let source = self.source(progress, cancel);
        let train = source.rows(&self.split, &fold.labels, Some(&fold.learned), true);
        let validation = source.rows(&self.split, &fold.aside_labels, Some(&fold.aside), true);
        self.given(train, Some(validation), progress, cancel, watch)
    }

    fn source<'b>(&'b self, progress: &'b dyn Progress, cancel: &'b CancelFlag) -> RowSource<'b> {
        let project_dir = self.context.project_dir;
        RowSource { progress, cancel, project_dir, examples: &self.examples, graph: &self.graph }
    }

    fn given<'b>(
        &'b self,
        train: SplitRows<'b>,
        validation: Option<SplitRows<'b>>,
        progress: &'b dyn Progress,
        cancel: &'b CancelFlag,
        watch: &'b dyn Watch,
    ) -> TrainingData<'b> {
        TrainingData {
            task: &self.decision.task,
            features: self.transform.features(),
            has_offset: self.has_offset,
            base_model: self.base_model.as_ref().map(|model| &model.learner),
            train,
            validation,
            seed: self.seed,
            project_dir: self.context.project_dir,
            job: None,
            work: None,
            progress,
            cancel,
            watch,
        }
    }

    /// Rows of raw input, and the transform graph that they run through.
    pub(crate) fn sample(&self) -> (&RecordBatch, &TransformGraph) {
        (&self.sample, &self.graph)
    }

    /// The labels of the rows that a trial without folds is judged on.
    pub(crate) fn judged_labels(&self) -> &[f64] {
        self.validation_labels.as_ref().map_or(&[], |labels| &labels.values)
    }

    /// What these rows count for.
    pub(crate) fn judged_weights(&self) -> Option<&[f64]> {
        self.validation_labels.as_ref().and_then(|labels| labels.weights.as_deref())
    }

    /// The labels of all rows learned from, and what these count for.
    pub(crate) fn learned_labels(&self) -> (&[f64], Option<&[f64]>) {
        (&self.labels.values, self.labels.weights.as_deref())
    }
}
