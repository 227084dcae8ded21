//! `PredictRequest`, parsed in place.

use prost::Message as _;

use crate::inference::request_error::RequestError;
use crate::protocol::grpc::proto::tensorflow::serving::ModelSpec;
use crate::protocol::grpc::tensor_wire::{ContentsField, TensorContents, each, entry, fields, number, part, text};

const NAME: &str = "PredictRequest";

/// The fields of a predict request.
#[derive(Debug, Default)]
pub(super) struct Message<'a> {
    /// The tensors, by name: see [`Tensor::read`].
    pub(super) inputs: Vec<(&'a str, &'a [u8])>,
    pub(super) output_filter: Vec<&'a str>,
}

/// A tensor, parsed repeatedly into the same memory.
#[derive(Debug, Default)]
pub(super) struct Tensor<'a> {
    pub(super) dtype: i32,
    /// The sizes of its dimensions; `None` if the message declares them unknown.
    pub(super) shape: Option<Vec<i64>>,
    /// Numbers in binary.
    pub(super) content: &'a [u8],
    pub(super) lists: TensorContents<'a>,
}

impl<'a> Message<'a> {
    /// Parses all of a request except the contents of its tensors, and the model it is for.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, RequestError> {
        let mut message = Self::default();
        fields(NAME, bytes, |number, content| {
            match number {
                2 => message.inputs.push(entry(content)?),
                3 => message.output_filter.push(text(content)?),
                _ => {}
            }
            Ok(())
        })?;
        // The order of a map is meaningless; of two entries with one key the last one wins.
        message.inputs.reverse();
        message.inputs.sort_by_key(|(name, _)| *name);
        message.inputs.dedup_by_key(|(name, _)| *name);
        Ok(message)
    }

    /// The requested model.
    pub(super) fn model_spec(bytes: &'a [u8]) -> Result<Option<ModelSpec>, RequestError> {
        let mut spec: Option<ModelSpec> = None;
        fields(NAME, bytes, |number, content| {
            if number == 1 {
                spec.get_or_insert_default().merge(part(content)?).map_err(|_| "its ModelSpec cannot be read")?;
            }
            Ok(())
        })?;
        Ok(spec)
    }
}

impl<'a> Tensor<'a> {
    /// Parses another tensor in place of this one.
    pub(super) fn read(&mut self, bytes: &'a [u8]) -> Result<(), RequestError> {
        self.dtype = 0;
        self.content = &[];
        self.lists.clear();
        let (mut sizes, mut unknown_rank) = (self.shape.take().unwrap_or_default(), false);
        sizes.clear();
        fields("TensorProto", bytes, |field, content| {
            match field {
                1 => self.dtype = number(content)? as i32,
                2 => each(part(content)?, |field, content| {
                    match field {
                        2 => sizes.push(size(part(content)?)?),
                        3 => unknown_rank = number(content)? != 0,
                        _ => {}
                    }
                    Ok(())
                })?,
                4 => self.content = part(content)?,
                _ => {
                    if let Some(list) = list(field) {
                        self.lists.append(list, content)?;
                    }
                }
            }
            Ok(())
        })?;
        self.shape = (!unknown_rank).then_some(sizes);
        Ok(())
    }
}

/// The size of a dimension.
fn size(dim: &[u8]) -> Result<i64, &'static str> {
    let mut size = 0;
    each(dim, |field, content| {
        if field == 1 {
            size = number(content)? as i64;
        }
        Ok(())
    })?;
    Ok(size)
}

