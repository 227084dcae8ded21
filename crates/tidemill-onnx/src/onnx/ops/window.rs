//! Windows that slide over the spatial axes of a tensor.

use crate::onnx::attributes::Attributes;
use crate::onnx::value::elements;

/// How a window slides, as a node declares it.
pub(super) struct Declared {
    pub(super) kernel: Vec<usize>,
    strides: Vec<usize>,
    dilations: Vec<usize>,
    pads: Vec<i64>,
    auto: Auto,
    ceil: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Auto {
    NotSet,
    Valid,
    Upper,
    Lower,
}

/// A window over an input of known size.
pub(super) struct Window {
    pub(super) kernel: Vec<usize>,
    pub(super) strides: Vec<usize>,
    pub(super) dilations: Vec<usize>,
    /// Padding before and after each axis.
    pub(super) before: Vec<i64>,
    pub(super) after: Vec<i64>,
    /// The places of the window along each axis.
    pub(super) places: Vec<usize>,
}

/// A list of sizes in an attribute.
pub(super) fn counts(attributes: Attributes<'_>, name: &str) -> Result<Vec<usize>, String> {
    let count = |x: &i64| usize::try_from(*x).ok().filter(|x| *x > 0).ok_or_else(|| format!("`{name}` has {x}"));
    attributes.ints(name).iter().map(count).collect()
}

pub(super) fn auto_pad(attributes: Attributes<'_>) -> Result<Auto, String> {
    Ok(match attributes.text("auto_pad", "NOTSET")?.as_str() {
        "NOTSET" | "" => Auto::NotSet,
        "VALID" => Auto::Valid,
        "SAME_UPPER" => Auto::Upper,
        "SAME_LOWER" => Auto::Lower,
        other => return Err(format!("`auto_pad` is `{other}`")),
    })
}

/// A value for each axis; one for all is the default.
pub(super) fn each<T: Copy>(values: &[T], axes: usize, default: T, name: &str) -> Result<Vec<T>, String> {
    match values.len() {
        0 => Ok(vec![default; axes]),
        count if count == axes => Ok(values.to_vec()),
        count => Err(format!("`{name}` has {count} values for {axes} axes")),
    }
}

impl Declared {
    pub(super) fn of(attributes: Attributes<'_>) -> Result<Self, String> {
        let kernel = counts(attributes, "kernel_shape")?;
        elements(&kernel)?;
        Ok(Self {
            kernel,
            strides: counts(attributes, "strides")?,
            dilations: counts(attributes, "dilations")?,
            pads: attributes.ints("pads").to_vec(),
            auto: auto_pad(attributes)?,
            ceil: attributes.int("ceil_mode", 0) != 0,
        })
    }

    /// The window over axes of these sizes; `kernel` is its size if the node does not declare it.
    pub(super) fn over(&self, sizes: &[usize], kernel: &[usize]) -> Result<Window, String> {
        let axes = sizes.len();
        let kernel = if self.kernel.is_empty() { kernel.to_vec() } else { self.kernel.clone() };
        if kernel.len() != axes {
            return Err(format!("a window of {} axes over {axes}", kernel.len()));
        }
        let strides = each(&self.strides, axes, 1, "strides")?;
        let dilations = each(&self.dilations, axes, 1, "dilations")?;
        let pads = each(&self.pads, 2 * axes, 0, "pads")?;
        let (mut before, mut after) = (pads[..axes].to_vec(), pads[axes..].to_vec());
        let mut places = Vec::with_capacity(axes);
        for axis in 0..axes {
            let (size, step) = (sizes[axis] as i64, strides[axis] as i64);
            let reach = ((kernel[axis] - 1) as i64).saturating_mul(dilations[axis] as i64).saturating_add(1);
            match self.auto {
                Auto::NotSet => {}
                Auto::Valid => (before[axis], after[axis]) = (0, 0),
                Auto::Upper | Auto::Lower => {
                    let wanted = (size + step - 1) / step;
                    let total = ((wanted - 1) * step + reach - size).max(0);
                    let less = total / 2;
                    let more = total - less;
                    (before[axis], after[axis]) = if self.auto == Auto::Upper { (less, more) } else { (more, less) };
                }
            }
            let room = size.saturating_add(before[axis]).saturating_add(after[axis]).saturating_sub(reach);
            if room < 0 {
                return Err(format!("a window of {reach} does not fit {size} and its padding"));
            }
            let mut count =
                if self.ceil && matches!(self.auto, Auto::NotSet) { (room + step - 1) / step } else { room / step } + 1;
            // A window that would start in the padding after the input is left out.
            if self.ceil && (count - 1) * step >= size + before[axis] {
                count -= 1;
            }
            places.push(count.max(0) as usize);
        }
        elements(&places)?;
        Ok(Window { kernel, strides, dilations, before, after, places })
    }
}

impl Window {
    /// For the window at `place` and the position `within` it, the element of an input of `sizes`; `None` in the padding.
    pub(super) fn at(&self, place: &[usize], within: &[usize], sizes: &[usize]) -> Option<usize> {
        let mut offset = 0;
        for axis in 0..sizes.len() {
            let at =
                (place[axis] * self.strides[axis] + within[axis] * self.dilations[axis]) as i64 - self.before[axis];
            if at < 0 || at >= sizes[axis] as i64 {
                return None;
            }
            offset = offset * sizes[axis] + at as usize;
        }
        Some(offset)
    }
}

/// All places of a shape, row-major.
pub(super) fn grid(shape: &[usize]) -> Vec<Vec<usize>> {
    let count: usize = shape.iter().product();
    let mut places = Vec::with_capacity(count);
    let mut at = vec![0; shape.len()];
    for _ in 0..count {
        places.push(at.clone());
        for axis in (0..shape.len()).rev() {
            at[axis] += 1;
            if at[axis] < shape[axis] {
                break;
            }
            at[axis] = 0;
        }
    }
    places
}
