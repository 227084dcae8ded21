//! CSV under any options: the first bytes say delimiter, quote, header, decimal sign and null token, the rest is the file.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidemill_data::{CsvOptions, Decimal, Format, Header, ReadOptions};

mod files;

fuzz_target!(|data: &[u8]| {
    let Some(([delimiter, quote, header, null], file)) = data.split_first_chunk::<4>() else { return };
    let csv = CsvOptions {
        delimiter: (*delimiter > 0).then_some(*delimiter),
        quote: (*quote > 0).then_some(*quote),
        null_tokens: if *null > 0 { vec![char::from(*null).to_string()] } else { Vec::new() },
        decimal: if header & 4 == 0 { Decimal::Point } else { Decimal::Comma },
        header: match header % 3 {
            0 => Header::FirstLine,
            1 => Header::Numbered,
            _ => Header::Names(vec!["a".to_owned(), "b".to_owned()]),
        },
    };
    files::read_all(file, ReadOptions { format: Some(Format::Csv), csv, ..ReadOptions::default() });
});
