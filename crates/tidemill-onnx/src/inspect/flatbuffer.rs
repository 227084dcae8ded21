//! Tables of a flatbuffer, parsed in place; every offset is checked.

/// Longer texts are rejected: any number of tables may share one.
const TEXT_BYTES_MAX: usize = 1024;
/// Why the data cannot be parsed.
const OUTSIDE: &str = "an offset leads out of the file";

/// A table: optional fields by number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Table<'a> {
    /// The root table of the file.
    pub(super) fn root(bytes: &'a [u8]) -> Result<Self, String> {
        Ok(Self { bytes, at: follow(bytes, 0)? })
    }

    /// The position of a field; `None` if it is left out.
    fn field(&self, number: usize) -> Result<Option<usize>, String> {
        let back = i64::from(u32_at(self.bytes, self.at)?.cast_signed());
        let directory = usize::try_from(self.at as i64 - back).map_err(|_| OUTSIDE)?;
        let slot = 4 + 2 * number;
        if slot + 2 > usize::from(u16_at(self.bytes, directory)?) {
            return Ok(None);
        }
        let offset = usize::from(u16_at(self.bytes, directory + slot)?);
        Ok((offset > 0).then_some(self.at + offset))
    }

    pub(super) fn u32(&self, number: usize, default: u32) -> Result<u32, String> {
        self.field(number)?.map_or(Ok(default), |at| u32_at(self.bytes, at))
    }

    pub(super) fn u8(&self, number: usize, default: u8) -> Result<u8, String> {
        self.field(number)?.map_or(Ok(default), |at| self.bytes.get(at).copied().ok_or_else(|| OUTSIDE.to_owned()))
    }

    /// Text, empty if it is left out.
    pub(super) fn text(&self, number: usize) -> Result<String, String> {
        let Some(at) = self.field(number)? else { return Ok(String::new()) };
        let (start, length) = list(self.bytes, at, 1)?;
        if length > TEXT_BYTES_MAX {
            return Err(format!("a name has {length} bytes"));
        }
        Ok(String::from_utf8_lossy(&self.bytes[start..start + length]).into_owned())
    }

    /// 32-bit numbers, none if they are left out.
    pub(super) fn numbers(&self, number: usize) -> Result<impl ExactSizeIterator<Item = u32> + use<'a>, String> {
        let (start, length) = self.field(number)?.map_or(Ok((0, 0)), |at| list(self.bytes, at, 4))?;
        let (words, _) = self.bytes[start..start + 4 * length].as_chunks();
        Ok(words.iter().map(|word| u32::from_le_bytes(*word)))
    }

    /// The tables of a list, none if it is left out.
    pub(super) fn tables(
        &self,
        number: usize,
    ) -> Result<impl ExactSizeIterator<Item = Result<Self, String>> + use<'a>, String> {
        let bytes = self.bytes;
        let (start, length) = self.field(number)?.map_or(Ok((0, 0)), |at| list(bytes, at, 4))?;
        Ok((0..length).map(move |index| follow(bytes, start + 4 * index).map(|at| Self { bytes, at })))
    }

    /// One table of a list.
    pub(super) fn table(&self, number: usize, index: u32) -> Result<Self, String> {
        let (start, length) = self.field(number)?.map_or(Ok((0, 0)), |at| list(self.bytes, at, 4))?;
        if index as usize >= length {
            return Err(format!("item {index} of {length} is asked for"));
        }
        Ok(Self { bytes: self.bytes, at: follow(self.bytes, start + 4 * index as usize)? })
    }
}

/// Start and length of a list whose items have this many bytes; all of it is inside the file.
fn list(bytes: &[u8], at: usize, item: usize) -> Result<(usize, usize), String> {
    let place = follow(bytes, at)?;
    let length = u32_at(bytes, place)? as usize;
    let start = place + 4;
    match length.checked_mul(item).and_then(|size| start.checked_add(size)) {
        Some(end) if end <= bytes.len() => Ok((start, length)),
        _ => Err(format!("a list of {length} is announced at {place}, and the file ends before")),
    }
}

fn follow(bytes: &[u8], at: usize) -> Result<usize, String> {
    at.checked_add(u32_at(bytes, at)? as usize).ok_or_else(|| OUTSIDE.to_owned())
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, String> {
    let word = bytes.get(at..).and_then(|rest| rest.first_chunk());
    word.map(|word| u32::from_le_bytes(*word)).ok_or_else(|| OUTSIDE.to_owned())
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, String> {
    let word = bytes.get(at..).and_then(|rest| rest.first_chunk());
    word.map(|word| u16::from_le_bytes(*word)).ok_or_else(|| OUTSIDE.to_owned())
}
