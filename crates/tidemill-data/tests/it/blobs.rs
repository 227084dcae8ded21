//! Folders of images and of texts.
use std::path::Path;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::Int64Type;
use image::{DynamicImage, ImageFormat};
use tidemill_core::{Code, Coded as _};
use tidemill_data::{DataError, Format, ReadOptions, Table};

fn read(path: &Path, format: Format) -> Result<RecordBatch, DataError> {
    let table = Table::open(path, &ReadOptions { format: Some(format), ..ReadOptions::default() })?;
    let reader = table.read()?;
    let schema = reader.schema();
    let batches = reader.collect::<Result<Vec<_>, _>>()?;
    let all = concat_batches(&schema, &batches)?;
    assert_eq!(table.row_count(), Some(all.num_rows() as u64));
    Ok(all)
}

fn texts<'a>(batch: &'a RecordBatch, name: &str) -> Vec<Option<&'a str>> {
    batch.column_by_name(name).unwrap().as_string::<i32>().iter().collect()
}

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut out = std::io::Cursor::new(Vec::new());
    image.write_to(&mut out, format).unwrap();
    out.into_inner()
}

fn write(root: &Path, name: &str, content: impl AsRef<[u8]>) {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

#[test]
fn images_have_labels_and_sizes() {
    let dir = tempfile::tempdir().unwrap();
    let color = DynamicImage::new_rgb8(4, 3);
    let gray = DynamicImage::new_luma8(2, 5);
    let png = encoded(&color, ImageFormat::Png);
    write(dir.path(), "dogs/old/b.jpg", encoded(&color, ImageFormat::Jpeg));
    write(dir.path(), "cats/a.png", &png);
    write(dir.path(), "cats/.hidden", "x");
    write(dir.path(), "_SUCCESS", "");
    write(dir.path(), "loose.bmp", encoded(&gray, ImageFormat::Bmp));
    let batch = read(dir.path(), Format::Images).unwrap();
    assert_eq!(texts(&batch, "path"), [Some("cats/a.png"), Some("dogs/old/b.jpg"), Some("loose.bmp")]);
    assert_eq!(texts(&batch, "label"), [Some("cats"), Some("dogs"), None]);
    assert_eq!(batch.column_by_name("image").unwrap().as_binary::<i32>().value(0), png);
    let numbers = |name: &str| batch.column_by_name(name).unwrap().as_primitive::<Int64Type>().values().to_vec();
    assert_eq!(numbers("width"), [4, 4, 2]);
    assert_eq!(numbers("height"), [3, 3, 5]);
    assert_eq!(numbers("channels")[..2], [3, 3]);
    // By glob, from where the pattern begins.
    let some = read(&dir.path().join("*/*.png"), Format::Images).unwrap();
    assert_eq!((texts(&some, "path"), texts(&some, "label")), (vec![Some("cats/a.png")], vec![Some("cats")]));
    let columns = ReadOptions {
        format: Some(Format::Images),
        columns: Some(vec!["label".to_owned(), "width".to_owned()]),
        ..ReadOptions::default()
    };
    assert_eq!(Table::open(dir.path(), &columns).unwrap().schema().fields().len(), 2);
}

#[test]
fn an_image_that_is_none_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let png = encoded(&DynamicImage::new_rgb8(64, 64), ImageFormat::Png);
    write(dir.path(), "cats/good.png", &png);
    for (name, content) in
        [("cats/z.png", &png[..png.len() - 30]), ("dogs/readme.txt", b"not an image"), ("e.gif", b"")]
    {
        write(dir.path(), name, content);
        let error = read(dir.path(), Format::Images).unwrap_err();
        assert_eq!(error.code(), Code::SourceMalformed, "{error}");
        assert!(error.to_string().contains(&format!("{name}`: it is no image, or cut short or damaged")), "{error}");
        std::fs::remove_file(dir.path().join(name)).unwrap();
    }
    assert_eq!(read(dir.path(), Format::Images).unwrap().num_rows(), 1);
    // Damage anywhere is found or harmless, never a panic.
    for at in (0..png.len()).step_by(3) {
        let mut damaged = png.clone();
        damaged[at] ^= 0x55;
        write(dir.path(), "cats/good.png", &damaged);
        let _ = read(dir.path(), Format::Images);
    }
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(read(empty.path(), Format::Images).unwrap_err().code(), Code::SourceNotFound);
}

#[test]
fn texts_have_labels() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "pos/1.txt", "\u{feff}Lovely.\nAgain!");
    write(dir.path(), "neg/2.txt", "");
    let batch = read(dir.path(), Format::Texts).unwrap();
    assert_eq!(texts(&batch, "label"), [Some("neg"), Some("pos")]);
    assert_eq!(texts(&batch, "text"), [Some(""), Some("Lovely.\nAgain!")]);
    write(dir.path(), "neg/3.txt", b"ok\ncaf\xe9");
    let error = read(dir.path(), Format::Texts).unwrap_err();
    assert_eq!(error.code(), Code::NotUtf8);
    assert!(error.to_string().contains("3.txt` line 2: byte 0xe9 at offset 6"), "{error}");
}
