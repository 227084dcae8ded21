//! `TopK`: the largest or smallest elements along an axis.

use super::transform::reordered;
use super::{Kernel, input};
use crate::onnx::attributes::Attributes;
use crate::onnx::value::{Data, Tensor, axis_of, datatype};

/// Compiles `TopK`. Of equal elements the one with the lower index comes first; results are sorted in any case.
pub(super) fn compile(name: &str, attributes: Attributes<'_>, opset: i64) -> Option<Kernel> {
    if name != "TopK" {
        return None;
    }
    let (axis, largest) = (attributes.int("axis", -1), attributes.int("largest", 1) != 0);
    let fixed = (opset < 10).then(|| attributes.int("k", 0));
    Some(Box::new(move |inputs| {
        let wanted = match fixed {
            Some(count) => count,
            None => *input(inputs, 1)?.integers()?.first().ok_or("the number of elements is not given")?,
        };
        top(input(inputs, 0)?, axis, wanted, largest)
    }))
}

fn top(tensor: &Tensor, axis: i64, wanted: i64, largest: bool) -> Result<Vec<Tensor>, String> {
    let rank = tensor.rank();
    let axis = axis_of(axis, rank)?;
    let size = tensor.shape[axis];
    let count = usize::try_from(wanted).ok().filter(|count| *count <= size);
    let count = count.ok_or_else(|| format!("the {wanted} first of {size} elements are wanted"))?;
    // The axis is moved to the end and back.
    let order: Vec<usize> = (0..rank).filter(|at| *at != axis).chain([axis]).collect();
    let mut back = vec![0; rank];
    order.iter().enumerate().for_each(|(to, from)| back[*from] = to);
    let source = reordered(tensor, &order)?;
    let values = source.floats()?;
    let (mut found, mut indices) = (Vec::new(), Vec::new());
    for (line, values) in values.chunks(size.max(1)).enumerate() {
        let mut places: Vec<usize> = (0..values.len()).collect();
        let by_value = |a: &usize, b: &usize| {
            let order = values[*a].total_cmp(&values[*b]);
            if largest { order.reverse() } else { order }.then(a.cmp(b))
        };
        if count < places.len() && count > 0 {
            places.select_nth_unstable_by(count - 1, by_value);
        }
        places.truncate(count);
        places.sort_unstable_by(by_value);
        found.extend(places.iter().map(|place| line * size + place));
        indices.extend(places.iter().map(|place| *place as i64));
    }
    let mut shape: Vec<usize> = order.iter().map(|at| tensor.shape[*at]).collect();
    shape[rank - 1] = count;
    let outputs = [source.data.take(&found), Data::Int(indices)];
    let mut made = Vec::with_capacity(2);
    for (data, element) in outputs.into_iter().zip([tensor.element(), datatype::INT64]) {
        made.push(reordered(&Tensor::new(shape.clone(), data)?, &back)?.of_element(element));
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equals_is_taken_along_any_axis() {
        let values = vec![3.0, 1.0, 2.0, 1.0, 5.0, 5.0, 0.0, 5.0];
        let tensor = Tensor::new(vec![2, 4], Data::F64(values)).unwrap();
        let numbers = |tensor: &Tensor| tensor.floats().unwrap().to_vec();
        let found = top(&tensor, 1, 2, false).unwrap();
        assert_eq!((numbers(&found[0]), found[1].integers().unwrap()), (vec![1.0, 1.0, 0.0, 5.0], &[1, 3, 2, 0][..]));
        let found = top(&tensor, -1, 2, true).unwrap();
        assert_eq!(found[1].integers().unwrap(), [0, 2, 0, 1]);
        let found = top(&tensor, 0, 1, true).unwrap();
        assert_eq!((found[0].shape.clone(), found[1].integers().unwrap()), (vec![1, 4], &[1, 1, 0, 1][..]));
        assert_eq!(numbers(&found[0]), [5.0, 5.0, 2.0, 5.0]);
        assert!(top(&tensor, 1, 5, true).is_err() && top(&tensor, 1, -1, true).is_err());
    }
}
