//! `Resize` and `Upsample`: interpolation along axes, one after another.

use super::{Kernel, input, optional};
use crate::onnx::attributes::Attributes;
use crate::onnx::value::{Tensor, axis_of, elements};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Nearest,
    Linear,
    Cubic,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Nearest {
    PreferFloor,
    PreferCeil,
    Floor,
    Ceil,
}

/// Where an element of the result lies in the input.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    HalfPixel,
    Symmetric,
    TorchHalfPixel,
    HalfPixelForNearest,
    AlignCorners,
    Asymmetric,
    Crop,
}

struct Resize {
    mode: Mode,
    nearest: Nearest,
    place: Place,
    cubic: f64,
    excludes_outside: bool,
    extrapolation: f64,
    antialias: bool,
    axes: Vec<i64>,
    /// Sizes in proportion: `not_larger` or `not_smaller`.
    policy: String,
}

pub(super) fn compile(name: &str, attributes: Attributes<'_>, opset: i64) -> Result<Option<Kernel>, String> {
    if !matches!(name, "Resize" | "Upsample") {
        return Ok(None);
    }
    let mode = match attributes.text("mode", "nearest")?.as_str() {
        "nearest" => Mode::Nearest,
        "linear" | "bilinear" | "trilinear" => Mode::Linear,
        "cubic" => Mode::Cubic,
        other => return Err(format!("the mode `{other}` is not run by this version")),
    };
    // Before version 11 there was one way only.
    let is_old = name == "Upsample" || opset < 11;
    let place = match attributes.text("coordinate_transformation_mode", "half_pixel")?.as_str() {
        _ if is_old => Place::Asymmetric,
        "half_pixel" => Place::HalfPixel,
        "half_pixel_symmetric" => Place::Symmetric,
        "pytorch_half_pixel" => Place::TorchHalfPixel,
        "tf_half_pixel_for_nn" => Place::HalfPixelForNearest,
        "align_corners" => Place::AlignCorners,
        "asymmetric" => Place::Asymmetric,
        "tf_crop_and_resize" => Place::Crop,
        other => return Err(format!("`coordinate_transformation_mode` is `{other}`")),
    };
    let nearest = match attributes.text("nearest_mode", "round_prefer_floor")?.as_str() {
        _ if is_old => Nearest::Floor,
        "round_prefer_floor" => Nearest::PreferFloor,
        "round_prefer_ceil" => Nearest::PreferCeil,
        "floor" => Nearest::Floor,
        "ceil" => Nearest::Ceil,
        other => return Err(format!("`nearest_mode` is `{other}`")),
    };
    let policy = attributes.text("keep_aspect_ratio_policy", "stretch")?;
    if !matches!(policy.as_str(), "stretch" | "not_larger" | "not_smaller") {
        return Err(format!("`keep_aspect_ratio_policy` is `{policy}`"));
    }
    let resize = Resize {
        mode,
        nearest,
        place,
        cubic: f64::from(attributes.float("cubic_coeff_a", -0.75)),
        excludes_outside: attributes.int("exclude_outside", 0) != 0,
        extrapolation: f64::from(attributes.float("extrapolation_value", 0.0)),
        antialias: attributes.int("antialias", 0) != 0,
        axes: attributes.ints("axes").to_vec(),
        policy,
    };
    let fixed: Vec<f64> = attributes.floats("scales").iter().map(|x| f64::from(*x)).collect();
    if name == "Upsample" && opset < 7 {
        return Err(format!("the form of version {opset} of the operators is not run by this version"));
    }
    Ok(Some(Box::new(move |inputs| {
        let tensor = input(inputs, 0)?;
        let given = |at: usize| optional(inputs, at).filter(|tensor| tensor.data.len() > 0);
        let (roi, scales, sizes) = if is_old { (None, given(1), None) } else { (given(1), given(2), given(3)) };
        let scales = scales.map_or(Ok(fixed.clone()), |scales| scales.floats().map(std::borrow::Cow::into_owned))?;
        let sizes = sizes.map(super::shape::sizes).transpose()?;
        let roi = roi.map(|roi| roi.floats().map(std::borrow::Cow::into_owned)).transpose()?.unwrap_or_default();
        Ok(vec![resize.run(tensor, &roi, &scales, sizes.as_deref())?])
    })))
}

