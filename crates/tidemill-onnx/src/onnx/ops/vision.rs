//! Samples of planes, and boxes in them.

use super::{Kernel, input, optional};
use crate::onnx::attributes::Attributes;
use crate::onnx::value::{Data, Tensor, elements};

pub(super) fn compile(name: &str, attributes: Attributes<'_>) -> Result<Option<Kernel>, String> {
    Ok(Some(match name {
        "GridSample" => {
            let sample = GridSample::of(attributes)?;
            Box::new(move |inputs| sample.run(input(inputs, 0)?, input(inputs, 1)?))
        }
        "AffineGrid" => {
            let corners = attributes.int("align_corners", 0) != 0;
            Box::new(move |inputs| affine(input(inputs, 0)?, input(inputs, 1)?, corners))
        }
        "RoiAlign" => regions(attributes)?,
        "NonMaxSuppression" => {
            let centers = attributes.int("center_point_box", 0) != 0;
            Box::new(move |inputs| suppress(inputs, centers))
        }
        _ => return Ok(None),
    }))
}

/// The value between four elements of a plane; what lies outside counts as 0.
pub(super) fn bilinear(plane: &[f64], height: usize, width: usize, y: f64, x: f64) -> f64 {
    let (top, left) = (y.floor(), x.floor());
    let mut sum = 0.0;
    for (row, weight_y) in [(top, 1.0 - (y - top)), (top + 1.0, y - top)] {
        for (column, weight_x) in [(left, 1.0 - (x - left)), (left + 1.0, x - left)] {
            let inside = row >= 0.0 && column >= 0.0 && row < height as f64 && column < width as f64;
            if inside && weight_x * weight_y != 0.0 {
                sum += plane[row as usize * width + column as usize] * weight_x * weight_y;
            }
        }
    }
    sum
}

struct GridSample {
    mode: String,
    padding: String,
    corners: bool,
}

impl GridSample {
    fn of(attributes: Attributes<'_>) -> Result<Self, String> {
        let mode = match attributes.text("mode", "linear")?.as_str() {
            "bilinear" | "linear" => "linear",
            "bicubic" | "cubic" => "cubic",
            "nearest" => "nearest",
            other => return Err(format!("the mode `{other}` is not run by this version")),
        };
        let padding = attributes.text("padding_mode", "zeros")?;
        if !matches!(padding.as_str(), "zeros" | "border" | "reflection") {
            return Err(format!("`padding_mode` is `{padding}`"));
        }
        Ok(Self { mode: mode.to_owned(), padding, corners: attributes.int("align_corners", 0) != 0 })
    }

    fn run(&self, x: &Tensor, grid: &Tensor) -> Result<Vec<Tensor>, String> {
        let ([batch, channels, sizes @ ..], [rows, places @ .., axes]) = (&x.shape[..], &grid.shape[..]) else {
            return Err(format!("shapes {:?} and {:?} are not sampled", x.shape, grid.shape));
        };
        let (batch, channels) = (*batch, *channels);
        if *rows != batch || *axes != sizes.len() || sizes.contains(&0) {
            return Err(format!("a grid of shape {:?} does not fit {:?}", grid.shape, x.shape));
        }
        let mut shape = vec![batch, channels];
        shape.extend_from_slice(places);
        let (count, plane): (usize, usize) = (places.iter().product(), sizes.iter().product());
        let mut made = vec![0.0; elements(&shape)?];
        let (values, grid) = (x.floats()?, grid.floats()?);
        for row in 0..batch {
            for at in 0..count {
                let point = &grid[(row * count + at) * axes..][..*axes];
                // The grid names the last axis first.
                let place: Vec<f64> =
                    sizes.iter().zip(point.iter().rev()).map(|(size, at)| self.denormalised(*at, *size)).collect();
                let taps = self.taps(&place, sizes);
                for channel in 0..channels {
                    let own = &values[(row * channels + channel) * plane..][..plane];
                    made[(row * channels + channel) * count + at] =
                        taps.iter().map(|(from, weight)| own[*from] * weight).sum();
                }
            }
        }
        Ok(vec![x.like(shape, made)?])
    }

