//! An endpoint as a target: what protocols call under its name.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use hyper::HeaderMap;
use tidemill_model::Explanation;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::call::{Answer, Call, Outcome, Step};
use super::features::FeatureTable;
use super::graph::{From, Graph, Kind, fitted};
use super::rollout::Rollout;
use super::route::{Chosen, Route};
use super::rows::{interleaved, take_rows};
use super::shadow::Shadow;
use crate::inference::compute_pool::ComputePool;
use crate::inference::context::RouteTrail;
use crate::inference::request::InferenceRequest;
use crate::inference::request_error::RequestError;
use crate::inference::response::InferenceResponse;
use crate::inference::signature::TargetSignature;
use crate::inference::target::{Inference, Target, Thread, not_explained};

/// An endpoint with its models at one moment. It is replaced when one of them changes; requests in flight finish on the
/// models that they started with.
#[derive(Debug)]
pub(super) struct EndpointTarget {
    pub(super) signature: TargetSignature,
    pub(super) pool: ComputePool,
    pub(super) core: Arc<Core>,
}

/// What requests share.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) graph: Arc<Graph>,
    pub(super) route: Route,
    pub(super) shadows: Vec<Shadow>,
    pub(super) tables: Vec<Arc<FeatureTable>>,
    pub(super) rollout: Option<Arc<Rollout>>,
    /// The model that explains predictions.
    pub(super) primary: Option<usize>,
}

impl Target for EndpointTarget {
    fn signature(&self) -> &TargetSignature {
        &self.signature
    }

    fn compute_pool(&self) -> &ComputePool {
        &self.pool
    }

    /// Answers at once if the model that is chosen can; otherwise on a task, and never on the caller's thread.
    fn infer(&self, request: InferenceRequest, _: Thread<'_>) -> Inference {
        let InferenceRequest { batch, operation, timeout, attributes } = request;
        let call = Call { batch, operation, deadline: Instant::now() + timeout, attributes };
        match self.core.start(call) {
            Step::Done(outcome) => Inference::Done(response(outcome)),
            Step::Later(work) => {
                let (mut answer, answered) = oneshot::channel();
                tokio::spawn(async move {
                    tokio::select! {
                        // The client has left.
                        () = answer.closed() => {}
                        outcome = work => {
                            let _ = answer.send(response(outcome));
                        }
                    }
                });
                Inference::Pending(answered)
            }
        }
    }

    fn explain(&self, batch: &RecordBatch, trees: usize) -> Result<Explanation, RequestError> {
        let primary = self.core.primary.and_then(|at| self.core.graph.nodes.get(at));
        match primary.map(|node| &node.kind) {
            Some(Kind::Version(model)) => model.target.explain(&model.inputs.project(batch)?, trees),
            _ => Err(not_explained(&self.signature.name)),
        }
    }
}

fn response(outcome: Outcome) -> Result<InferenceResponse, RequestError> {
    outcome.map(|answer| InferenceResponse { predictions: answer.predictions, version: answer.version })
}

impl Core {
    fn start(self: &Arc<Self>, mut call: Call) -> Step {
        for table in &self.tables {
            call.batch = match table.fill(call.batch) {
                Ok(batch) => batch,
                Err(error) => return Step::failed(error),
            };
        }
        let none = HeaderMap::new();
        let headers = call.attributes.as_ref().map_or(&none, |attributes| &attributes.headers);
        match self.route.choose(&call.batch, headers) {
            Ok(Chosen::One(node)) => self.start_one(node, call),
            Ok(Chosen::Each(nodes)) => self.start_groups(&nodes, call),
            Err(error) => Step::failed(error),
        }
    }

    /// All rows go to one model.
    fn start_one(self: &Arc<Self>, node: usize, call: Call) -> Step {
        let copy = self.copy(&call);
        let core = Arc::clone(self);
        self.graph.start(node, call, From::Route).map(move |outcome| {
            let trail = match &outcome {
                Ok(answer) => Arc::clone(&answer.trail),
                Err(_) => Arc::from(format!("{} failed", core.graph.nodes[node].label)),
            };
            core.finish(outcome, copy, RouteTrail { parts: vec![trail], rows: None })
        })
    }

