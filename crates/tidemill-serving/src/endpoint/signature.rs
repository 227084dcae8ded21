//! What an endpoint takes and gives, worked out from its models.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::{DataType as ArrowType, Field, Schema, SchemaRef};
use tidemill_core::{DataType, ParamIssue, RowShape, Signature, TensorGroup, TensorSpec, suggest};
use tidemill_model::{BoundExpression, Expression, InputShape};

use super::spec::{Combination, EndpointSpec, FallbackSpec, ModelSpec, StepInput};

/// What an endpoint takes and gives.
#[derive(Debug, Clone)]
pub struct EndpointSignature {
    /// The inputs: those of the primary model first, then those that only other models take, then those of rules. And the
    /// outputs, which are those of the primary model.
    pub tensors: Signature,
    /// The columns of its rows.
    pub(super) schema: SchemaRef,
    /// Those, and the outputs of models, which expressions in sequences may use.
    pub(super) extended: SchemaRef,
}

/// An output tensor.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Output {
    pub(super) name: String,
    pub(super) datatype: DataType,
    pub(super) width: Option<usize>,
    form: RowShape,
}

/// The outputs of a model, if they are known before it answers.
pub(super) type Outputs = Option<Vec<Output>>;

/// Works out the signature of an endpoint from those of its models: `known` has the signatures of models that are
/// loaded, and of other servers if they have told them. Columns of tables of features, in `looked_up`, may be missing in
/// requests. Everything that does not fit is an issue at its keys.
pub fn endpoint_signature(
    spec: &EndpointSpec,
    known: &BTreeMap<String, Signature>,
    looked_up: &BTreeSet<String>,
) -> Result<EndpointSignature, Vec<ParamIssue>> {
    let models = spec.all_models();
    let mut work = Work { spec, models: &models, known, inputs: Vec::new(), issues: Vec::new() };
    work.collect_inputs(looked_up);
    let shape = InputShape::new(&work.inputs);
    let schema = Arc::clone(&shape.schema);
    let extended = work.extended(&schema);
    work.check_columns(&schema, &extended);
    let outputs = work.endpoint_outputs(&extended);
    work.check_outputs(&extended, &outputs);
    if !work.issues.is_empty() {
        return Err(work.issues);
    }
    let (output_specs, output_groups) = as_columns(&outputs);
    let tensors = Signature { inputs: work.inputs, outputs: output_specs, output_groups, ..Signature::default() };
    Ok(EndpointSignature { tensors, schema, extended })
}

struct Work<'a> {
    spec: &'a EndpointSpec,
    models: &'a BTreeMap<String, ModelSpec>,
    known: &'a BTreeMap<String, Signature>,
    inputs: Vec<TensorSpec>,
    issues: Vec<ParamIssue>,
}

fn path<const N: usize>(keys: [&str; N]) -> Vec<String> {
    keys.map(str::to_owned).to_vec()
}

/// Whether a model may get inputs that clients must send.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    Required,
    Optional,
}

