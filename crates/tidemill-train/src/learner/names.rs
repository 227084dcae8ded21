//! What the features of a graph and their categories are called.

use tidemill_model::{Feature, FeatureSpec, TransformGraph, category_name};

/// By feature of the graph: its definition.
pub(crate) fn definitions(graph: &TransformGraph) -> Vec<(&Feature, &FeatureSpec)> {
    let outputs = graph.definitions().iter().zip(graph.outputs());
    outputs.flat_map(|(definition, specs)| specs.iter().map(move |spec| (definition, spec))).collect()
}

/// The value that a code of a feature stands for, or `other`.
pub(crate) fn category((definition, spec): (&Feature, &FeatureSpec), code: u32) -> String {
    let name = category_name(&spec.name, &definition.mappers, code);
    // `feature=value`, or `feature.other`.
    name.get(spec.name.len() + 1..).map(str::to_owned).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use tidemill_model::FeatureKind;

    use super::*;

    #[test]
    fn a_category_is_called_by_its_value() {
        let feature = Feature::new("vip", "vip", Vec::new());
        let spec = FeatureSpec { name: "vip".to_owned(), kind: FeatureKind::Categorical { cardinality: 2 } };
        assert_eq!([0, 1].map(|code| category((&feature, &spec), code)), ["false", "true"]);
    }
}