impl Resize {
    fn run(&self, tensor: &Tensor, roi: &[f64], scales: &[f64], sizes: Option<&[usize]>) -> Result<Tensor, String> {
        let rank = tensor.rank();
        let axes: Vec<usize> = if self.axes.is_empty() {
            (0..rank).collect()
        } else {
            self.axes.iter().map(|axis| axis_of(*axis, rank)).collect::<Result<_, _>>()?
        };
        let count = axes.len();
        let fits = sizes.map_or(scales.len() == count, |sizes| sizes.len() == count);
        if !fits || (self.place == Place::Crop && roi.len() != 2 * count) {
            return Err(format!("the sizes, scales or region are not of {count} axes"));
        }
        let ratio = |at: usize, size: usize| size as f64 / tensor.shape[axes[at]] as f64;
        let proportion = sizes.filter(|_| self.policy != "stretch").map(|sizes| {
            let ratios = sizes.iter().enumerate().map(|(at, size)| ratio(at, *size));
            if self.policy == "not_larger" { ratios.fold(f64::INFINITY, f64::min) } else { ratios.fold(0.0, f64::max) }
        });
        let mut values = tensor.floats()?.into_owned();
        let mut shape = tensor.shape.clone();
        for (at, axis) in axes.iter().enumerate() {
            let size = tensor.shape[*axis];
            let (scale, wanted) = match (sizes, proportion) {
                (Some(_), Some(scale)) => (scale, (scale * size as f64 + 0.5).floor() as usize),
                (Some(sizes), None) => (ratio(at, sizes[at]), sizes[at]),
                (None, _) => (scales[at], (scales[at] * size as f64).floor() as usize),
            };
            if !scale.is_finite() || scale <= 0.0 || size == 0 {
                return Err(format!("axis {axis} of size {size} is scaled by {scale}"));
            }
            if wanted == size && scale == 1.0 && self.place != Place::Crop {
                continue;
            }
            let region = if self.place == Place::Crop { (roi[at], roi[at + count]) } else { (0.0, 1.0) };
            let outer: usize = shape[..*axis].iter().product();
            let inner: usize = shape[*axis + 1..].iter().product();
            shape[*axis] = wanted;
            elements(&shape)?;
            let lines: Vec<Option<Vec<(usize, f64)>>> =
                (0..wanted).map(|x| self.weights(x, size, wanted, scale, region)).collect();
            let mut made = vec![self.extrapolation; outer * wanted * inner];
            for block in 0..outer {
                for (x, line) in lines.iter().enumerate() {
                    let Some(line) = line else { continue };
                    let out = &mut made[(block * wanted + x) * inner..][..inner];
                    out.fill(0.0);
                    for (from, weight) in line {
                        let source = &values[(block * size + from) * inner..][..inner];
                        out.iter_mut().zip(source).for_each(|(sum, x)| *sum += x * weight);
                    }
                }
            }
            values = made;
        }
        // What one axis extrapolates stays so, whatever the next ones mix it with.
        if self.place == Place::Crop {
            self.extrapolate(&mut values, tensor, &shape, &axes, roi, scales, sizes);
        }
        if tensor.integers().is_ok() {
            values.iter_mut().for_each(|x| *x = x.round_ties_even());
        }
        tensor.like(shape, values)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one region")]
    fn extrapolate(
        &self,
        values: &mut [f64],
        tensor: &Tensor,
        shape: &[usize],
        axes: &[usize],
        roi: &[f64],
        scales: &[f64],
        sizes: Option<&[usize]>,
    ) {
        for (at, axis) in axes.iter().enumerate() {
            let size = tensor.shape[*axis];
            let scale = sizes.map_or_else(|| scales[at], |sizes| sizes[at] as f64 / size as f64);
            let inner: usize = shape[*axis + 1..].iter().product();
            let outside: Vec<bool> = (0..shape[*axis])
                .map(|x| self.weights(x, size, shape[*axis], scale, (roi[at], roi[at + axes.len()])).is_none())
                .collect();
            for (place, value) in values.iter_mut().enumerate() {
                if outside[place / inner.max(1) % shape[*axis].max(1)] {
                    *value = self.extrapolation;
                }
            }
        }
    }

    /// The elements of a line that make up element `x` of the result, with their weights; `None`: it lies outside.
    fn weights(
        &self,
        x: usize,
        size: usize,
        wanted: usize,
        scale: f64,
        region: (f64, f64),
    ) -> Option<Vec<(usize, f64)>> {
        let (x, width, full) = (x as f64, size as f64, scale * size as f64);
        let half = (x + 0.5) / scale - 0.5;
        let at = match self.place {
            Place::HalfPixel => half,
            Place::Symmetric => width / 2.0 * (1.0 - wanted as f64 / full) + half,
            Place::TorchHalfPixel => {
                if full == 1.0 {
                    -0.5
                } else {
                    half
                }
            }
            Place::HalfPixelForNearest => (x + 0.5) / scale,
            Place::AlignCorners => {
                if full == 1.0 {
                    0.0
                } else {
                    x * (width - 1.0) / (full - 1.0)
                }
            }
            Place::Asymmetric => x / scale,
            Place::Crop => {
                let (start, end) = region;
                let inside = if full == 1.0 {
                    (end - start) * (width - 1.0) / 2.0
                } else {
                    x * (end - start) * (width - 1.0) / (full - 1.0)
                };
                let at = inside + start * (width - 1.0);
                if at < 0.0 || at > width - 1.0 {
                    return None;
                }
                at
            }
        };
        let is_whole = at.fract() == 0.0;
        let below = if is_whole { at - 1.0 } else { at.floor() };
        let ratio = if is_whole { 1.0 } else { at - below };
        let mut weights = self.coefficients(ratio, scale);
        let first = below as i64 + 1 - weights.len() as i64 / 2;
        let inside = |place: i64| (0..size as i64).contains(&place);
        if self.excludes_outside {
            for (place, weight) in (first..).zip(weights.iter_mut()) {
                if !inside(place) {
                    *weight = 0.0;
                }
            }
            let sum: f64 = weights.iter().sum();
            weights.iter_mut().for_each(|weight| *weight /= sum);
        }
        let clamped = |place: i64| place.clamp(0, size as i64 - 1) as usize;
        Some(
            (first..).zip(weights).filter(|(_, weight)| *weight != 0.0).map(|(place, w)| (clamped(place), w)).collect(),
        )
    }

    fn coefficients(&self, ratio: f64, scale: f64) -> Vec<f64> {
        let a = self.cubic;
        match self.mode {
            Mode::Nearest => {
                let upper = match self.nearest {
                    _ if ratio == 1.0 => true,
                    Nearest::PreferFloor => ratio > 0.5,
                    Nearest::PreferCeil => ratio >= 0.5,
                    Nearest::Floor => false,
                    Nearest::Ceil => true,
                };
                vec![f64::from(u8::from(!upper)), f64::from(u8::from(upper))]
            }
            Mode::Linear if self.antialias => spread(1.0, ratio, scale, |x| (1.0 - x.abs()).clamp(0.0, 1.0)),
            Mode::Linear => vec![1.0 - ratio, ratio],
            Mode::Cubic => {
                let weight = |x: f64| {
                    let x = x.abs();
                    if x <= 1.0 {
                        (a + 2.0) * x * x * x - (a + 3.0) * x * x + 1.0
                    } else if x < 2.0 {
                        a * x * x * x - 5.0 * a * x * x + 8.0 * a * x - 4.0 * a
                    } else {
                        0.0
                    }
                };
                if self.antialias {
                    return spread(2.0, ratio, scale, weight);
                }
                [ratio + 1.0, ratio, 1.0 - ratio, 2.0 - ratio].into_iter().map(weight).collect()
            }
        }
    }
}

/// Weights over as many elements as one of a smaller result covers.
fn spread(reach: f64, ratio: f64, scale: f64, weight: impl Fn(f64) -> f64) -> Vec<f64> {
    let scale = scale.min(1.0);
    let start = (-reach / scale).floor() as i64 + 1;
    let weights: Vec<f64> = (start..2 - start).map(|at| weight((at as f64 - ratio) * scale)).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}
