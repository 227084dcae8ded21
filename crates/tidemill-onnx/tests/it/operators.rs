//! The operator cases of the `onnx` package: each is right, or refused with a reason; none is wrong.
//!
//! `scripts/conformance/operators` writes the cases, names their file in `TIDEMILL_OPERATOR_CASES` and runs this. What
//! is not right is recorded in `tests/operators.txt`; `TIDEMILL_UPDATE_OPERATORS=1` writes it anew.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;
use tidemill_core::ElementType;
use tidemill_model::{TensorData, TensorValue};
use tidemill_onnx::parse;

fn bytes(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap().as_bytes();
    text.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// A tensor of a case; `None` for one that is absent.
fn tensor(value: &Value) -> Option<TensorValue> {
    if value.get("absent").is_some() {
        return None;
    }
    if let Some(list) = value.get("list") {
        let list: Vec<TensorValue> = list.as_array().unwrap().iter().filter_map(tensor).collect();
        let element = list.first().map_or(ElementType::Fp32, |tensor| tensor.element);
        return Some(TensorValue { element, shape: vec![list.len()], data: TensorData::List(list) });
    }
    let element = ElementType::of_oip_name(value["element"].as_str().unwrap()).unwrap();
    let shape = value["shape"].as_array().unwrap().iter().map(|size| size.as_u64().unwrap() as usize).collect();
    let data = if let Some(texts) = value.get("texts") {
        TensorData::Text(texts.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect())
    } else if let Some(hex) = value.get("f32") {
        TensorData::F32(bytes(hex).as_chunks::<4>().0.iter().map(|x| f32::from_le_bytes(*x)).collect())
    } else if let Some(hex) = value.get("f64") {
        TensorData::F64(bytes(hex).as_chunks::<8>().0.iter().map(|x| f64::from_le_bytes(*x)).collect())
    } else if let Some(hex) = value.get("bools") {
        TensorData::Bool(bytes(hex).iter().map(|x| *x != 0).collect())
    } else {
        TensorData::Int(bytes(&value["i64"]).as_chunks::<8>().0.iter().map(|x| i64::from_le_bytes(*x)).collect())
    };
    Some(TensorValue { element, shape, data })
}

/// How a tensor differs from the right one.
fn difference(right: &TensorValue, got: &TensorValue, relative: f64, absolute: f64) -> Option<String> {
    if let (TensorData::List(right), TensorData::List(got)) = (&right.data, &got.data) {
        if right.len() != got.len() {
            return Some(format!("{} tensors, not {}", got.len(), right.len()));
        }
        return right.iter().zip(got).find_map(|(right, got)| difference(right, got, relative, absolute));
    }
    if right.element != got.element {
        return Some(format!("{}, not {}", got.element, right.element));
    }
    if right.shape != got.shape {
        return Some(format!("shape {:?}, not {:?}", got.shape, right.shape));
    }
    let near = |right: f64, got: f64| {
        right == got || (right.is_nan() && got.is_nan()) || (right - got).abs() <= absolute + relative * right.abs()
    };
    // One step of a type of 8 bits or fewer is more than any tolerance.
    match (&right.data, &got.data) {
        (TensorData::F32(a), TensorData::F32(b)) => {
            let found = a.iter().zip(b).find(|(a, b)| !near(f64::from(**a), f64::from(**b)));
            found.map(|(a, b)| format!("{b}, not {a}"))
        }
        (TensorData::F64(a), TensorData::F64(b)) => {
            a.iter().zip(b).find(|(a, b)| !near(**a, **b)).map(|(a, b)| format!("{b}, not {a}"))
        }
        (TensorData::Int(a), TensorData::Int(b)) => {
            a.iter().zip(b).find(|(a, b)| a != b).map(|(a, b)| format!("{b}, not {a}"))
        }
        (a, b) => (a != b).then(|| format!("{b:?}, not {a:?}")),
    }
}

enum Outcome {
    Right,
    Refused(String),
    Wrong(String),
}

fn outcome(case: &Value) -> Outcome {
    let model = match parse(&bytes(&case["model"]), Path::new("model.onnx")) {
        Ok(model) => model,
        Err(error) => return Outcome::Refused(format!("at load: {error}")),
    };
    let tensors = model.tensors().unwrap();
    for set in case["sets"].as_array().unwrap() {
        let inputs: Vec<Option<TensorValue>> = set["inputs"].as_array().unwrap().iter().map(tensor).collect();
        let got = match tensors.run(inputs) {
            Ok(got) => got,
            Err(error) => return Outcome::Refused(format!("at run: {error}")),
        };
        let right = set["outputs"].as_array().unwrap();
        if right.len() != got.len() {
            return Outcome::Wrong(format!("{} outputs, not {}", got.len(), right.len()));
        }
        let (relative, absolute) = (case["rtol"].as_f64().unwrap(), case["atol"].as_f64().unwrap());
        for (right, got) in right.iter().zip(&got) {
            let Some(right) = tensor(right) else { continue };
            // The answers were computed in the type of the numbers step by step: their last digits are lost.
            let (relative, absolute) = match right.element {
                ElementType::Bf16 => (relative.max(1.6e-2), absolute.max(1e-3)),
                ElementType::Fp16 => (relative.max(2e-3), absolute.max(1e-4)),
                _ => (relative, absolute.max(2e-6)),
            };
            if let Some(difference) = difference(&right, got, relative, absolute) {
                return Outcome::Wrong(difference);
            }
        }
    }
    Outcome::Right
}

/// Some cases of every operator, which `scripts/conformance/operators --update` keeps in the repository.
#[test]
fn recorded_cases_of_operators_are_right() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/operators.jsonl");
    let cases = std::fs::read_to_string(file).unwrap();
    let mut wrong = Vec::new();
    for line in cases.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        match outcome(&case) {
            Outcome::Right => {}
            Outcome::Refused(reason) | Outcome::Wrong(reason) => wrong.push(format!("{}: {reason}", case["name"])),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases.lines().count() > 150);
}

#[test]
#[ignore = "needs the cases of the `onnx` package: scripts/conformance/operators"]
fn operators_are_right_or_refused() {
    let file = std::env::var("TIDEMILL_OPERATOR_CASES").unwrap();
    let cases = std::fs::read_to_string(file).unwrap();
    let (mut right, mut all, mut wrong) = (0, 0, Vec::new());
    let mut record = String::new();
    for line in cases.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let name = case["name"].as_str().unwrap();
        all += 1;
        match outcome(&case) {
            Outcome::Right => right += 1,
            Outcome::Refused(reason) => writeln!(record, "{name} · {reason}").unwrap(),
            Outcome::Wrong(difference) => wrong.push(format!("{name} · wrong: {difference}")),
        }
    }
    println!("{right} of {all} right, {} refused, {} wrong", record.lines().count(), wrong.len());
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/operators.txt");
    if std::env::var_os("TIDEMILL_UPDATE_OPERATORS").is_some() {
        std::fs::write(&recorded, &record).unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(record, std::fs::read_to_string(recorded).unwrap(), "what is refused changed");
}
