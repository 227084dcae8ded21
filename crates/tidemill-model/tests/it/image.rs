//! Pictures into numbers, against Pillow.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, RecordBatch};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tidemill_core::{DataType, RowShape, TensorSpec};
use tidemill_model::{Feature, FeatureBlock, Mapper, TransformGraph, steps, steps::Channels};

/// 7 by 5 pixels; red (37x + 53y) % 256, green (11x² + 29y) % 256, blue (91x + 17y²) % 256.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAcAAAAFCAIAAAAG+GGPAAAAUUlEQVR4nFXCsQ2AMBAEQSM5+8gFXECwFVgvqiD86EKKsGiTiggRo9laa4TZzWFOc5nbPTWIgX57ahITfVPuqSIKFTKqvIyqpxbxoJUyWsjIL+3uE+/VHgY8AAAAAElFTkSuQmCC";
/// 24 by 16 pixels, written by Pillow 13.0 with quality 90.
const JPEG: &str = concat!(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAMCAgMCAgMDAwMEAwMEBQgFBQQEBQoHBwYIDAoMDAsKCwsNDhIQDQ4RDgsLEBYQERMU",
    "FRUVDA8XGBYUGBIUFRT/2wBDAQMEBAUEBQkFBQkUDQsNFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU",
    "FBQUFBQUFBT/wAARCAAQABgDASIAAhEBAxEB/8QAHwAAAQUBAQEBAQEAAAAAAAAAAAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUF",
    "BAQAAAF9AQIDAAQRBRIhMUEGE1FhByJxFDKBkaEII0KxwRVS0fAkM2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVW",
    "V1hZWmNkZWZnaGlqc3R1dnd4eXqDhIWGh4iJipKTlJWWl5iZmqKjpKWmp6ipqrKztLW2t7i5usLDxMXGx8jJytLT1NXW19jZ2uHi",
    "4+Tl5ufo6erx8vP09fb3+Pn6/8QAHwEAAwEBAQEBAQEBAQAAAAAAAAECAwQFBgcICQoL/8QAtREAAgECBAQDBAcFBAQAAQJ3AAEC",
    "AxEEBSExBhJBUQdhcRMiMoEIFEKRobHBCSMzUvAVYnLRChYkNOEl8RcYGRomJygpKjU2Nzg5OkNERUZHSElKU1RVVldYWVpjZGVm",
    "Z2hpanN0dXZ3eHl6goOEhYaHiImKkpOUlZaXmJmaoqOkpaanqKmqsrO0tba3uLm6wsPExcbHyMnK0tPU1dbX2Nna4uPk5ebn6Onq",
    "8vP09fb3+Pn6/9oADAMBAAIRAxEAPwD4p+GPwfuG1GMlWyWHavuv9nn4JXlxr6BIycR554qn4P8ABFhpFrLeGFf3XOMVS+LXjrxV",
    "4d8FNqng7UTpd3nYHHpSzbGYfNchw+BwlbmUpp8/2ebpDvzPp0PfzqeByOVDB4lN1a75YxW9n9p/3V16iXMsXhn4m63ZaQ32rUI5",
    "CJov7porA+Gviq0+EtnD4s8YwHWNV1YbpJF6se9FfHcSZF/auOVfM4xjVUYxt5JWR89nFDxDznFPEZJGcaCSilDl5fd0b11v3P/Z",
);

fn bytes(text: &str) -> Vec<u8> {
    STANDARD.decode(text).unwrap()
}

fn graph(height: u32, width: u32, channels: Channels, mean: Vec<f64>, std_dev: Vec<f64>) -> TransformGraph {
    let nodes = vec![Mapper::Image(steps::Image { height, width, channels, mean, std_dev })];
    let input = TensorSpec::new("photo", DataType::Bytes, true).with_form(RowShape::Binary);
    TransformGraph::new(vec![input], None, vec![Feature::new("photo", "photo", nodes)]).unwrap()
}

fn rows(graph: &TransformGraph, pictures: &[Option<&[u8]>]) -> Vec<Vec<f64>> {
    let column: ArrayRef = Arc::new(pictures.iter().copied().collect::<BinaryArray>());
    let batch = RecordBatch::try_from_iter_with_nullable([("photo", column, true)]).unwrap();
    let mut block = FeatureBlock::new();
    graph.bind(batch.schema_ref()).unwrap().apply(&batch, &mut block).unwrap();
    (0..block.rows).map(|row| block.columns.iter().map(|column| column[row]).collect()).collect()
}

fn raw(height: u32, width: u32, channels: Channels, picture: &[u8]) -> Vec<f64> {
    rows(&graph(height, width, channels, vec![0.0], vec![1.0]), &[Some(picture)]).remove(0)
}

fn near(got: &[f64], expected: &[f64], tolerance: f64) {
    for (at, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert!((got - expected).abs() <= tolerance, "number {at}: {got} is not {expected}");
    }
}

