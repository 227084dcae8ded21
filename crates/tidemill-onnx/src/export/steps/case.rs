//! `lower`, `upper` and `strip` as nodes of ONNX: they are remembered as pending steps, for patterns over the text.

use super::ExportStep;
use crate::export::builder::{Builder, Name};
use crate::export::pattern::{Case, TextForm};
use crate::export::source::Raw;

pub(super) struct Lower;
pub(super) struct Upper;
pub(super) struct Strip;

fn form(raw: &mut Raw) -> Result<&mut TextForm, String> {
    match raw {
        Raw::Text { form, .. } => Ok(form),
        _ => Err("a step over text before a table has no form in ONNX".to_owned()),
    }
}

impl ExportStep for Lower {
    fn prepare(&self, _: &mut Builder, raw: &mut Raw) -> Result<Option<Name>, String> {
        let form = form(raw)?;
        *form = form.cased(Case::Lower)?;
        Ok(None)
    }
}

impl ExportStep for Upper {
    fn prepare(&self, _: &mut Builder, raw: &mut Raw) -> Result<Option<Name>, String> {
        let form = form(raw)?;
        *form = form.cased(Case::Upper)?;
        Ok(None)
    }
}

impl ExportStep for Strip {
    fn prepare(&self, _: &mut Builder, raw: &mut Raw) -> Result<Option<Name>, String> {
        let form = form(raw)?;
        *form = TextForm { strip: true, ..*form };
        Ok(None)
    }
}
