//! `Attention`, and the operators that stand around it in language models.

use super::broadcast::{broadcast_indices, joint_shape};
use super::transform::reordered;
use super::{Kernel, input, optional};
use crate::foreign::logistic;
use crate::onnx::attributes::Attributes;
use crate::onnx::value::{Data, Tensor};

pub(super) fn compile(name: &str, attributes: Attributes<'_>, _: i64) -> Result<Option<Kernel>, String> {
    Ok(Some(match name {
        "Attention" => {
            let attention = Attention::of(attributes)?;
            Box::new(move |inputs| attention.run(inputs))
        }
        "RotaryEmbedding" => {
            let interleaved = attributes.int("interleaved", 0) != 0;
            let width =
                usize::try_from(attributes.int("rotary_embedding_dim", 0)).map_err(|_| "`rotary_embedding_dim`")?;
            let heads = usize::try_from(attributes.int("num_heads", 0)).map_err(|_| "`num_heads`")?;
            Box::new(move |inputs| rotate(inputs, interleaved, width, heads))
        }
        "SwiGLU" => {
            let alpha = f64::from(attributes.float("alpha", 1.0));
            Box::new(move |inputs| {
                let (a, b) = (input(inputs, 0)?, input(inputs, 1)?);
                if a.shape != b.shape {
                    return Err(format!("shapes {:?} and {:?} differ", a.shape, b.shape));
                }
                let (x, gate) = (a.floats()?, b.floats()?);
                let made = x.iter().zip(gate.iter()).map(|(x, gate)| x * logistic(alpha * x) * gate).collect();
                Ok(vec![a.like(a.shape.clone(), made)?])
            })
        }
        "CausalConvWithState" => {
            let activation = attributes.text("activation", "none")?;
            if !matches!(activation.as_str(), "none" | "silu" | "swish") {
                return Err(format!("the activation `{activation}` is not run by this version"));
            }
            Box::new(move |inputs| causal_convolution(inputs, activation != "none"))
        }
        "LinearAttention" => super::linear_attention::compile(attributes)?,
        _ => return Ok(None),
    }))
}

struct Attention {
    causal: bool,
    heads: (usize, usize),
    scale: Option<f64>,
    softcap: f64,
    mode: i64,
    precision: i32,
    window: (i64, i64),
}

/// Queries, keys or values with the heads before the sequence.
fn by_head(tensor: &Tensor, heads: usize) -> Result<Tensor, String> {
    match tensor.shape[..] {
        [_, _, _, _] => Ok(tensor.clone()),
        [batch, steps, width] if heads > 0 && width.is_multiple_of(heads) => {
            let split = tensor.reshaped(vec![batch, steps, heads, width / heads])?;
            reordered(&split, &[0, 2, 1, 3])
        }
        _ => Err(format!("a tensor of shape {:?} has no {heads} heads", tensor.shape)),
    }
}

