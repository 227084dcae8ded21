//! `ModelInferRequest`, parsed in place. Each input would become a message with a map and eight lists; building thirty
//! of them takes longer than a prediction.

use crate::inference::request_error::RequestError;
use crate::protocol::grpc::tensor_wire::{ContentsField, TensorContents, each, entry, fields, part, text, varints};

const NAME: &str = "ModelInferRequest";

/// The tensors of a request, and its other fields.
#[derive(Debug, Default)]
pub(super) struct Message<'a> {
    pub(super) model_name: &'a str,
    pub(super) model_version: &'a str,
    pub(super) id: &'a str,
    /// The names of its parameters.
    pub(super) parameters: Vec<&'a str>,
    /// The messages of its inputs: see [`Input::read`].
    pub(super) inputs: Vec<&'a [u8]>,
    pub(super) outputs: Vec<RequestedOutput<'a>>,
    pub(super) raw: Vec<&'a [u8]>,
}

/// A requested output.
#[derive(Debug, Default)]
pub(super) struct RequestedOutput<'a> {
    pub(super) name: &'a str,
    pub(super) parameters: Vec<&'a str>,
}

/// A tensor, parsed repeatedly into the same memory.
#[derive(Debug, Default)]
pub(super) struct Input<'a> {
    pub(super) name: &'a str,
    pub(super) datatype: &'a str,
    pub(super) shape: Vec<i64>,
    pub(super) parameters: Vec<&'a str>,
    pub(super) contents: TensorContents<'a>,
}

impl<'a> Message<'a> {
    /// Parses all of a request except the contents of its tensors.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, RequestError> {
        let mut message = Self::default();
        fields(NAME, bytes, |number, content| {
            match number {
                1 => message.model_name = text(content)?,
                2 => message.model_version = text(content)?,
                3 => message.id = text(content)?,
                4 => message.parameters.push(entry(content)?.0),
                5 => message.inputs.push(part(content)?),
                6 => message.outputs.push(RequestedOutput::read(part(content)?)?),
                7 => message.raw.push(part(content)?),
                _ => {}
            }
            Ok(())
        })?;
        Ok(message)
    }

    /// The name and the version of the requested model.
    pub(super) fn model(bytes: &'a [u8]) -> Result<(&'a str, &'a str), RequestError> {
        let (mut name, mut version) = ("", "");
        fields(NAME, bytes, |number, content| {
            match number {
                1 => name = text(content)?,
                2 => version = text(content)?,
                _ => {}
            }
            Ok(())
        })?;
        Ok((name, version))
    }
}

impl<'a> RequestedOutput<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, &'static str> {
        let mut output = Self::default();
        each(bytes, |number, content| {
            match number {
                1 => output.name = text(content)?,
                2 => output.parameters.push(entry(content)?.0),
                _ => {}
            }
            Ok(())
        })?;
        Ok(output)
    }
}

impl<'a> Input<'a> {
    /// Parses another tensor in place of this one.
    pub(super) fn read(&mut self, bytes: &'a [u8]) -> Result<(), RequestError> {
        (self.name, self.datatype) = ("", "");
        self.shape.clear();
        self.parameters.clear();
        self.contents.clear();
        fields(NAME, bytes, |number, content| {
            match number {
                1 => self.name = text(content)?,
                2 => self.datatype = text(content)?,
                3 => varints(content, |size| self.shape.push(size as i64))?,
                4 => self.parameters.push(entry(content)?.0),
                5 => each(part(content)?, |number, content| match list(number) {
                    Some(list) => self.contents.append(list, content),
                    None => Ok(()),
                })?,
                _ => {}
            }
            Ok(())
        })
    }
}

