//! Puts the nodes of a model's own functions in the places that call them.

use std::collections::HashMap;

use super::generated::{AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto};
use super::program::is_standard;

/// Functions call others up to this depth.
const DEPTH_MAX: usize = 32;
/// More nodes are rejected: a few functions that call each other unfold without end.
const NODES_MAX: usize = 1 << 18;

/// Replaces every call of a function of the model by the function's nodes.
pub(super) fn inline(model: &mut ModelProto) -> Result<(), String> {
    if model.functions.is_empty() {
        return Ok(());
    }
    let functions = std::mem::take(&mut model.functions);
    let by_name: HashMap<(&str, &str), &FunctionProto> =
        functions.iter().map(|function| ((function.domain.as_str(), function.name.as_str()), function)).collect();
    let version = |imports: &[super::generated::OperatorSetIdProto]| {
        imports.iter().find(|import| is_standard(&import.domain)).map(|import| import.version)
    };
    let own = version(&model.opset_import);
    if let Some(function) = functions
        .iter()
        .find(|function| version(&function.opset_import).is_some_and(|v| own.is_some_and(|own| own != v)))
    {
        return Err(format!(
            "the function `{}` is written in another version of the operators than the graph; save the model with functions inlined",
            function.name
        ));
    }
    if own.is_none() {
        let found =
            functions.iter().flat_map(|function| &function.opset_import).find(|import| is_standard(&import.domain));
        model.opset_import.extend(found.cloned());
    }
    let mut calls = Calls { by_name, count: 0, nodes: 0 };
    if let Some(graph) = &mut model.graph {
        calls.graph(graph, 0)?;
    }
    Ok(())
}

struct Calls<'a> {
    by_name: HashMap<(&'a str, &'a str), &'a FunctionProto>,
    /// Calls so far: the names within each get a number of their own.
    count: usize,
    nodes: usize,
}

impl Calls<'_> {
    fn graph(&mut self, graph: &mut GraphProto, depth: usize) -> Result<(), String> {
        let nodes = std::mem::take(&mut graph.node);
        graph.node = self.nodes(nodes, depth)?;
        Ok(())
    }

    fn nodes(&mut self, nodes: Vec<NodeProto>, depth: usize) -> Result<Vec<NodeProto>, String> {
        let mut made = Vec::with_capacity(nodes.len());
        for mut node in nodes {
            self.nodes += 1;
            if depth > DEPTH_MAX || self.nodes > NODES_MAX {
                return Err("its functions call each other without end".to_owned());
            }
            for attribute in &mut node.attribute {
                if let Some(graph) = &mut attribute.g {
                    self.graph(graph, depth + 1)?;
                }
            }
            match self.by_name.get(&(node.domain.as_str(), node.op_type.as_str())).copied() {
                Some(function) => {
                    let body = self.body(function, &node);
                    made.extend(self.nodes(body, depth + 1)?);
                }
                None => made.push(node),
            }
        }
        Ok(made)
    }

    /// The nodes of a function with the names and attributes of a call.
    fn body(&mut self, function: &FunctionProto, call: &NodeProto) -> Vec<NodeProto> {
        self.count += 1;
        let mut names: HashMap<&str, String> = HashMap::new();
        for (formal, actual) in [(&function.input, &call.input), (&function.output, &call.output)] {
            for (at, formal) in formal.iter().enumerate() {
                names.insert(formal, actual.get(at).cloned().unwrap_or_default());
            }
        }
        // An output that the call leaves out still needs a name of its own.
        for (at, formal) in function.output.iter().enumerate() {
            if call.output.get(at).is_none_or(String::is_empty) {
                names.insert(formal, format!("{formal}@{}", self.count));
            }
        }
        let scope = Scope { names, number: self.count, function, call };
        function.node.iter().map(|node| scope.node(node)).collect()
    }
}

struct Scope<'a> {
    names: HashMap<&'a str, String>,
    number: usize,
    function: &'a FunctionProto,
    call: &'a NodeProto,
}

impl Scope<'_> {
    fn name(&self, name: &str) -> String {
        if name.is_empty() {
            return String::new();
        }
        self.names.get(name).cloned().unwrap_or_else(|| format!("{name}@{}", self.number))
    }

    fn node(&self, node: &NodeProto) -> NodeProto {
        let rename = |names: &[String]| names.iter().map(|name| self.name(name)).collect();
        let attribute = node.attribute.iter().filter_map(|attribute| self.attribute(attribute)).collect();
        NodeProto { input: rename(&node.input), output: rename(&node.output), attribute, ..node.clone() }
    }

    /// The attribute, with the value of the call if it refers to one of the function.
    fn attribute(&self, attribute: &AttributeProto) -> Option<AttributeProto> {
        if !attribute.ref_attr_name.is_empty() {
            let all = self.call.attribute.iter().chain(&self.function.attribute_proto);
            let found = all.into_iter().find(|given| given.name == attribute.ref_attr_name)?;
            return Some(AttributeProto { name: attribute.name.clone(), ..found.clone() });
        }
        let mut attribute = attribute.clone();
        if let Some(graph) = &mut attribute.g {
            graph.node = graph.node.iter().map(|node| self.node(node)).collect();
            graph.input.iter_mut().for_each(|input| input.name = self.name(&input.name));
            graph.output.iter_mut().for_each(|output| output.name = self.name(&output.name));
            graph.initializer.iter_mut().for_each(|tensor| tensor.name = self.name(&tensor.name));
        }
        Some(attribute)
    }
}