    /// Rows go to different models.
    fn start_groups(self: &Arc<Self>, nodes: &[usize], call: Call) -> Step {
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (row, node) in nodes.iter().enumerate() {
            groups.entry(*node).or_default().push(row);
        }
        let mut order = vec![(0, 0); nodes.len()];
        for (group, rows) in groups.values().enumerate() {
            for (place, row) in rows.iter().enumerate() {
                order[*row] = (group, place);
            }
        }
        let start = |(node, rows): (&usize, &Vec<usize>)| match take_rows(&call.batch, rows) {
            Ok(batch) => self.graph.start(*node, call.with_batch(batch), From::Route),
            Err(error) => Step::failed(error),
        };
        let steps: Vec<Step> = groups.iter().map(start).collect();
        let (core, copy) = (Arc::clone(self), self.copy(&call));
        Step::later(async move {
            let mut running = JoinSet::new();
            for (group, step) in steps.into_iter().enumerate() {
                running.spawn(async move { (group, step.finish().await) });
            }
            let mut answers: Vec<Option<Answer>> = vec![None; groups.len()];
            while let Some(joined) = running.join_next().await {
                let (group, outcome) = joined.map_err(|_| RequestError::internal("answering the request panicked"))?;
                match outcome {
                    Ok(answer) => answers[group] = Some(answer),
                    Err(error) => {
                        let node = groups.keys().nth(group).map(|node| &*core.graph.nodes[*node].label);
                        let parts = vec![Arc::from(format!("{} failed", node.unwrap_or_default()))];
                        return core.finish(Err(error), copy, RouteTrail { parts, rows: None });
                    }
                }
            }
            let answers: Vec<Answer> = answers.into_iter().flatten().collect();
            let rows = order.iter().map(|(group, _)| *group as u32).collect();
            let trail = RouteTrail {
                parts: answers.iter().map(|answer| Arc::clone(&answer.trail)).collect(),
                rows: Some(rows),
            };
            let outcome = core.joined(answers, &order);
            core.finish(outcome, copy, trail)
        })
    }

    fn joined(&self, answers: Vec<Answer>, order: &[(usize, usize)]) -> Outcome {
        let fit = |answer: &Answer| fitted(answer.predictions.clone(), &self.graph.outputs, &answer.trail);
        let batches: Result<Vec<RecordBatch>, _> = answers.iter().map(fit).collect();
        let predictions = interleaved(&batches?.iter().collect::<Vec<_>>(), order)?;
        let version = answers.first().and_then(|first| first.version);
        let version = version.filter(|version| answers.iter().all(|answer| answer.version == Some(*version)));
        let trail = answers.into_iter().next().map_or_else(|| Arc::from(""), |answer| answer.trail);
        Ok(Answer { predictions, version, trail })
    }

    /// The request for shadows and trails, if there is use for it.
    fn copy(&self, call: &Call) -> Option<Call> {
        (!self.shadows.is_empty() || call.attributes.is_some()).then(|| call.clone())
    }

    /// Gives an answer the endpoint's outputs, notes its trail, and sends copies to shadows.
    fn finish(&self, outcome: Outcome, call: Option<Call>, trail: RouteTrail) -> Outcome {
        if let Some(attributes) = call.as_ref().and_then(|call| call.attributes.as_ref()) {
            // A request is answered once.
            let _ = attributes.route.set(trail);
        }
        let answer = outcome?;
        let predictions = fitted(answer.predictions, &self.graph.outputs, &answer.trail)?;
        if let Some(call) = call {
            for shadow in &self.shadows {
                shadow.send(&self.graph, call.clone(), predictions.clone());
            }
        }
        Ok(Answer { predictions, ..answer })
    }
}
