//! The table of `docs/conformance.md` names tests that exist.

use std::path::Path;

#[test]
fn every_test_that_the_table_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = std::fs::read_to_string(root.join("../../docs/conformance.md")).unwrap();
    let named: Vec<(&str, &str)> = table.split('`').filter_map(|text| text.split_once("::")).collect();
    assert!(named.len() > 60, "{} tests", named.len());
    for (file, test) in named {
        // The tests of a module may have a file of their own.
        let own = file.strip_suffix(".rs").unwrap_or(file);
        let paths = match own.strip_prefix("src/") {
            Some(module) => vec![root.join(format!("src/{module}.rs")), root.join(format!("src/{module}/tests.rs"))],
            None => vec![root.join(format!("tests/it/{own}.rs")), root.join(format!("tests/{own}.rs"))],
        };
        let texts: String = paths.iter().filter_map(|path| std::fs::read_to_string(path).ok()).collect();
        assert!(texts.contains(&format!("fn {test}(")), "there is no test `{test}` in `{file}`");
    }
}
