//! The attributes of a node.

use super::generated::{AttributeProto, NodeProto};
use super::value::Tensor;

/// The attributes of a node, by name.
#[derive(Clone, Copy)]
pub(crate) struct Attributes<'a>(&'a NodeProto);

impl<'a> Attributes<'a> {
    pub(crate) fn of(node: &'a NodeProto) -> Self {
        Self(node)
    }

    fn get(self, name: &str) -> Option<&'a AttributeProto> {
        self.0.attribute.iter().find(|attribute| attribute.name == name)
    }

    pub(crate) fn has(self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(crate) fn int(self, name: &str, default: i64) -> i64 {
        self.get(name).map_or(default, |attribute| attribute.i)
    }

    pub(crate) fn float(self, name: &str, default: f32) -> f32 {
        self.get(name).map_or(default, |attribute| attribute.f)
    }

    pub(crate) fn ints(self, name: &str) -> &'a [i64] {
        self.get(name).map_or(&[], |attribute| &attribute.ints)
    }

    pub(crate) fn floats(self, name: &str) -> &'a [f32] {
        self.get(name).map_or(&[], |attribute| &attribute.floats)
    }

    pub(crate) fn text(self, name: &str, default: &str) -> Result<String, String> {
        match self.get(name) {
            Some(attribute) => utf8(&attribute.s),
            None => Ok(default.to_owned()),
        }
    }

    pub(crate) fn texts(self, name: &str) -> Result<Vec<String>, String> {
        self.get(name).map_or(Ok(Vec::new()), |attribute| attribute.strings.iter().map(|text| utf8(text)).collect())
    }

    pub(crate) fn tensor(self, name: &str) -> Result<Option<Tensor>, String> {
        self.get(name).and_then(|attribute| attribute.t.as_ref()).map(Tensor::read).transpose()
    }

    /// Numbers stored in 32 bits or, in newer versions, in a tensor of 64.
    pub(crate) fn numbers(self, name: &str) -> Result<Vec<f64>, String> {
        if let Some(tensor) = self.tensor(&format!("{name}_as_tensor"))? {
            return Ok(tensor.floats()?.into_owned());
        }
        Ok(self.floats(name).iter().map(|x| f64::from(*x)).collect())
    }
}

fn utf8(bytes: &[u8]) -> Result<String, String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| "a text is not UTF-8".to_owned())
}