impl Attention {
    fn of(attributes: Attributes<'_>) -> Result<Self, String> {
        let heads = |name: &str| usize::try_from(attributes.int(name, 0)).map_err(|_| format!("`{name}` is below 0"));
        let mode = attributes.int("qk_matmul_output_mode", 0);
        if !(0..=3).contains(&mode) {
            return Err(format!("`qk_matmul_output_mode` is {mode}"));
        }
        Ok(Self {
            causal: attributes.int("is_causal", 0) != 0,
            heads: (heads("q_num_heads")?, heads("kv_num_heads")?),
            scale: attributes.has("scale").then(|| f64::from(attributes.float("scale", 1.0))),
            softcap: f64::from(attributes.float("softcap", 0.0)),
            mode,
            precision: attributes.int("softmax_precision", 0) as i32,
            window: (attributes.int("left_window_size", -1), attributes.int("right_window_size", -1)),
        })
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, String> {
        let given = input(inputs, 0)?;
        let is_flat = given.rank() == 3;
        let q = by_head(given, self.heads.0)?;
        let key = by_head(input(inputs, 1)?, self.heads.1)?;
        let value = by_head(input(inputs, 2)?, self.heads.1)?;
        let joined = |at: usize, now: Tensor| match optional(inputs, at) {
            Some(past) => Tensor::concat(&[past, &now], 2),
            None => Ok(now),
        };
        let past = optional(inputs, 4).map(|past| past.shape.get(2).copied().unwrap_or(0));
        let (key, value) = (joined(4, key)?, joined(5, value)?);
        let (&[batch, heads, steps, width], &[_, kv_heads, total, key_width], &[_, _, _, value_width]) =
            (&q.shape[..], &key.shape[..], &value.shape[..])
        else {
            return Err("queries, keys and values of three or four axes are expected".to_owned());
        };
        let fits = key.shape[..2] == [batch, kv_heads]
            && value.shape[..3] == [batch, kv_heads, total]
            && width == key_width
            && kv_heads > 0
            && heads.is_multiple_of(kv_heads);
        if !fits {
            return Err(format!("shapes {:?}, {:?} and {:?} do not fit", q.shape, key.shape, value.shape));
        }
        let lengths = optional(inputs, 6).map(|lengths| lengths.integers().map(<[i64]>::to_vec)).transpose()?;
        if lengths.as_ref().is_some_and(|lengths| lengths.len() != batch) {
            return Err(format!("lengths for {batch} rows are expected"));
        }
        let bias = self.bias(optional(inputs, 3), [batch, heads, steps, total], past, lengths.as_deref())?;
        let scale = self.scale.unwrap_or(1.0 / (width as f64).sqrt());
        let element = given.element();
        let (qs, ks, vs) = (q.floats()?, key.floats()?, value.floats()?);
        let mut scores = vec![0.0; batch * heads * steps * total];
        let mut shown = Vec::with_capacity(if self.mode == 0 { 0 } else { scores.len() });
        let mut made = vec![0.0; batch * heads * steps * value_width];
        let group = heads / kv_heads;
        let mut raw = Vec::with_capacity(scores.len());
        for (line, row) in scores.chunks_mut(total.max(1)).enumerate() {
            let kv = line / steps / heads * kv_heads + line / steps % heads / group;
            let query = &qs[line * width..][..width];
            for (at, score) in row.iter_mut().enumerate() {
                let key = &ks[(kv * total + at) * width..][..width];
                *score = query.iter().zip(key).map(|(a, b)| a * b).sum::<f64>() * scale;
            }
            if self.mode == 0 && self.softcap <= 0.0 {
                raw.extend_from_slice(row);
            }
            if self.softcap > 0.0 {
                row.iter_mut().for_each(|score| *score = (*score / self.softcap).tanh() * self.softcap);
            }
            if self.mode == 1 || (self.mode == 0 && self.softcap > 0.0) {
                shown.extend_from_slice(row);
            }
            let own = &bias[line * total..][..total];
            row.iter_mut().zip(own).for_each(|(score, bias)| *score += bias);
            if self.mode == 2 {
                shown.extend_from_slice(row);
            }
            // A query that may look nowhere has no probabilities.
            if own.iter().all(|bias| *bias == f64::NEG_INFINITY) {
                row.fill(0.0);
            } else {
                self.soften(row);
            }
            if self.mode == 3 {
                shown.extend_from_slice(row);
            }
            let out = &mut made[line * value_width..][..value_width];
            for (at, weight) in row.iter().enumerate() {
                let value = &vs[(kv * total + at) * value_width..][..value_width];
                out.iter_mut().zip(value).for_each(|(sum, x)| *sum += weight * x);
            }
        }
        let shown = if raw.is_empty() { shown } else { raw };
        let made = q.like(vec![batch, heads, steps, value_width], made)?;
        let made = if is_flat {
            reordered(&made, &[0, 2, 1, 3])?.reshaped(vec![batch, steps, heads * value_width])?
        } else {
            made
        };
        let shown = q.like(vec![batch, heads, steps, total], shown)?;
        Ok(vec![made.of_element(element), key, value, shown.of_element(element)])
    }

    fn soften(&self, row: &mut [f64]) {
        if self.precision != 0 {
            for score in row.iter_mut() {
                *score = f64::from(crate::onnx::element::round(*score as f32, self.precision, false));
            }
        }
        crate::foreign::softmax(row);
    }

    /// What is added to each score: 0, the mask, or −∞ where a query may not look.
    fn bias(
        &self,
        mask: Option<&Tensor>,
        shape: [usize; 4],
        past: Option<usize>,
        lengths: Option<&[i64]>,
    ) -> Result<Vec<f64>, String> {
        let [batch, heads, steps, total] = shape;
        let mut bias = vec![0.0; batch * heads * steps * total];
        if let Some(mask) = mask {
            // A mask may be of fewer keys: the others are not looked at.
            let own = *mask.shape.last().ok_or("the mask has no axis")?;
            let is_bool = matches!(mask.data, Data::Bool(_));
            let missing = total.checked_sub(own).ok_or("the mask is of more keys than there are")?;
            let values: Vec<f64> = mask
                .floats()?
                .iter()
                .map(|x| {
                    if !is_bool {
                        *x
                    } else if *x == 0.0 {
                        f64::NEG_INFINITY
                    } else {
                        0.0
                    }
                })
                .collect();
            let mut padded_shape = mask.shape.clone();
            padded_shape.pop();
            let mut padded = Vec::new();
            for row in values.chunks(own.max(1)) {
                padded.extend_from_slice(row);
                padded.extend(std::iter::repeat_n(f64::NEG_INFINITY, missing));
            }
            padded_shape.push(total);
            if joint_shape(&padded_shape, &shape)? != shape {
                return Err(format!("a mask of shape {:?} does not fit {shape:?}", mask.shape));
            }
            let places = broadcast_indices(&padded_shape, &shape);
            for (at, bias) in bias.iter_mut().enumerate() {
                *bias = padded[places.as_ref().map_or(at, |places| places[at])];
            }
        }
        let (left, right) = self.window;
        for (at, bias) in bias.iter_mut().enumerate() {
            let (key, query, row) = ((at % total) as i64, (at / total % steps) as i64, at / total / steps / heads);
            let offset = match (past, lengths) {
                (Some(past), _) => past as i64,
                (None, Some(lengths)) => lengths[row] - steps as i64,
                (None, None) => 0,
            };
            let behind = query + offset - key;
            let hidden = (self.causal && behind < 0)
                || (left >= 0 && behind > left)
                || (right >= 0 && -behind > right)
                || lengths.is_some_and(|lengths| key >= lengths[row]);
            if hidden {
                *bias = f64::NEG_INFINITY;
            }
        }
        Ok(bias)
    }
}

fn rotate(inputs: &[Option<&Tensor>], interleaved: bool, width: usize, heads: usize) -> Result<Vec<Tensor>, String> {
    let given = input(inputs, 0)?;
    let is_flat = given.rank() == 3;
    let x = by_head(given, heads)?;
    let &[batch, heads, steps, size] = &x.shape[..] else { return Err("four axes are expected".to_owned()) };
    let width = if width == 0 { size } else { width };
    let half = width / 2;
    let (cos, sin) = (input(inputs, 1)?, input(inputs, 2)?);
    if width > size || cos.shape.last() != Some(&half) || cos.shape != sin.shape {
        return Err(format!("tables of shape {:?} do not fit a width of {width}", cos.shape));
    }
    let places = match optional(inputs, 3) {
        Some(places) => super::shape::sizes(places)?,
        // Without places, the tables are those of each row and step.
        None => (0..batch * steps).collect(),
    };
    let (cosines, sines) = (cos.floats()?, sin.floats()?);
    let rows = cosines.len() / half.max(1);
    if places.len() != batch * steps || places.iter().any(|place| *place >= rows) {
        return Err(format!("a place is not one of the {rows} of the tables"));
    }
    let mut values = x.floats()?.into_owned();
    for (line, row) in values.chunks_mut(size.max(1)).enumerate() {
        let place = places[line / steps / heads * steps + line % steps];
        for at in 0..half {
            let (first, second) = if interleaved { (2 * at, 2 * at + 1) } else { (at, at + half) };
            let (cos, sin) = (cosines[place * half + at], sines[place * half + at]);
            let (a, b) = (row[first], row[second]);
            (row[first], row[second]) = (cos * a - sin * b, sin * a + cos * b);
        }
    }
    let made = x.like(x.shape.clone(), values)?;
    let made = if is_flat { reordered(&made, &[0, 2, 1, 3])?.reshaped(given.shape.clone())? } else { made };
    Ok(vec![made.of_element(given.element())])
}

/// A convolution along the sequence that sees only what came before, also in earlier calls.
fn causal_convolution(inputs: &[Option<&Tensor>], activates: bool) -> Result<Vec<Tensor>, String> {
    let (x, w) = (input(inputs, 0)?, input(inputs, 1)?);
    let (&[batch, channels, _], &[filters, 1, reach]) = (&x.shape[..], &w.shape[..]) else {
        return Err(format!("shapes {:?} and {:?} are not convolved", x.shape, w.shape));
    };
    if filters != channels || reach == 0 {
        return Err(format!("weights of shape {:?} do not fit {:?}", w.shape, x.shape));
    }
    let past = match optional(inputs, 3) {
        Some(past) => past.clone(),
        None => x.like(vec![batch, channels, reach - 1], vec![0.0; batch * channels * (reach - 1)])?,
    };
    let all = Tensor::concat(&[&past, x], 2)?;
    let length = all.shape[2];
    let (values, weights) = (all.floats()?, w.floats()?);
    let bias = optional(inputs, 2).map(Tensor::floats).transpose()?;
    let (mut made, mut state) = (Vec::with_capacity(x.data.len()), Vec::new());
    for (line, row) in values.chunks(length.max(1)).enumerate() {
        let channel = line % channels;
        let shift =
            bias.as_ref().map_or(Some(0.0), |bias| bias.get(channel).copied()).ok_or("the bias does not fit")?;
        let kernel = &weights[channel * reach..][..reach];
        for window in row.windows(reach) {
            let sum = window.iter().zip(kernel).map(|(x, w)| x * w).sum::<f64>() + shift;
            made.push(if activates { sum * logistic(sum) } else { sum });
        }
        state.extend_from_slice(&row[length - (reach - 1)..]);
    }
    Ok(vec![x.like(x.shape.clone(), made)?, x.like(vec![batch, channels, reach - 1], state)?])
}
