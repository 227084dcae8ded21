//! `image`: a picture decoded, resized and normalised.

use std::fmt;
use std::io::Cursor;
use std::panic::AssertUnwindSafe;

use arrow::array::{Array, AsArray};
use arrow::datatypes::DataType as ArrowType;
use image::{DynamicImage, ImageReader, Limits};
use serde::{Deserialize, Serialize};

use super::super::mapper::{MapStep, Position};
use super::super::run::{Columns, Decoder, Rows};
use super::super::{Mapper, Stage};

/// A longer side is refused before anything is decoded.
const SIDE_MAX: u32 = 16_384;
/// More pixels are refused before anything is decoded: 6,000 by 4,000 is a photograph of 24 million.
const PIXELS_MAX: u64 = 32_000_000;
/// Bytes a decoder may take, about: pixels of 16 bits in four channels.
const DECODER_BYTES_MAX: u64 = 320 << 20;
/// Numbers of one picture, at most: 128 by 128 in three colours are 49,152.
const VALUES_MAX: u64 = 65_536;

/// The colours that are kept of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channels {
    /// Brightness: (19595 · red + 38470 · green + 7471 · blue + 32768) >> 16, which is ITU-R 601 as Pillow has it.
    Grey,
    /// Red, green, blue.
    Rgb,
}

impl Channels {
    /// How many numbers a pixel has.
    pub const fn count(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb => 3,
        }
    }
}

/// A picture decoded (PNG, JPEG, GIF, BMP, WebP), resized and normalised: a column for each channel of each pixel, in the
/// order of rows of pixels, pixels and channels. A missing picture, and bytes that are not a whole picture within the limits, are
/// missing in every column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// Rows of pixels it is resized to.
    pub height: u32,
    /// Columns of pixels it is resized to.
    pub width: u32,
    /// Which colours.
    pub channels: Channels,
    /// What is taken off each channel, whose values are from 0 to 255; one number for all channels, or one for each.
    pub mean: Vec<f64>,
    /// What each channel is divided by then.
    pub std_dev: Vec<f64>,
}

impl Image {
    /// How many numbers it becomes; why that, or a constant, cannot be.
    fn count(&self) -> Result<u32, String> {
        if self.height == 0 || self.width == 0 {
            return Err("`image` has a side of 0 pixels".to_owned());
        }
        let pixels = u64::from(self.height) * u64::from(self.width);
        let values = pixels * self.channels.count() as u64;
        if values > VALUES_MAX {
            return Err(format!("`image` would give {values} columns, and {VALUES_MAX} are the most"));
        }
        for (name, numbers) in [("mean", &self.mean), ("std_dev", &self.std_dev)] {
            let counts = [1, self.channels.count()];
            if !counts.contains(&numbers.len()) || !numbers.iter().all(|number| number.is_finite()) {
                return Err(format!("`{name}` of `image` is one number, or one for each of {} channels", counts[1]));
            }
        }
        if self.std_dev.iter().any(|number| *number <= 0.0) {
            return Err("`std_dev` of `image` is not above 0".to_owned());
        }
        Ok(values as u32)
    }

    fn values(&self, picture: &DynamicImage) -> Vec<f64> {
        let channels = self.channels.count();
        let (width, height, bytes) = match self.channels {
            Channels::Grey => {
                let (width, height, bytes) = grey(picture);
                (width, height, bytes)
            }
            Channels::Rgb => {
                let rgb = picture.to_rgb8();
                (rgb.width() as usize, rgb.height() as usize, rgb.into_raw())
            }
        };
        let mut values = resize([width, height], channels, &bytes, [self.width as usize, self.height as usize]);
        for pixel in values.chunks_exact_mut(channels) {
            for (channel, value) in pixel.iter_mut().enumerate() {
                let of = |numbers: &[f64]| numbers[channel.min(numbers.len() - 1)];
                *value = (*value - of(&self.mean)) / of(&self.std_dev);
            }
        }
        values
    }
}

impl MapStep for Image {
    fn name(&self) -> &'static str {
        "image"
    }

    fn output(&self, stage: Stage) -> Result<Stage, String> {
        self.count()?;
        self.only(Stage::Binary, stage, Stage::Columns)
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " of {} × {} × {}", self.height, self.width, self.channels.count())
    }

    fn columns(&self, feature: &str, _: &[Mapper], _: Stage) -> Option<Vec<String>> {
        Some((0..self.count().ok()?).map(|at| format!("{feature}.{at}")).collect())
    }

    fn reads_raw(&self, _: bool) -> bool {
        true
    }

    fn decoder(&self, _: &Position<'_>) -> Option<(Box<dyn Decoder>, usize)> {
        Some((Box::new(self.clone()), 1))
    }
}

impl Decoder for Image {
    fn run(&self, rows: &Rows<'_>, out: &mut Columns<'_>) -> bool {
        let Some(column) = rows.raw else { return false };
        let bytes = |row: usize| match column.data_type() {
            _ if column.is_null(row) => None,
            ArrowType::Binary => Some(column.as_binary::<i32>().value(row)),
            ArrowType::Utf8 => Some(column.as_string::<i32>().value(row).as_bytes()),
            _ => None,
        };
        if !matches!(column.data_type(), ArrowType::Binary | ArrowType::Utf8 | ArrowType::Null) {
            return false;
        }
        for row in 0..column.len() {
            let values = bytes(row).and_then(|bytes| decode(bytes).ok()).map(|picture| self.values(&picture));
            let value = |at: usize| values.as_ref().and_then(|values| values.get(at)).copied().unwrap_or(f64::NAN);
            out.main[row] = value(0);
            for (at, other) in out.others.iter_mut().enumerate() {
                other[row] = value(at + 1);
            }
        }
        true
    }
}

