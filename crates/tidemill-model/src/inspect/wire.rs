//! Protocol buffers field by field, without building messages: what is not asked for costs nothing.

/// A field's value. Numbers of fixed width are passed over by all readers here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    Fixed,
}

/// Hands on the number and value of each field of a message.
pub(super) fn fields<'a>(
    mut bytes: &'a [u8],
    mut take: impl FnMut(u64, Field<'a>) -> Result<(), String>,
) -> Result<(), String> {
    while !bytes.is_empty() {
        let key = varint(&mut bytes)?;
        let field = match key & 7 {
            0 => Field::Varint(varint(&mut bytes)?),
            1 => front(&mut bytes, 8).map(|_| Field::Fixed)?,
            2 => {
                let length = varint(&mut bytes)?;
                Field::Bytes(front(&mut bytes, length)?)
            }
            5 => front(&mut bytes, 4).map(|_| Field::Fixed)?,
            other => return Err(format!("a field has the wire type {other}")),
        };
        take(key >> 3, field)?;
    }
    Ok(())
}

/// As text; what is no UTF-8 is replaced.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn front<'a>(bytes: &mut &'a [u8], length: u64) -> Result<&'a [u8], String> {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let (part, rest) =
        bytes.split_at_checked(length).ok_or_else(|| format!("{length} bytes are announced, {} left", bytes.len()))?;
    *bytes = rest;
    Ok(part)
}

fn varint(bytes: &mut &[u8]) -> Result<u64, String> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first().ok_or("it ends within a number")?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err("a number is longer than 64 bits".to_owned())
}