impl Work<'_> {
    fn collect_inputs(&mut self, looked_up: &BTreeSet<String>) {
        let spec = self.spec;
        let nothing = BTreeSet::new();
        spec.primary().into_iter().for_each(|name| self.collect(name, Need::Required, &nothing));
        for rule in &spec.route {
            let arms = rule.to.iter().chain(rule.split.iter().flat_map(BTreeMap::keys));
            arms.for_each(|name| self.collect(name, Need::Required, &nothing));
        }
        let fallbacks = spec.fallback.iter().filter_map(FallbackSpec::model).map(str::to_owned);
        let of_models = self.models.values().flat_map(|model| model.fallback.iter().flatten());
        let of_models = of_models.filter_map(FallbackSpec::model).map(str::to_owned);
        let shadows = spec.shadow.iter().map(|shadow| shadow.to.clone());
        let others: Vec<String> = fallbacks.chain(of_models).chain(shadows).collect();
        others.iter().for_each(|name| self.collect(name, Need::Optional, &nothing));
        for (name, datatype) in &spec.inputs {
            match self.inputs.iter().find(|input| input.name == *name) {
                Some(input) if input.datatype != *datatype => {
                    let message = format!("`{name}` is {} in a model, not {datatype}", input.type_name());
                    self.issues.push(ParamIssue::new(path(["inputs", name]), message));
                }
                Some(_) => {}
                None => self.inputs.push(TensorSpec::new(name, *datatype, true)),
            }
        }
        let units = spec.route.iter().filter_map(|rule| rule.by.as_deref()).filter(|by| !by.starts_with("header:"));
        let keys = spec.features.values().map(|feature| feature.key.as_str());
        for name in units.chain(keys) {
            if self.inputs.iter().all(|input| input.name != name) {
                self.inputs.push(TensorSpec::new(name, DataType::Bytes, true));
            }
        }
        for input in &mut self.inputs {
            input.optional |= looked_up.contains(&input.name);
        }
    }

    /// Adds the inputs of a model, but for those in `given`, which answers of other models provide.
    fn collect(&mut self, name: &str, need: Need, given: &BTreeSet<String>) {
        let Some(model) = self.models.get(name) else { return };
        if let Some(steps) = &model.sequence {
            let mut provided = given.clone();
            for step in steps {
                let given = if step.input == StepInput::Both { &provided } else { given };
                self.collect(&step.model, need, &given.clone());
                let outputs = self.outputs_of(&step.model, None);
                provided.extend(outputs.into_iter().flatten().map(|output| output.name));
            }
        }
        if let Some(parallel) = &model.parallel {
            parallel.models.iter().for_each(|name| self.collect(name, need, given));
        }
        let Some(signature) = self.known.get(name) else { return };
        for input in signature.inputs.iter().filter(|input| !given.contains(renamed(model, &input.name))) {
            let endpoint_name = renamed(model, &input.name);
            match self.inputs.iter_mut().find(|known| known.name == endpoint_name) {
                Some(known) if known.datatype != input.datatype || known.form != input.form => {
                    let (is, other) = (input.type_name(), known.type_name());
                    let message = format!("model `{name}` takes `{endpoint_name}` as {is}, others as {other}");
                    let issue = ParamIssue::new(path(["models", name]), message)
                        .with_hint("give the input another name for this model, under `inputs`");
                    if !self.issues.contains(&issue) {
                        self.issues.push(issue);
                    }
                }
                Some(known) => known.optional &= input.optional || need == Need::Optional,
                None => {
                    let optional = input.optional || need == Need::Optional;
                    self.inputs.push(TensorSpec { name: endpoint_name.to_owned(), optional, ..input.clone() });
                }
            }
        }
        for own in model.inputs.keys().filter(|own| signature.inputs.iter().all(|input| input.name != **own)) {
            let near = suggest(own, signature.inputs.iter().map(|input| input.name.as_str()));
            let mut issue =
                ParamIssue::new(path(["models", name, "inputs", own]), format!("the model has no input `{own}`"));
            issue.hint = near.map(|near| format!("did you mean `{near}`?"));
            if !self.issues.contains(&issue) {
                self.issues.push(issue);
            }
        }
    }

    /// The columns of the endpoint, and the outputs of models that are steps of sequences.
    fn extended(&self, schema: &SchemaRef) -> SchemaRef {
        let mut fields: Vec<Field> = schema.fields().iter().map(|field| field.as_ref().clone()).collect();
        let steps = self.models.values().flat_map(|model| model.sequence.iter().flatten());
        let outputs = steps.filter_map(|step| self.outputs_of(&step.model, Some(schema))).flatten();
        for output in outputs.filter(|output| output.width.is_none()) {
            if fields.iter().all(|field| *field.name() != output.name) {
                fields.push(Field::new(&output.name, tidemill_model::arrow_type(output.datatype), true));
            }
        }
        Arc::new(Schema::new(fields))
    }

    /// Every expression has the columns that it needs.
    fn check_columns(&mut self, schema: &Schema, extended: &Schema) {
        let spec = self.spec;
        // Without the signatures of all models it cannot be said which inputs there are.
        let complete = self.models.iter().all(|(name, model)| {
            self.known.contains_key(name) || (model.model.is_none() && model.path.is_none() && model.url.is_none())
        });
        let mut check = |schema: &Schema, place: Vec<String>, text: &str, condition: bool| {
            let Ok(expression) = Expression::parse(text) else { return };
            let unknown: Vec<String> =
                expression.columns().into_iter().filter(|name| schema.index_of(name).is_err()).collect();
            if let Some(name) = unknown.first() {
                let near = suggest(name, schema.fields().iter().map(|field| field.name().as_str()));
                let hint = near.map_or_else(
                    || format!("declare it if clients send it: `inputs: {{ {name}: FP64 }}`"),
                    |near| format!("did you mean `{near}`? Or declare it under `inputs`"),
                );
                if complete {
                    let message = format!("no model takes an input `{name}`");
                    self.issues.push(ParamIssue::new(place, message).with_hint(hint));
                }
                return;
            }
            match expression.bind(schema) {
                Err(error) => self.issues.push(ParamIssue::new(place, error.to_string())),
                Ok(bound) if condition && bound.datatype() != ArrowType::Boolean => {
                    self.issues.push(ParamIssue::new(place, format!("`{text}` is not a condition")));
                }
                Ok(_) => {}
            }
        };
        for (at, rule) in spec.route.iter().enumerate() {
            if let Some(when) = &rule.when {
                check(schema, path(["route", &at.to_string(), "when"]), when, true);
            }
        }
        for (name, model) in self.models {
            if let Some(expression) = &model.expression {
                check(extended, path(["models", name, "expression"]), expression, false);
            }
        }
    }

    /// The outputs of the primary model, or of the first whose outputs are known.
    fn endpoint_outputs(&mut self, schema: &SchemaRef) -> Vec<Output> {
        let primary = self.spec.primary().into_iter().map(str::to_owned);
        let candidates: Vec<String> = primary.chain(self.models.keys().cloned()).collect();
        candidates.iter().find_map(|name| self.outputs_of(name, Some(schema))).unwrap_or_default()
    }

    /// The outputs of a model. Expressions need the columns of the endpoint.
    pub(super) fn outputs_of(&self, name: &str, schema: Option<&SchemaRef>) -> Outputs {
        outputs_of(self.models, self.known, name, schema)
    }

    /// Every model that may answer for the endpoint gives its outputs.
    fn check_outputs(&mut self, schema: &SchemaRef, outputs: &[Output]) {
        let spec = self.spec;
        let shadows = spec.shadow.iter().map(|shadow| shadow.to.as_str());
        let routed = spec.route.iter().flat_map(|rule| {
            rule.to.as_deref().into_iter().chain(rule.split.iter().flat_map(|split| split.keys().map(String::as_str)))
        });
        let fallbacks = spec.fallback.iter().filter_map(FallbackSpec::model);
        let names: BTreeSet<&str> = routed.chain(shadows).chain(fallbacks).collect();
        for name in names {
            let Some(found) = self.outputs_of(name, Some(schema)) else { continue };
            let by_expression = self.models.get(name).is_some_and(|model| model.expression.is_some());
            if by_expression {
                let number = |output: &Output| matches!(output.datatype, DataType::Fp64 | DataType::Int64);
                let fits = match outputs {
                    [only] => only.width.is_none() && (number(only) == number(&found[0])),
                    _ => false,
                };
                if !fits {
                    let message =
                        format!("an expression gives one value, and the endpoint's outputs are {}", listed(outputs));
                    self.issues.push(ParamIssue::new(path(["models", name, "expression"]), message));
                }
                continue;
            }
            let lacking: Vec<Output> = outputs.iter().filter(|output| !found.contains(output)).cloned().collect();
            if !lacking.is_empty() {
                let message =
                    format!("the outputs of `{name}` are {}, and the endpoint's {}", listed(&found), listed(outputs));
                let hint = "rename them, as in `outputs: { ENDPOINT_NAME: OWN_NAME }`";
                self.issues.push(ParamIssue::new(path(["models", name]), message).with_hint(hint));
            }
        }
    }
}