/// The list of a field of `InferTensorContents`.
const fn list(number: u64) -> Option<ContentsField> {
    Some(match number {
        1 => ContentsField::Bools,
        2 => ContentsField::Ints,
        3 => ContentsField::Int64s,
        4 => ContentsField::Uints,
        5 => ContentsField::Uint64s,
        6 => ContentsField::Singles,
        7 => ContentsField::Doubles,
        8 => ContentsField::Texts,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use prost::Message as _;

    use super::*;
    use crate::protocol::grpc::proto::inference::infer_parameter::ParameterChoice;
    use crate::protocol::grpc::proto::inference::model_infer_request::{InferInputTensor, InferRequestedOutputTensor};
    use crate::protocol::grpc::proto::inference::{InferParameter, InferTensorContents, ModelInferRequest};
    use crate::protocol::grpc::tensor_wire::damage::{any_damage, assert_parsed_alike};

    /// The request that the library builds from the same bytes.
    fn rebuilt(bytes: &[u8]) -> Result<ModelInferRequest, RequestError> {
        let message = Message::read(bytes)?;
        assert_eq!(Message::model(bytes).unwrap(), (message.model_name, message.model_version));
        let named = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), InferParameter::default())).collect();
        let mut input = Input::default();
        let mut inputs = Vec::new();
        for bytes in message.inputs {
            input.read(bytes)?;
            let TensorContents { bools, ints, int64s, uints, uint64s, singles, doubles, texts, .. } = &input.contents;
            let contents = InferTensorContents {
                bool_contents: bools.clone(),
                int_contents: ints.clone(),
                int64_contents: int64s.clone(),
                uint_contents: uints.clone(),
                uint64_contents: uint64s.clone(),
                fp32_contents: singles.clone(),
                fp64_contents: doubles.clone(),
                bytes_contents: texts.iter().map(|text| text.to_vec().into()).collect(),
            };
            inputs.push(InferInputTensor {
                name: input.name.to_owned(),
                datatype: input.datatype.to_owned(),
                shape: input.shape.clone(),
                parameters: named(&input.parameters),
                contents: Some(contents),
            });
        }
        let outputs = message.outputs.iter().map(|output| InferRequestedOutputTensor {
            name: output.name.to_owned(),
            parameters: named(&output.parameters),
        });
        Ok(ModelInferRequest {
            model_name: message.model_name.to_owned(),
            model_version: message.model_version.to_owned(),
            id: message.id.to_owned(),
            parameters: named(&message.parameters),
            inputs,
            outputs: outputs.collect(),
            raw_input_contents: message.raw.iter().map(|raw| raw.to_vec().into()).collect(),
        })
    }

    fn any_contents() -> impl Strategy<Value = InferTensorContents> {
        use prop::collection::vec;
        let numbers = (vec(any::<bool>(), 0..3), vec(any::<i32>(), 0..3), vec(any::<i64>(), 0..3));
        let unsigned = (vec(any::<u32>(), 0..3), vec(any::<u64>(), 0..3));
        let rest = (vec(any::<f32>(), 0..3), vec(any::<f64>(), 0..3), vec(vec(any::<u8>(), 0..5), 0..3));
        (numbers, unsigned, rest).prop_map(|(numbers, unsigned, rest)| InferTensorContents {
            bool_contents: numbers.0,
            int_contents: numbers.1,
            int64_contents: numbers.2,
            uint_contents: unsigned.0,
            uint64_contents: unsigned.1,
            fp32_contents: rest.0,
            fp64_contents: rest.1,
            bytes_contents: rest.2.into_iter().map(Into::into).collect(),
        })
    }

    fn any_request() -> impl Strategy<Value = ModelInferRequest> {
        use prop::collection::vec;
        let parameters = || {
            vec("[a-z]{0,3}", 0..3).prop_map(|names| {
                let value = InferParameter { parameter_choice: Some(ParameterChoice::Int64Param(1)) };
                names.into_iter().map(|name| (name, value.clone())).collect()
            })
        };
        let input = ("\\PC{0,5}", "[A-Z0-9]{0,5}", vec(any::<i64>(), 0..4), parameters(), any_contents()).prop_map(
            |(name, datatype, shape, parameters, contents)| InferInputTensor {
                name,
                datatype,
                shape,
                parameters,
                contents: Some(contents),
            },
        );
        let output =
            ("[a-z]{0,4}", parameters()).prop_map(|(name, parameters)| InferRequestedOutputTensor { name, parameters });
        let texts = ("\\PC{0,5}", "[0-9]{0,3}", "\\PC{0,5}");
        let lists = (vec(input, 0..4), vec(output, 0..3), vec(vec(any::<u8>(), 0..9), 0..3));
        (texts, parameters(), lists).prop_map(|(texts, parameters, lists)| ModelInferRequest {
            model_name: texts.0,
            model_version: texts.1,
            id: texts.2,
            parameters,
            inputs: lists.0,
            outputs: lists.1,
            raw_input_contents: lists.2.into_iter().map(Into::into).collect(),
        })
    }

    /// Removes what the parser ignores: the values of parameters, and whether there were lists. Compared as text, in
    /// which NaN equals NaN.
    fn plain(mut request: ModelInferRequest) -> String {
        let clear = |parameters: &mut BTreeMap<String, InferParameter>| {
            for value in parameters.values_mut() {
                *value = InferParameter::default();
            }
        };
        clear(&mut request.parameters);
        request.outputs.iter_mut().for_each(|output| clear(&mut output.parameters));
        for input in &mut request.inputs {
            clear(&mut input.parameters);
            input.contents.get_or_insert_default();
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
            assert_parsed_alike(rebuilt(&bytes).map(plain), ModelInferRequest::decode(&*bytes).map(plain))?;
        }
    }
}
