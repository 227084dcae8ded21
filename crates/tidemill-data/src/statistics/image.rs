//! What is known of bytes that are pictures, without decoding them.

use std::collections::BTreeMap;
use std::io::Cursor;

use image::{ImageFormat, ImageReader};
use tidemill_core::{Extent, ImageStatistics, ValueFrequency};

use super::numeric::NumericAccumulator;

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