/// The list of a field of `TensorProto`.
const fn list(number: u64) -> Option<ContentsField> {
    Some(match number {
        5 => ContentsField::Singles,
        6 => ContentsField::Doubles,
        7 => ContentsField::Ints,
        8 => ContentsField::Texts,
        10 => ContentsField::Int64s,
        11 => ContentsField::Bools,
        13 => ContentsField::Halves,
        16 => ContentsField::Uints,
        17 => ContentsField::Uint64s,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::protocol::grpc::proto::tensorflow::serving::PredictRequest;
    use crate::protocol::grpc::proto::tensorflow::tensor_shape_proto::Dim;
    use crate::protocol::grpc::proto::tensorflow::{TensorProto, TensorShapeProto};
    use crate::protocol::grpc::tensor_wire::damage::{any_damage, assert_parsed_alike};

    /// The request that the library builds from the same bytes.
    fn rebuilt(bytes: &[u8]) -> Result<PredictRequest, RequestError> {
        let message = Message::read(bytes)?;
        let mut tensor = Tensor::default();
        let mut inputs = BTreeMap::new();
        for (name, bytes) in message.inputs {
            tensor.read(bytes)?;
            let Tensor { dtype, shape, content, lists } = &tensor;
            let dim = |size: &i64| Dim { size: *size, name: String::new() };
            let shape =
                TensorShapeProto { dim: shape.iter().flatten().map(dim).collect(), unknown_rank: shape.is_none() };
            let built = TensorProto {
                dtype: *dtype,
                tensor_shape: Some(shape),
                tensor_content: content.to_vec().into(),
                half_val: lists.halves.clone(),
                float_val: lists.singles.clone(),
                double_val: lists.doubles.clone(),
                int_val: lists.ints.clone(),
                string_val: lists.texts.iter().map(|text| text.to_vec().into()).collect(),
                int64_val: lists.int64s.clone(),
                bool_val: lists.bools.clone(),
                uint32_val: lists.uints.clone(),
                uint64_val: lists.uint64s.clone(),
                ..TensorProto::default()
            };
            inputs.insert(name.to_owned(), built);
        }
        let output_filter = message.output_filter.into_iter().map(str::to_owned).collect();
        Ok(PredictRequest { model_spec: Message::model_spec(bytes)?, inputs, output_filter })
    }

    fn any_tensor() -> impl Strategy<Value = TensorProto> {
        use prop::collection::vec;
        let shape = (vec(any::<i64>(), 0..3), any::<bool>()).prop_map(|(sizes, unknown_rank)| TensorShapeProto {
            // Of an unknown shape there are no sizes.
            dim: sizes.into_iter().filter(|_| !unknown_rank).map(|size| Dim { size, name: String::new() }).collect(),
            unknown_rank,
        });
        let signed = (vec(any::<i32>(), 0..3), vec(any::<i32>(), 0..3), vec(any::<i64>(), 0..3));
        let unsigned = (vec(any::<u32>(), 0..3), vec(any::<u64>(), 0..3), vec(any::<bool>(), 0..3));
        let real = (vec(any::<f32>(), 0..3), vec(any::<f64>(), 0..3));
        let bytes = (vec(any::<u8>(), 0..5), vec(vec(any::<u8>(), 0..5), 0..3));
        (0..25_i32, shape, signed, unsigned, real, bytes).prop_map(|(dtype, shape, signed, unsigned, real, bytes)| {
            TensorProto {
                dtype,
                tensor_shape: Some(shape),
                half_val: signed.0,
                int_val: signed.1,
                int64_val: signed.2,
                uint32_val: unsigned.0,
                uint64_val: unsigned.1,
                bool_val: unsigned.2,
                float_val: real.0,
                double_val: real.1,
                tensor_content: bytes.0.into(),
                string_val: bytes.1.into_iter().map(Into::into).collect(),
                ..TensorProto::default()
            }
        })
    }

    fn any_request() -> impl Strategy<Value = PredictRequest> {
        let spec = prop::option::of(("[a-z]{0,4}", "[a-z_]{0,4}")).prop_map(|names| {
            names.map(|(name, signature_name)| ModelSpec { name, signature_name, version_choice: None })
        });
        let inputs = prop::collection::btree_map("\\PC{0,4}", any_tensor(), 0..4);
        (spec, inputs, prop::collection::vec("[a-z]{0,4}", 0..3))
            .prop_map(|(model_spec, inputs, output_filter)| PredictRequest { model_spec, inputs, output_filter })
    }

    /// Removes what the parser ignores: names of dimensions and other fields of a tensor. Compared as text, in which
    /// NaN equals NaN.
    fn plain(mut request: PredictRequest) -> String {
        for tensor in request.inputs.values_mut() {
            let shape = tensor.tensor_shape.get_or_insert_default();
            shape.dim.iter_mut().for_each(|dim| dim.name.clear());
            if shape.unknown_rank {
                shape.dim.clear();
            }
            tensor.version_number = 0;
        }
        format!("{request:?}")
    }

    proptest! {
        #[test]
        fn a_request_is_read_as_the_library_reads_it(request in any_request()) {
            let bytes = request.encode_to_vec();
            prop_assert_eq!(plain(rebuilt(&bytes).unwrap()), plain(request));
        }

        #[test]
        fn damage_is_seen_where_the_library_sees_it(request in any_request(), damage in any_damage()) {
            let bytes = damage.apply(request.encode_to_vec());
            assert_parsed_alike(rebuilt(&bytes).map(plain), PredictRequest::decode(&*bytes).map(plain))?;
        }
    }
}
