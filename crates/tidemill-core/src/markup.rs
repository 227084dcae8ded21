//! How HTML reports are put together: the shared look, and the one place that keeps data from becoming part of a page.

/// The look that all pages share: colours for light and dark, headings, facts, controls, tables.
pub const BASE_STYLE: &str = include_str!("markup/base.css");

/// What the scripts of all pages begin with: `page`, which holds the data and the makers of elements.
pub const BASE_SCRIPT: &str = include_str!("markup/base.js");

/// Text for HTML, in elements and in quoted attributes.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

/// JSON for a script element: nothing in it can end the element or begin a comment.
pub fn script_safe(json: &str) -> String {
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// The template with its places filled, each once and in order, so that no part is ever searched for places.
pub fn fill(template: &str, parts: &[(&str, String)]) -> String {
    let mut out = String::with_capacity(template.len() + parts.iter().map(|part| part.1.len()).sum::<usize>());
    let mut rest = template;
    while let Some(start) = rest.find("{{") {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        match parts.iter().find(|(place, _)| rest.starts_with(place)) {
            Some((place, text)) => {
                out.push_str(text);
                rest = &rest[place.len()..];
            }
            None => {
                out.push_str("{{");
                rest = &rest[2..];
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_written_into_a_page_becomes_part_of_it() {
        assert_eq!(escape("<b a='1'>&\""), "&lt;b a=&#39;1&#39;&gt;&amp;&quot;");
        assert_eq!(script_safe("</script><!--"), "\\u003c/script\\u003e\\u003c!--");
        assert_eq!(fill("a {{x}} b {{ {{y}}", &[("{{x}}", "{{y}}".into()), ("{{y}}", "2".into())]), "a {{y}} b {{ 2");
    }
}
