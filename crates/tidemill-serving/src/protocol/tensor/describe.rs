//! Describes a model's inputs for error messages.

use tidemill_core::RowShape;
use tidemill_model::BatchBuilder;

/// How many inputs a message lists: a model may have thousands.
const NAMED_MAX: usize = 64;

/// Name, datatype and shape of each input, as `fare FP64 [-1], seconds INT64 [-1], optional: miles FP64 [-1]`.
pub(crate) fn describe_inputs(builder: &BatchBuilder) -> String {
    let inputs = || builder.specs().iter().enumerate();
    let named = |optional: bool| {
        inputs().filter(move |(_, spec)| spec.optional == optional).map(|(index, spec)| {
            let shape = match (spec.form, builder.width(index)) {
                (RowShape::List, _) => "[-1, -1]".to_owned(),
                (_, 1) => "[-1]".to_owned(),
                (_, width) => format!("[-1, {width}]"),
            };
            format!("{} {} {shape}", spec.name, spec.datatype)
        })
    };
    let list = |optional: bool| {
        let mut shown: Vec<String> = named(optional).take(NAMED_MAX).collect();
        let more = named(optional).count() - shown.len();
        if more > 0 {
            shown.push(format!("{more} more"));
        }
        shown.join(", ")
    };
    let (required, optional) = (list(false), list(true));
    match (required.is_empty(), optional.is_empty()) {
        (_, true) => required,
        (true, false) => format!("optional: {optional}"),
        (false, false) => format!("{required}, optional: {optional}"),
    }
}