    fn denormalised(&self, at: f64, size: usize) -> f64 {
        let size = size as f64;
        let at = if self.corners { f64::midpoint(at, 1.0) * (size - 1.0) } else { ((at + 1.0) * size - 1.0) / 2.0 };
        f64::from(at as f32)
    }

    /// The elements of a plane that make up the value at a place, with their weights.
    fn taps(&self, place: &[f64], sizes: &[usize]) -> Vec<(usize, f64)> {
        let mut taps = vec![(0, 1.0)];
        for (at, size) in place.iter().zip(sizes) {
            let at =
                if self.mode == "nearest" { self.inside(at.round_ties_even(), *size) } else { self.inside(*at, *size) };
            let base = at.floor();
            let lines: Vec<(f64, f64)> = match self.mode.as_str() {
                "nearest" => vec![(at.round_ties_even(), 1.0)],
                "linear" => vec![(base, 1.0 - (at - base)), (base + 1.0, at - base)],
                _ => {
                    let a = -0.75;
                    let weight = |x: f64| {
                        let x = x.abs();
                        if x <= 1.0 {
                            ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
                        } else {
                            ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a
                        }
                    };
                    (-1..3).map(|step| (base + f64::from(step), weight(at - base - f64::from(step)))).collect()
                }
            };
            let found = |line: f64| -> Option<usize> {
                match self.padding.as_str() {
                    "zeros" => (line >= 0.0 && line < *size as f64).then_some(line as usize),
                    "border" => Some(line.clamp(0.0, *size as f64 - 1.0) as usize),
                    _ => Some((self.reflected(line, *size).clamp(0.0, *size as f64 - 1.0)) as usize),
                }
            };
            let lines: Vec<(usize, f64)> =
                lines.into_iter().filter_map(|(line, weight)| Some((found(line)?, weight))).collect();
            taps = taps
                .iter()
                .flat_map(|(offset, weight)| lines.iter().map(move |(line, own)| (offset * size + line, weight * own)))
                .collect();
        }
        taps
    }

    /// The place itself, or one within the plane as the padding says.
    fn inside(&self, at: f64, size: usize) -> f64 {
        let (least, largest) = if self.corners { (0.0, size as f64 - 1.0) } else { (-0.5, size as f64 - 0.5) };
        if at >= least && at <= largest {
            return at;
        }
        match self.padding.as_str() {
            "border" => at.clamp(0.0, size as f64 - 1.0),
            "reflection" => self.reflected(at, size),
            _ => at,
        }
    }

    fn reflected(&self, at: f64, size: usize) -> f64 {
        let (least, largest) = if self.corners { (0.0, size as f64 - 1.0) } else { (-0.5, size as f64 - 0.5) };
        let range = largest - least;
        if range <= 0.0 || (at >= least && at <= largest) || !at.is_finite() {
            return if at.is_finite() { at.clamp(least, largest) } else { least };
        }
        let distance = (at - least).rem_euclid(2.0 * range);
        least + distance.min(2.0 * range - distance)
    }
}

fn affine(theta: &Tensor, size: &Tensor, corners: bool) -> Result<Vec<Tensor>, String> {
    let sizes = super::shape::sizes(size)?;
    let plane =
        sizes.get(2..).filter(|plane| matches!(plane.len(), 2 | 3)).ok_or("a size of four or five axes is expected")?;
    let axes = plane.len();
    let &[batch, rows, columns] = &theta.shape[..] else { return Err("three axes are expected".to_owned()) };
    if rows != axes || columns != axes + 1 {
        return Err(format!("matrices of shape {:?} do not fit {axes} axes", theta.shape));
    }
    let mut shape = vec![batch];
    shape.extend_from_slice(plane);
    shape.push(axes);
    let values = theta.floats()?;
    let mut made = Vec::with_capacity(elements(&shape)?);
    for row in 0..batch {
        for place in super::window::grid(plane) {
            // The last axis of the plane comes first in the grid.
            let mut point: Vec<f64> = place
                .iter()
                .zip(plane)
                .rev()
                .map(|(at, size)| {
                    let (at, size) = (*at as f64, *size as f64);
                    if corners {
                        if size > 1.0 { 2.0 * at / (size - 1.0) - 1.0 } else { 0.0 }
                    } else {
                        (2.0 * at + 1.0) / size - 1.0
                    }
                })
                .collect();
            point.push(1.0);
            for line in 0..axes {
                let weights = &values[(row * axes + line) * (axes + 1)..][..=axes];
                made.push(weights.iter().zip(&point).map(|(weight, x)| weight * x).sum());
            }
        }
    }
    Ok(vec![theta.like(shape, made)?])
}