// Pillow 13.0: np.stack([np.array(Image.fromarray(rgb[:, :, c].astype(np.float32), "F").resize((width, height),
// Image.BILINEAR)) for c in range(3)], -1).flatten(), rounded to 4 digits.
#[test]
fn numbers_are_those_of_pillow() {
    let reduced = [
        84.7143, 43.1429, 104.8701, 152.3636, 120.5562, 112.0749, 148.5325, 122.3636, 117.5195, 173.2597, 101.1429,
        139.4675, 115.9893, 137.4866, 117.3369, 113.2338, 113.8701, 112.2208,
    ];
    let got = raw(2, 3, Channels::Rgb, &bytes(PNG));
    assert_eq!(got.len(), 18);
    near(&got, &reduced, 1e-4);
    let enlarged = [
        0.0, 0.0, 0.0, 24.6667, 7.3333, 60.6667, 53.4444, 25.6667, 131.4444, 82.2222, 56.2222, 145.3333, 111.0, 99.0,
        17.0, 139.7778, 158.8889, 87.7778, 168.5556, 88.7778, 158.5556, 197.3333, 59.3333, 144.0,
    ];
    let got = raw(8, 9, Channels::Rgb, &bytes(PNG));
    assert_eq!(got.len(), 216);
    near(&got, &enlarged, 1e-4);
    // convert("L") before it is resized.
    near(&raw(2, 3, Channels::Grey, &bytes(PNG)), &[62.6851, 129.1765, 129.6039, 126.9481, 128.7781, 113.3864], 1e-4);
    let jpeg = [
        85.5305, 44.5514, 102.4644, 152.1321, 119.9297, 118.8929, 146.4679, 124.8831, 112.2752, 169.3546, 104.4541,
        135.7719, 118.6314, 135.3918, 118.4575, 112.7097, 116.6346, 110.0557,
    ];
    // Decoders of JPEG may differ by 1 of 255 in a pixel.
    near(&raw(2, 3, Channels::Rgb, &bytes(JPEG)), &jpeg, 1.0);
}

#[test]
fn a_picture_alone_and_in_a_batch_is_the_same_and_what_is_none_is_missing() {
    let mean = vec![127.5];
    let graph = graph(2, 3, Channels::Rgb, mean.clone(), mean);
    let names: Vec<&str> = graph.features().iter().map(|feature| feature.name.as_str()).take(2).collect();
    assert_eq!(names, ["photo.0", "photo.1"]);
    let (png, jpeg) = (bytes(PNG), bytes(JPEG));
    let cut = &png[..png.len() / 2];
    let together = rows(&graph, &[Some(&png), None, Some(cut), Some(b"no picture"), Some(&jpeg)]);
    assert_eq!(together[0], rows(&graph, &[Some(&png)])[0]);
    assert_eq!(together[4], rows(&graph, &[Some(&jpeg)])[0]);
    for row in &together[1..4] {
        assert!(row.iter().all(|value| value.is_nan()));
    }
    near(&together[0][..1], &[(84.7143 - 127.5) / 127.5], 1e-5);
    let text = serde_json::to_string(&graph).unwrap();
    assert_eq!(serde_json::from_str::<TransformGraph>(&text).unwrap(), graph);
}

/// A PNG of so many pixels whose data is not there.
fn bomb(width: u32, height: u32) -> Vec<u8> {
    let mut head = b"IHDR".to_vec();
    head.extend(width.to_be_bytes());
    head.extend(height.to_be_bytes());
    head.extend([8, 2, 0, 0, 0]);
    let crc = head.iter().fold(u32::MAX, |mut crc, byte| {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
        crc
    });
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
    png.extend(&head);
    png.extend((!crc).to_be_bytes());
    png
}

#[test]
fn hostile_pictures_are_missing_and_any_bytes_are_survived() {
    let graph = graph(4, 4, Channels::Grey, vec![0.0], vec![255.0]);
    for (width, height) in [(60_000, 60_000), (u32::MAX, 1), (16_000, 16_000), (0, 5), (100, 100)] {
        assert!(rows(&graph, &[Some(&bomb(width, height))])[0][0].is_nan(), "{width} by {height}");
    }
    for seed in [bytes(PNG), bytes(JPEG)] {
        for at in 0..seed.len() {
            let mut mutated = seed.clone();
            mutated[at] ^= [0x01, 0x80, 0xff][at % 3];
            rows(&graph, &[Some(&mutated), Some(&seed[..at])]);
        }
    }
}

#[test]
fn constants_that_cannot_be_are_refused() {
    let refused = |picture: serde_json::Value| {
        let node: Mapper = serde_json::from_value(json!({ "image": picture })).unwrap();
        node.output(tidemill_model::Stage::Binary).unwrap_err()
    };
    let picture = |height, mean: &[f64], std_dev: f64| json!({ "height": height, "width": 100, "channels": "rgb", "mean": mean, "std_dev": [std_dev] });
    assert_eq!(refused(picture(0, &[0.0], 1.0)), "`image` has a side of 0 pixels");
    assert_eq!(refused(picture(1000, &[0.0], 1.0)), "`image` would give 300000 columns, and 65536 are the most");
    assert_eq!(
        refused(picture(10, &[0.0, 1.0], 1.0)),
        "`mean` of `image` is one number, or one for each of 3 channels"
    );
    assert_eq!(refused(picture(10, &[0.0], 0.0)), "`std_dev` of `image` is not above 0");
}