/// Whether the head of `bytes` says that this is a picture of a known format and within the limits; why not.
pub(crate) fn check_picture(bytes: &[u8]) -> Result<(), String> {
    head(bytes).map(drop)
}

fn head(bytes: &[u8]) -> Result<ImageReader<Cursor<&[u8]>>, String> {
    let reader = |bytes| ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|error| error.to_string());
    let first = reader(bytes)?;
    if first.format().is_none() {
        return Err("not a PNG, JPEG, GIF, BMP or WebP image".to_owned());
    }
    let (width, height) = guarded(|| first.into_dimensions().map_err(|error| error.to_string()))?;
    if width == 0 || height == 0 {
        return Err("it has no pixels".to_owned());
    }
    if width.max(height) > SIDE_MAX || u64::from(width) * u64::from(height) > PIXELS_MAX {
        return Err(format!(
            "it has {width} by {height} pixels, and {SIDE_MAX} on a side and {PIXELS_MAX} in all are the most"
        ));
    }
    let mut reader = reader(bytes)?;
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(SIDE_MAX), Some(SIDE_MAX));
    limits.max_alloc = Some(DECODER_BYTES_MAX);
    reader.limits(limits);
    Ok(reader)
}

fn decode(bytes: &[u8]) -> Result<DynamicImage, String> {
    let reader = head(bytes)?;
    guarded(|| reader.decode().map_err(|error| error.to_string()))
}

/// Runs a decoder, which may panic on damaged bytes instead of giving an error.
fn guarded<T>(decode: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    std::panic::catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err("its bytes contradict each other".to_owned()))
}

/// Width, height and the brightness of each pixel.
fn grey(picture: &DynamicImage) -> (usize, usize, Vec<u8>) {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    if let DynamicImage::ImageLuma8(luma) = picture {
        return (width, height, luma.as_raw().clone());
    }
    let brightness = |pixel: &[u8]| {
        let [red, green, blue] = [0, 1, 2].map(|at| u32::from(pixel[at]));
        ((19_595 * red + 38_470 * green + 7_471 * blue + 32_768) >> 16) as u8
    };
    (width, height, picture.to_rgb8().as_raw().chunks_exact(3).map(brightness).collect())
}

/// Pixels resized with a triangle that is as wide as a pixel of the result, or of the source where that is wider: across,
/// then down.
///
/// With s = source / result, the number at i is Σ w(x) · source(x) / Σ w(x), w(x) = max(0, 1 − |x + ½ − (i + ½) · s| /
/// max(s, 1)). Enlarging, that is bilinear interpolation between centres of pixels (`tf.image.resize`); reducing, every
/// pixel of the source counts (Pillow's `BILINEAR`, `tf.image.resize` with `antialias`). Nothing is rounded.
fn resize(from: [usize; 2], channels: usize, bytes: &[u8], to: [usize; 2]) -> Vec<f64> {
    let ([width, height], [to_width, to_height]) = (from, to);
    let (across, down) = (weights(width, to_width), weights(height, to_height));
    let mut rows = vec![0.0; to_width * height * channels];
    for (line, row) in bytes.chunks_exact(width * channels).zip(rows.chunks_exact_mut(to_width * channels)) {
        for ((first, weights), pixel) in across.iter().zip(row.chunks_exact_mut(channels)) {
            for (source, weight) in line[first * channels..].chunks_exact(channels).zip(weights) {
                for (sum, value) in pixel.iter_mut().zip(source) {
                    *sum += weight * f64::from(*value);
                }
            }
        }
    }
    let line = to_width * channels;
    let mut out = vec![0.0; line * to_height];
    for ((first, weights), row) in down.iter().zip(out.chunks_exact_mut(line)) {
        for (source, weight) in rows[first * line..].chunks_exact(line).zip(weights) {
            for (sum, value) in row.iter_mut().zip(source) {
                *sum += weight * value;
            }
        }
    }
    out
}

/// For each place of the result the first place of the source that counts, and the weights from there on.
fn weights(from: usize, to: usize) -> Vec<(usize, Vec<f64>)> {
    let scale = from as f64 / to as f64;
    let reach = scale.max(1.0);
    let place = |at: usize| {
        let centre = (at as f64 + 0.5) * scale;
        let first = (centre - reach - 0.5).floor().max(0.0) as usize;
        let last = ((centre + reach + 0.5).ceil() as usize).min(from);
        let weight = |x: usize| (1.0 - ((x as f64 + 0.5 - centre) / reach).abs()).max(0.0);
        let weights: Vec<f64> = (first..last).map(weight).collect();
        let sum: f64 = weights.iter().sum();
        (first, weights.into_iter().map(|weight| weight / sum).collect())
    };
    (0..to).map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_enlarged_between_centres_and_reduced_over_all_pixels() {
        // By the formula: 4 from 2 has weights ¼ and ¾ inside, the edge pixel alone outside.
        assert_eq!(resize([2, 1], 1, &[0, 100], [4, 1]), [0.0, 25.0, 75.0, 100.0]);
        // 2 from 4: centres 1 and 3, a triangle of half-width 2: weights ¾, ¾, ¼ of the nearest three.
        for (got, expected) in resize([4, 1], 1, &[0, 10, 20, 30], [2, 1]).iter().zip([12.5 / 1.75, 40.0 / 1.75]) {
            assert!((got - expected).abs() < 1e-12, "{got} is not {expected}");
        }
        assert_eq!(resize([3, 2], 1, &[1, 2, 3, 4, 5, 6], [3, 2]), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    }
}