fn regions(attributes: Attributes<'_>) -> Result<Kernel, String> {
    let size = |name: &str| {
        usize::try_from(attributes.int(name, 1)).ok().filter(|x| *x > 0).ok_or_else(|| format!("`{name}`"))
    };
    let (out_h, out_w) = (size("output_height")?, size("output_width")?);
    let ratio = attributes.int("sampling_ratio", 0);
    let scale = f64::from(attributes.float("spatial_scale", 1.0));
    let largest = match attributes.text("mode", "avg")?.as_str() {
        "avg" => false,
        "max" => true,
        other => return Err(format!("the mode `{other}` is not run by this version")),
    };
    let half = match attributes.text("coordinate_transformation_mode", "half_pixel")?.as_str() {
        "half_pixel" => true,
        "output_half_pixel" => false,
        other => return Err(format!("`coordinate_transformation_mode` is `{other}`")),
    };
    Ok(Box::new(move |inputs| {
        let (x, rois, rows) = (input(inputs, 0)?, input(inputs, 1)?, super::shape::sizes(input(inputs, 2)?)?);
        let &[batch, channels, height, width] = &x.shape[..] else { return Err("four axes are expected".to_owned()) };
        if rois.shape != [rows.len(), 4] || rows.iter().any(|row| *row >= batch) || height == 0 || width == 0 {
            return Err(format!("regions of shape {:?} do not fit {:?}", rois.shape, x.shape));
        }
        let shape = vec![rows.len(), channels, out_h, out_w];
        let mut made = vec![0.0; elements(&shape)?];
        let (values, rois) = (x.floats()?, rois.floats()?);
        for (region, row) in rows.iter().enumerate() {
            let offset = if half { 0.5 } else { 0.0 };
            let [left, top, right, bottom] = [0, 1, 2, 3].map(|at: usize| rois[region * 4 + at] * scale - offset);
            let (mut wide, mut high) = (right - left, bottom - top);
            if !half {
                (wide, high) = (wide.max(1.0), high.max(1.0));
            }
            let (bin_h, bin_w) = (high / out_h as f64, wide / out_w as f64);
            let count = |bin: f64| if ratio > 0 { ratio as usize } else { bin.ceil().max(0.0) as usize };
            let (grid_h, grid_w) = (count(bin_h), count(bin_w));
            elements(&[grid_h, grid_w, out_h, out_w])?;
            for place in 0..out_h * out_w {
                let (ph, pw) = (place / out_w, place % out_w);
                // The four elements around each sample, with their weights.
                let mut samples = Vec::with_capacity(grid_h * grid_w);
                for sample in 0..grid_h * grid_w {
                    let (iy, ix) = ((sample / grid_w) as f64, (sample % grid_w) as f64);
                    let y = top + ph as f64 * bin_h + (iy + 0.5) * bin_h / grid_h as f64;
                    let x = left + pw as f64 * bin_w + (ix + 0.5) * bin_w / grid_w as f64;
                    if y < -1.0 || y > height as f64 || x < -1.0 || x > width as f64 {
                        samples.push([(0, 0.0); 4]);
                        continue;
                    }
                    let axis = |at: f64, size: usize| {
                        let low = at.max(0.0) as usize;
                        if low + 1 >= size {
                            (size - 1, size - 1, 0.0)
                        } else {
                            (low, low + 1, at.max(0.0) - low as f64)
                        }
                    };
                    let ((y0, y1, ly), (x0, x1, lx)) = (axis(y, height), axis(x, width));
                    samples.push([
                        (y0 * width + x0, (1.0 - ly) * (1.0 - lx)),
                        (y0 * width + x1, (1.0 - ly) * lx),
                        (y1 * width + x0, ly * (1.0 - lx)),
                        (y1 * width + x1, ly * lx),
                    ]);
                }
                for channel in 0..channels {
                    let plane = &values[(row * channels + channel) * height * width..][..height * width];
                    let parts = |sample: &[(usize, f64); 4]| sample.map(|(from, weight)| plane[from] * weight);
                    let value = if largest {
                        samples.iter().flat_map(parts).fold(f64::NEG_INFINITY, f64::max)
                    } else {
                        samples.iter().flat_map(parts).sum::<f64>() / samples.len().max(1) as f64
                    };
                    made[(region * channels + channel) * out_h * out_w + place] =
                        if samples.is_empty() { 0.0 } else { value };
                }
            }
        }
        Ok(vec![x.like(shape, made)?])
    }))
}

