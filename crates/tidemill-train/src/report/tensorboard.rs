//! Learning curves as event files of `TensorBoard`.
//!
//! An event file is a `TFRecord` file of messages `Event` (`tensorflow/core/util/event.proto`), of which a few fields are
//! written: `wall_time` (1, double), `step` (2, int64), `file_version` (3, string) and `summary` (5), whose `value` (1) has a
//! `tag` (1, string) and a `simple_value` (2, float).

use serde_json::Value;
use tidemill_proto::tfrecord;

/// What the first event of a file says.
const VERSION: &[u8] = b"brain.Event:2";

/// The event files of a training, by the name of the curve: `train` and `validation`, where they are recorded. `time`, in
/// seconds since 1970, is that of every event: rounds have no times of their own.
pub fn tensorboard_events(manifest: &Value, time: f64) -> Vec<(&'static str, Vec<u8>)> {
    let curve = &manifest["training"]["curve"];
    let metric = curve["metric"].as_str().unwrap_or("metric");
    let rounds: Vec<u64> = curve["rounds"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
    let mut files = Vec::new();
    for name in ["train", "validation"] {
        let values = curve[name].as_array().map(Vec::as_slice).unwrap_or_default();
        let points: Vec<(u64, f64)> =
            rounds.iter().zip(values).filter_map(|(round, value)| Some((*round, value.as_f64()?))).collect();
        if points.is_empty() {
            continue;
        }
        let mut file = Vec::new();
        let mut first = wall_time(time);
        bytes(&mut first, 3, VERSION);
        tfrecord::append(&mut file, &first);
        for (round, value) in points {
            tfrecord::append(&mut file, &scalar(time, round, metric, value as f32));
        }
        files.push((name, file));
    }
    files
}

/// An event with one number.
fn scalar(time: f64, step: u64, tag: &str, value: f32) -> Vec<u8> {
    let mut of_tag = Vec::new();
    bytes(&mut of_tag, 1, tag.as_bytes());
    of_tag.push(2 << 3 | 5);
    of_tag.extend_from_slice(&value.to_le_bytes());
    let mut summary = Vec::new();
    bytes(&mut summary, 1, &of_tag);
    let mut event = wall_time(time);
    event.push(2 << 3);
    varint(&mut event, step);
    bytes(&mut event, 5, &summary);
    event
}

/// An event with its time only.
fn wall_time(time: f64) -> Vec<u8> {
    let mut event = vec![1 << 3 | 1];
    event.extend_from_slice(&time.to_le_bytes());
    event
}

/// A field of bytes.
fn bytes(out: &mut Vec<u8>, field: u8, content: &[u8]) {
    out.push(field << 3 | 2);
    varint(out, content.len() as u64);
    out.extend_from_slice(content);
}

fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_are_records_of_messages() {
        let curve =
            json!({ "metric": "log-loss", "rounds": [1, 200], "validation": [0.5, 0.25], "train": [null, null] });
        let files = tensorboard_events(&json!({ "training": { "curve": curve } }), 2.0);
        assert_eq!((files.len(), files[0].0), (1, "validation"));
        let mut expected = Vec::new();
        let time = [&[0x09][..], &2_f64.to_le_bytes()].concat();
        tfrecord::append(&mut expected, &[&time[..], &[0x1a, 13], b"brain.Event:2"].concat());
        for (step, value) in [(&[1_u8][..], 0.5_f32), (&[0xc8, 1], 0.25)] {
            let tag = [&[0x0a, 8][..], b"log-loss", &[0x15], &value.to_le_bytes()].concat();
            let event = [&time[..], &[0x10], step, &[0x2a, tag.len() as u8 + 2, 0x0a, tag.len() as u8], &tag].concat();
            tfrecord::append(&mut expected, &event);
        }
        assert_eq!(files[0].1, expected);
        assert!(tensorboard_events(&json!({ "training": {} }), 0.0).is_empty());
    }
}
