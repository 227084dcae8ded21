//! The fields of a message, handed on one by one.

use tidemill_proto::wire::{Content, Wire};

/// Hands on the number and content of each field of a message.
pub(super) fn fields<'a>(
    bytes: &'a [u8],
    mut take: impl FnMut(u64, Content<'a>) -> Result<(), String>,
) -> Result<(), String> {
    let mut wire = Wire::new(bytes);
    while let Some((number, content)) = wire.next_field()? {
        take(number, content)?;
    }
    Ok(())
}

/// As text; what is no UTF-8 is replaced.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