/// The endpoint's name of a model's input.
pub(super) fn renamed<'a>(model: &'a ModelSpec, own: &'a str) -> &'a str {
    model.inputs.get(own).map_or(own, String::as_str)
}

fn listed(outputs: &[Output]) -> String {
    let one = |output: &Output| match output.width {
        Some(width) => format!("`{}` ({} × {width})", output.name, output.datatype),
        None => format!("`{}` ({})", output.name, output.datatype),
    };
    outputs.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The outputs of a model under the endpoint's names; `None` if they are not known.
pub(super) fn outputs_of(
    models: &BTreeMap<String, ModelSpec>,
    known: &BTreeMap<String, Signature>,
    name: &str,
    schema: Option<&SchemaRef>,
) -> Outputs {
    let model = models.get(name)?;
    let of = |name: &str| outputs_of(models, known, name, schema);
    let single = |name: &str, datatype| Output { name: name.to_owned(), datatype, width: None, form: RowShape::Value };
    let outputs = if let Some(text) = &model.expression {
        let bound = bound(text, schema?)?;
        vec![single(super::expression::OUTPUT, datatype_of(&bound)?)]
    } else if let Some(steps) = &model.sequence {
        of(&steps.last()?.model)?
    } else if let Some(parallel) = &model.parallel {
        let on = |name: &&String| models.get(*name).is_some_and(|model| !model.off);
        let members: Vec<&String> = parallel.models.iter().filter(on).collect();
        match parallel.combine {
            Combination::Argmax => vec![single("model", DataType::Bytes), single("value", DataType::Fp64)],
            Combination::Map => {
                let mut outputs = Vec::new();
                for member in members {
                    let own = of(member)?;
                    let alone = own.len() == 1;
                    outputs.extend(
                        own.into_iter().map(|output| Output { name: map_name(member, &output.name, alone), ..output }),
                    );
                }
                outputs
            }
            Combination::Mean | Combination::Weighted => {
                let first = members.iter().find_map(|member| of(member))?;
                first.into_iter().map(|output| Output { datatype: DataType::Fp64, ..output }).collect()
            }
            Combination::Vote | Combination::First => members.iter().find_map(|member| of(member))?,
        }
    } else {
        let tensors = known.get(name)?.output_tensors();
        let output = |tensor: tidemill_core::TensorView<'_>| Output {
            name: tensor.name.to_owned(),
            datatype: tensor.datatype,
            width: tensor.width,
            form: tensor.form,
        };
        tensors.into_iter().map(output).collect()
    };
    let named = |output: Output| match model.outputs.iter().find(|(_, own)| **own == output.name) {
        Some((name, _)) => Output { name: name.clone(), ..output },
        None => output,
    };
    Some(outputs.into_iter().map(named).collect())
}

