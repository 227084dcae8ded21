//! Broadcasting of shapes, as in `NumPy`.

use crate::onnx::value::elements;

/// The common shape of both.
pub(super) fn joint_shape(a: &[usize], b: &[usize]) -> Result<Vec<usize>, String> {
    let rank = a.len().max(b.len());
    let size = |shape: &[usize], at: usize| {
        let missing = rank - shape.len();
        if at < missing { 1 } else { shape[at - missing] }
    };
    let mut joint = Vec::with_capacity(rank);
    for at in 0..rank {
        joint.push(match (size(a, at), size(b, at)) {
            (a, b) if a == b => a,
            (1, b) => b,
            (a, 1) => a,
            _ => return Err(format!("shapes {a:?} and {b:?} do not fit each other")),
        });
    }
    elements(&joint)?;
    Ok(joint)
}

/// For each element of `to`, the corresponding element of a tensor of shape `from`. `None`: the same one.
pub(super) fn broadcast_indices(from: &[usize], to: &[usize]) -> Option<Vec<usize>> {
    if from == to {
        return None;
    }
    let missing = to.len() - from.len();
    // The distance to the next element along each axis; 0 along a broadcast one.
    let mut strides = vec![0; to.len()];
    let mut stride = 1;
    for at in (0..from.len()).rev() {
        strides[at + missing] = if from[at] == 1 { 0 } else { stride };
        stride *= from[at];
    }
    Some(walk(to, &strides))
}

/// The offsets of all elements of `shape`, row-major, by `strides`.
pub(super) fn walk(shape: &[usize], strides: &[usize]) -> Vec<usize> {
    let count = shape.iter().product();
    let mut indices = Vec::with_capacity(count);
    let mut at = vec![0; shape.len()];
    let mut offset = 0;
    for _ in 0..count {
        indices.push(offset);
        for axis in (0..shape.len()).rev() {
            at[axis] += 1;
            offset += strides[axis];
            if at[axis] < shape[axis] {
                break;
            }
            offset -= strides[axis] * shape[axis];
            at[axis] = 0;
        }
    }
    indices
}

/// `combine` of each pair of elements.
pub(super) fn pairs<A: Clone, B: Clone, R>(
    (a, a_shape): (&[A], &[usize]),
    (b, b_shape): (&[B], &[usize]),
    shape: &[usize],
    combine: impl Fn(&A, &B) -> R,
) -> Vec<R> {
    let count = shape.iter().product();
    match (broadcast_indices(a_shape, shape), broadcast_indices(b_shape, shape)) {
        (None, None) => a.iter().zip(b).map(|(a, b)| combine(a, b)).collect(),
        (None, Some(_)) if b.len() == 1 => a.iter().map(|a| combine(a, &b[0])).collect(),
        (Some(_), None) if a.len() == 1 => b.iter().map(|b| combine(&a[0], b)).collect(),
        (left, right) => {
            let pick = |map: &Option<Vec<usize>>, at: usize| map.as_ref().map_or(at, |map| map[at]);
            (0..count).map(|at| combine(&a[pick(&left, at)], &b[pick(&right, at)])).collect()
        }
    }
}
