//! What is known of bytes that are pictures, without decoding them.

use std::collections::BTreeMap;
use std::io::Cursor;

use image::{ImageFormat, ImageReader};
use tidemill_core::{Extent, ImageStatistics, ValueFrequency};

use super::numeric::NumericAccumulator;
use super::state::{COUNT_MAX, Input, StateError, Stored, stored, text, word};

/// Accumulates the formats and sizes of pictures, from the headers of their files.
#[derive(Debug, Clone, Default)]
pub(crate) struct ImageAccumulator {
    formats: BTreeMap<&'static str, u64>,
    unreadable: u64,
    width: Side,
    height: Side,
}

/// Pixels along one side. The sum is of whole numbers, so that it does not depend on the order.
#[derive(Debug, Clone, Default)]
struct Side {
    sum: u128,
    count: u64,
    sizes: NumericAccumulator,
}

stored!(ImageAccumulator { formats, unreadable, width, height });

/// Formats by name.
impl Stored for BTreeMap<&'static str, u64> {
    fn store(&self, out: &mut Vec<u8>) {
        (self.len() as u64).store(out);
        for (format, count) in self {
            text(format, out);
            count.store(out);
        }
    }

    fn load(input: &mut Input<'_>) -> Result<Self, StateError> {
        let length = input.length()?;
        let mut formats = Self::new();
        for _ in 0..length {
            let format = String::load(input)?;
            let known = FORMATS.into_iter().find(|known| *known == format);
            let known = known.ok_or_else(|| input.wrong("a format of pictures is unknown"))?;
            formats.insert(known, u64::load(input)?);
        }
        Ok(formats)
    }
}

impl Stored for Side {
    fn store(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&((self.sum >> 64) as u64).to_le_bytes());
        out.extend_from_slice(&(self.sum as u64).to_le_bytes());
        self.count.store(out);
        self.sizes.store(out);
    }

    fn load(input: &mut Input<'_>) -> Result<Self, StateError> {
        let sum = u128::from(word(input)?) << 64 | u128::from(word(input)?);
        let most = u128::from(COUNT_MAX) * u128::from(u32::MAX);
        input.expect(sum <= most, "a sum of pixels is too large")?;
        Ok(Self { sum, count: Stored::load(input)?, sizes: Stored::load(input)? })
    }
}

impl ImageAccumulator {
    /// Takes in `bytes` if they begin as a picture does.
    pub fn add(&mut self, bytes: &[u8]) {
        let Ok(format) = image::guess_format(bytes) else { return };
        *self.formats.entry(name(format)).or_default() += 1;
        match ImageReader::with_format(Cursor::new(bytes), format).into_dimensions() {
            Ok((width, height)) => {
                self.width.add(width);
                self.height.add(height);
            }
            Err(_) => self.unreadable += 1,
        }
    }

    /// Takes in what another accumulator has seen.
    pub fn merge(&mut self, other: &Self) {
        for (format, count) in &other.formats {
            *self.formats.entry(format).or_default() += count;
        }
        self.unreadable += other.unreadable;
        self.width.merge(&other.width);
        self.height.merge(&other.height);
    }

    /// Bytes held.
    pub fn memory(&self) -> usize {
        self.width.sizes.memory() + self.height.sizes.memory()
    }

    /// The statistics, where there was any picture.
    pub fn finish(&self) -> Option<ImageStatistics> {
        if self.formats.is_empty() {
            return None;
        }
        let listed = |(format, count): (&&str, &u64)| ValueFrequency { value: (*format).to_owned(), frequency: *count };
        let mut formats: Vec<ValueFrequency> = self.formats.iter().map(listed).collect();
        formats.sort_by_key(|format| std::cmp::Reverse(format.frequency));
        Some(ImageStatistics {
            num_images: self.formats.values().sum(),
            num_unreadable: self.unreadable,
            formats,
            width: self.width.finish(),
            height: self.height.finish(),
        })
    }
}

impl Side {
    fn add(&mut self, pixels: u32) {
        self.sum += u128::from(pixels);
        self.count += 1;
        self.sizes.add(f64::from(pixels), 1);
    }

    fn merge(&mut self, other: &Self) {
        self.sum += other.sum;
        self.count += other.count;
        self.sizes.merge(&other.sizes);
    }

    fn finish(&self) -> Extent {
        let sizes = self.sizes.finish();
        let mean = if self.count == 0 { 0.0 } else { self.sum as f64 / self.count as f64 };
        Extent { min: sizes.min, mean, max: sizes.max, quantiles: sizes.quantiles }
    }
}

/// All that [`name`] gives.
const FORMATS: [&str; 9] = ["png", "jpeg", "gif", "webp", "bmp", "tiff", "avif", "ico", "other"];

/// What the format is called; those beyond the ones read here are told by their first bytes only.
fn name(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Png => "png",
        ImageFormat::Jpeg => "jpeg",
        ImageFormat::Gif => "gif",
        ImageFormat::WebP => "webp",
        ImageFormat::Bmp => "bmp",
        ImageFormat::Tiff => "tiff",
        ImageFormat::Avif => "avif",
        ImageFormat::Ico => "ico",
        _ => "other",
    }
}
