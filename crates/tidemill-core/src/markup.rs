//! How HTML reports are put together: the shared look, and the one place that keeps data from becoming part of a page.

/// The look that all pages share: colours for light and dark, headings, facts, controls, tables.
pub const BASE_STYLE: &str = include_str!("markup/base.css");

/// What the scripts of all pages begin with: `page`, which holds the data and the makers of elements.
pub const BASE_SCRIPT: &str = include_str!("markup/base.js");

/// What a report is of: names and dates that neither statistics nor an evaluation know. Shown under the heading, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct About {
    /// Added to the title of the page, so that tabs and printed pages tell reports apart: `taxi-tips, run 0197`.
    pub title: String,
    /// Label and value: `("Model", "taxi-tips version 3")`.
    pub facts: Vec<(String, String)>,
    /// Text and address of related pages, relative to this one.
    pub links: Vec<(String, String)>,
}

impl About {
    /// Adds a fact, unless its value is empty.
    #[must_use]
    pub fn with(mut self, label: &str, value: impl Into<String>) -> Self {
        let value = value.into();
        if !value.is_empty() {
            self.facts.push((label.to_owned(), value));
        }
        self
    }

    /// The facts and links as HTML; empty if there are none.
    pub fn html(&self) -> String {
        let facts = self
            .facts
            .iter()
            .map(|(label, value)| format!("<div><dt>{}</dt><dd>{}</dd></div>", escape(label), escape(value)));
        let links =
            self.links.iter().map(|(text, address)| format!("<a href=\"{}\">{}</a>", escape(address), escape(text)));
        let mut out = String::new();
        if !self.facts.is_empty() {
            out.push_str(&format!("<dl class=\"about-run\">{}</dl>", facts.collect::<String>()));
        }
        if !self.links.is_empty() {
            out.push_str(&format!(
                "<nav class=\"related\" aria-label=\"Related reports\">{}</nav>",
                links.collect::<String>()
            ));
        }
        out
    }

    /// The title of a page with what is added to it.
    pub fn page_title(&self, title: &str) -> String {
        if self.title.is_empty() { title.to_owned() } else { format!("{title} – {}", self.title) }
    }
}

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

/// Text for HTML, with what stands between backticks as code.
pub fn marked(text: &str) -> String {
    let parts = text.split('`').map(escape).enumerate();
    parts.map(|(index, part)| if index % 2 == 1 { format!("<code>{part}</code>") } else { part }).collect()
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
    fn facts_are_listed_and_empty_ones_are_not() {
        let about = About { links: vec![("All <reports>".into(), "index.html".into())], ..About::default() };
        let about = about.with("Model", "a<b version 3").with("Source", "");
        let facts = "<dl class=\"about-run\"><div><dt>Model</dt><dd>a&lt;b version 3</dd></div></dl>";
        assert!(
            about.html().starts_with(facts) && about.html().contains("href=\"index.html\">All &lt;reports&gt;</a>")
        );
        assert_eq!(About::default().html(), "");
        assert_eq!(About::default().page_title("x"), "x");
    }

    #[test]
    fn nothing_written_into_a_page_becomes_part_of_it() {
        assert_eq!(escape("<b a='1'>&\""), "&lt;b a=&#39;1&#39;&gt;&amp;&quot;");
        assert_eq!(marked("is `<x>` now"), "is <code>&lt;x&gt;</code> now");
        assert_eq!(script_safe("</script><!--"), "\\u003c/script\\u003e\\u003c!--");
        assert_eq!(fill("a {{x}} b {{ {{y}}", &[("{{x}}", "{{y}}".into()), ("{{y}}", "2".into())]), "a {{y}} b {{ 2");
    }
}
