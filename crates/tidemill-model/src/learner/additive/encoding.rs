//! The bytes of an additive model.

use super::{AdditiveModel, AdditiveTerm, TermBins};
use crate::ModelError;
use crate::learner::bytes::{ByteReader, head, push_f64s, push_task, push_u32};
use crate::trees::invalid;

const MAGIC: [u8; 8] = *b"TMADDTIV";
const VERSION: u32 = 1;
const NUMERIC: u32 = 0;
const CATEGORICAL: u32 = 1;

impl AdditiveModel {
    /// The bytes of `learner.bin`.
    ///
    /// # Layout, format 1
    ///
    /// Little-endian: `"TMADDTIV"`, version (u32), task (u32: 0 binary, 1 regression, 2 classes, then their count and names),
    /// features (u32), an intercept for each score (f64), terms (u32), and for each its features (u32: 1 or 2), for each of these
    /// its number (u32) and its bins (u32: 0 bounds, then their count and the bounds in f64; 1 codes, then bins, the count of codes,
    /// and for each code and bin in u32), and the values (f64) by cell and score.
    pub(in crate::learner) fn encode(&self) -> Vec<u8> {
        let mut bytes = head(MAGIC, VERSION);
        push_task(&mut bytes, self.task());
        push_u32(&mut bytes, self.features() as u32);
        push_f64s(&mut bytes, self.intercepts());
        push_u32(&mut bytes, self.terms().len() as u32);
        for term in self.terms() {
            push_u32(&mut bytes, term.features.len() as u32);
            for (feature, bins) in &term.features {
                push_u32(&mut bytes, *feature);
                match bins {
                    TermBins::Numeric { bounds } => {
                        push_u32(&mut bytes, NUMERIC);
                        push_u32(&mut bytes, bounds.len() as u32);
                        push_f64s(&mut bytes, bounds);
                    }
                    TermBins::Categorical { codes, bins } => {
                        push_u32(&mut bytes, CATEGORICAL);
                        push_u32(&mut bytes, *bins);
                        push_u32(&mut bytes, codes.len() as u32);
                        for (code, bin) in codes {
                            push_u32(&mut bytes, *code);
                            push_u32(&mut bytes, *bin);
                        }
                    }
                }
            }
            push_f64s(&mut bytes, &term.values);
        }
        bytes
    }

    pub(in crate::learner) fn decode(bytes: &[u8]) -> Result<Self, ModelError> {
        let mut reader = ByteReader::new(bytes, MAGIC, VERSION, "an additive model")?;
        let task = reader.task()?;
        let features = reader.u32()? as usize;
        let scores = task.columns();
        let intercepts = reader.f64s(scores)?;
        let count = reader.count(4)?;
        let terms = (0..count).map(|_| term(&mut reader, scores)).collect::<Result<_, _>>()?;
        reader.finish()?;
        Self::new(task, features, intercepts, terms)
    }
}

fn term(reader: &mut ByteReader<'_>, scores: usize) -> Result<AdditiveTerm, ModelError> {
    let count = reader.count(8)?;
    let features = (0..count)
        .map(|_| {
            let feature = reader.u32()?;
            let bins = match reader.u32()? {
                NUMERIC => {
                    let count = reader.count(8)?;
                    TermBins::Numeric { bounds: reader.f64s(count)? }
                }
                CATEGORICAL => {
                    let bins = reader.u32()?;
                    let count = reader.count(8)?;
                    let codes =
                        (0..count).map(|_| Ok((reader.u32()?, reader.u32()?))).collect::<Result<_, ModelError>>();
                    TermBins::Categorical { codes: codes?, bins }
                }
                other => return Err(invalid(format!("bins have the kind {other}"))),
            };
            Ok((feature, bins))
        })
        .collect::<Result<Vec<_>, ModelError>>()?;
    let cells = features.iter().try_fold(scores, |cells, (_, bins): &(u32, TermBins)| cells.checked_mul(bins.cells()));
    let values = reader.f64s(cells.ok_or_else(|| invalid("a table is too large"))?)?;
    Ok(AdditiveTerm { features, values })
}