/// The name of an output in a map.
pub(super) fn map_name(member: &str, output: &str, alone: bool) -> String {
    if alone { member.to_owned() } else { format!("{member}.{output}") }
}

/// An expression over these columns, if it fits them.
pub(super) fn bound(text: &str, schema: &SchemaRef) -> Option<BoundExpression> {
    Expression::parse(text).ok()?.bind(schema).ok()
}

/// The type of an expression as a tensor.
fn datatype_of(bound: &BoundExpression) -> Option<DataType> {
    Some(match bound.datatype() {
        ArrowType::Boolean => DataType::Bool,
        ArrowType::Int64 => DataType::Int64,
        ArrowType::Float64 | ArrowType::Null => DataType::Fp64,
        ArrowType::Utf8 => DataType::Bytes,
        _ => return None,
    })
}

/// Outputs as the columns of a signature.
fn as_columns(outputs: &[Output]) -> (Vec<TensorSpec>, Vec<TensorGroup>) {
    let (mut columns, mut groups) = (Vec::new(), Vec::new());
    for output in outputs {
        let column = |name: String| TensorSpec::new(name, output.datatype, false).with_form(output.form);
        match output.width {
            Some(width) => {
                groups.push(TensorGroup { name: output.name.clone(), first: columns.len(), count: width });
                columns.extend((0..width).map(|at| column(format!("{}.{at}", output.name))));
            }
            None => columns.push(column(output.name.clone())),
        }
    }
    (columns, groups)
}
