//! `lower`, `upper` and `strip`.

use std::borrow::Cow;

use super::super::Stage;
use super::super::mapper::MapStep;
use super::super::run::TextOp;

/// See [`Mapper::Lower`](super::Mapper::Lower).
#[derive(Debug)]
pub(super) struct Lower;
/// See [`Mapper::Upper`](super::Mapper::Upper).
#[derive(Debug)]
pub(super) struct Upper;
/// See [`Mapper::Strip`](super::Mapper::Strip).
#[derive(Debug)]
pub(super) struct Strip;

macro_rules! text_steps {
    ($($step:ident: $name:literal),+ $(,)?) => {
        $(impl MapStep for $step {
            fn name(&self) -> &'static str {
                $name
            }

            fn output(&self, stage: Stage) -> Result<Stage, String> {
                self.only(Stage::Text, stage, Stage::Text)
            }

            fn maps_text(&self) -> bool {
                true
            }

            fn text_op(&self) -> Option<Box<dyn TextOp>> {
                Some(Box::new(Self))
            }
        })+
    };
}

text_steps!(Lower: "lower", Upper: "upper", Strip: "strip");

/// Texts that are in the right case already, as most are, are not copied.
impl TextOp for Lower {
    fn apply<'a>(&'a self, text: Option<Cow<'a, str>>, _: &mut bool) -> Option<Cow<'a, str>> {
        let text = text?;
        if text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
            return Some(text);
        }
        Some(Cow::Owned(text.to_lowercase()))
    }
}

impl TextOp for Upper {
    fn apply<'a>(&'a self, text: Option<Cow<'a, str>>, _: &mut bool) -> Option<Cow<'a, str>> {
        let text = text?;
        if text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_lowercase()) {
            return Some(text);
        }
        Some(Cow::Owned(text.to_uppercase()))
    }
}

impl TextOp for Strip {
    fn apply<'a>(&'a self, text: Option<Cow<'a, str>>, _: &mut bool) -> Option<Cow<'a, str>> {
        Some(match text? {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
            Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
        })
    }
}