/// The corners of a box, and its area.
fn corners(boxes: &[f64], centers: bool) -> ([f64; 4], f64) {
    let [a, b, c, d] = [boxes[0], boxes[1], boxes[2], boxes[3]];
    let [top, left, bottom, right] = if centers {
        [b - d / 2.0, a - c / 2.0, b + d / 2.0, a + c / 2.0]
    } else {
        [a.min(c), b.min(d), a.max(c), b.max(d)]
    };
    ([top, left, bottom, right], (bottom - top) * (right - left))
}

fn suppress(inputs: &[Option<&Tensor>], centers: bool) -> Result<Vec<Tensor>, String> {
    let (boxes, scores) = (input(inputs, 0)?, input(inputs, 1)?);
    let number =
        |at: usize| optional(inputs, at).filter(|tensor| tensor.data.len() > 0).map(Tensor::number).transpose();
    let most = number(2)?.unwrap_or(0.0).max(0.0) as usize;
    let (overlap, least) = (number(3)?.unwrap_or(0.0), number(4)?);
    let (&[batch, count, 4], &[_, classes, _]) = (&boxes.shape[..], &scores.shape[..]) else {
        return Err(format!("boxes of shape {:?} and scores of {:?}", boxes.shape, scores.shape));
    };
    if scores.shape != [batch, classes, count] {
        return Err(format!("boxes of shape {:?} and scores of {:?}", boxes.shape, scores.shape));
    }
    let (places, values) = (boxes.floats()?, scores.floats()?);
    let mut kept = Vec::new();
    for row in 0..batch {
        for class in 0..classes {
            let own = &values[(row * classes + class) * count..][..count];
            let mut order: Vec<usize> = (0..count).filter(|at| least.is_none_or(|least| own[*at] > least)).collect();
            order.sort_by(|a, b| own[*b].total_cmp(&own[*a]).then(a.cmp(b)));
            let mut chosen: Vec<usize> = Vec::new();
            for at in order {
                if chosen.len() >= most {
                    break;
                }
                let of = |at: usize| corners(&places[(row * count + at) * 4..][..4], centers);
                let (own, area) = of(at);
                let covers = |other: &usize| {
                    let (other, other_area) = of(*other);
                    let high = own[2].min(other[2]) - own[0].max(other[0]);
                    let wide = own[3].min(other[3]) - own[1].max(other[1]);
                    let both = if high > 0.0 && wide > 0.0 { high * wide } else { 0.0 };
                    both > 0.0 && area > 0.0 && other_area > 0.0 && both / (area + other_area - both) > overlap
                };
                if !chosen.iter().any(covers) {
                    chosen.push(at);
                    kept.extend([row as i64, class as i64, at as i64]);
                }
            }
        }
    }
    Ok(vec![Tensor::new(vec![kept.len() / 3, 3], Data::Int(kept))?])
}
