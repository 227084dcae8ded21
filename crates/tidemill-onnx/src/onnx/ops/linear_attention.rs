//! `LinearAttention`: attention as a recurrence over a matrix of state.

use super::{Kernel, input, optional};
use crate::onnx::attributes::Attributes;
use crate::onnx::value::Tensor;

pub(super) fn compile(attributes: Attributes<'_>) -> Result<Kernel, String> {
    let heads = |name: &str| {
        usize::try_from(attributes.int(name, 0)).ok().filter(|x| *x > 0).ok_or_else(|| format!("`{name}` is not given"))
    };
    let (q_heads, heads) = (heads("q_num_heads")?, heads("kv_num_heads")?);
    let rule = attributes.text("update_rule", "gated_delta")?;
    let (gates, corrects) = match rule.as_str() {
        "linear" => (false, false),
        "gated" => (true, false),
        "delta" => (false, true),
        "gated_delta" => (true, true),
        other => return Err(format!("the rule `{other}` is not run by this version")),
    };
    if !q_heads.is_multiple_of(heads) {
        return Err(format!("{q_heads} heads of queries for {heads}"));
    }
    let scale = f64::from(attributes.float("scale", 0.0));
    Ok(Box::new(move |inputs| {
        let (query, key, value) = (input(inputs, 0)?, input(inputs, 1)?, input(inputs, 2)?);
        let (&[batch, steps, q_width], &[_, _, v_width]) = (&query.shape[..], &value.shape[..]) else {
            return Err("three axes are expected".to_owned());
        };
        let (dk, dv) = (q_width / q_heads, v_width / heads);
        if key.shape != [batch, steps, heads * dk] || value.shape != [batch, steps, heads * dv] {
            return Err(format!("shapes {:?}, {:?} and {:?} do not fit", query.shape, key.shape, value.shape));
        }
        let (q, k, v) = (query.floats()?, key.floats()?, value.floats()?);
        let decay = optional(inputs, 4).map(Tensor::floats).transpose()?;
        let beta = optional(inputs, 5).map(Tensor::floats).transpose()?;
        if decay.is_some() != gates || beta.is_some() != corrects {
            return Err("the decay or the beta is not what the rule takes".to_owned());
        }
        let per_step = |values: &[f64]| values.len().checked_div(batch * steps).unwrap_or(0);
        let decays = decay.as_deref().map_or(0, per_step);
        let betas = beta.as_deref().map_or(0, per_step);
        if (gates && decays != heads && decays != heads * dk) || (corrects && betas != heads && betas != 1) {
            return Err("the decay or the beta does not fit the heads".to_owned());
        }
        let past = optional(inputs, 3);
        let mut state = match past {
            Some(past) if past.shape == [batch, heads, dk, dv] => past.floats()?.into_owned(),
            Some(past) => return Err(format!("a state of shape {:?}", past.shape)),
            None => vec![0.0; batch * heads * dk * dv],
        };
        let scale = if scale == 0.0 { 1.0 / (dk as f64).sqrt() } else { scale };
        let mut made = vec![0.0; batch * steps * q_heads * dv];
        for row in 0..batch {
            for step in 0..steps {
                let at = row * steps + step;
                for head in 0..heads {
                    let own = &mut state[(row * heads + head) * dk * dv..][..dk * dv];
                    let k = &k[(at * heads + head) * dk..][..dk];
                    let mut v = v[(at * heads + head) * dv..][..dv].to_vec();
                    if let Some(decay) = &decay {
                        for (d, line) in own.chunks_mut(dv.max(1)).enumerate() {
                            let place = if decays == heads { head } else { head * dk + d };
                            let factor = decay[at * decays + place].exp();
                            line.iter_mut().for_each(|x| *x *= factor);
                        }
                    }
                    if let Some(beta) = &beta {
                        let beta = beta[at * betas + if betas == 1 { 0 } else { head }];
                        for (m, v) in v.iter_mut().enumerate() {
                            let known: f64 = (0..dk).map(|d| own[d * dv + m] * k[d]).sum();
                            *v = beta * (*v - known);
                        }
                    }
                    for (line, k) in own.chunks_mut(dv.max(1)).zip(k) {
                        line.iter_mut().zip(&v).for_each(|(x, v)| *x += k * v);
                    }
                    let group = q_heads / heads;
                    for q_head in head * group..(head + 1) * group {
                        let q = &q[(at * q_heads + q_head) * dk..][..dk];
                        let out = &mut made[(at * q_heads + q_head) * dv..][..dv];
                        for (line, q) in own.chunks(dv.max(1)).zip(q) {
                            out.iter_mut().zip(line).for_each(|(sum, x)| *sum += scale * q * x);
                        }
                    }
                }
            }
        }
        let element = past.unwrap_or(query);
        Ok(vec![query.like(vec![batch, steps, q_heads * dv], made)?, element.like(vec![batch, heads, dk, dv], state)?])
    }))
}
