//! The template engine: handlebars, strict, escaping, with our parts already in it.
//!
//! Strict means that a template which names a field its context has not is an error, not a
//! hole in the page. Templates are looked over when the engine is built: one that would write
//! unescaped text, or needs an inline script or style, is refused then and there.

mod helpers;
mod look_over;

use handlebars::Handlebars;
use include_dir::{Dir, include_dir};
use serde::Serialize;

static PARTS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/parts");

/// Renders templates.
pub struct Engine {
    handlebars: Handlebars<'static>,
}

/// A template that cannot be used. Templates are part of the program, so this is a mistake of
/// ours, found when the server starts or by its first test.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Its syntax is wrong.
    #[error("template {name}: {source}")]
    Syntax {
        /// Which one.
        name: String,
        /// What is wrong.
        source: Box<handlebars::TemplateError>,
    },
    /// It would break one of the rules that hold for every page.
    #[error("template {name}, line {line}: {what}")]
    Refused {
        /// Which one.
        name: String,
        /// The line, from 1.
        line: usize,
        /// Which rule, in words.
        what: &'static str,
    },
    /// Two have the same name.
    #[error("there are two templates named {0}")]
    Twice(String),
    /// It is not UTF-8.
    #[error("template {0} is not UTF-8")]
    NotText(String),
}

/// A page that could not be rendered.
#[derive(Debug, thiserror::Error)]
#[error("render {template}: {source}")]
pub struct RenderError {
    template: String,
    source: Box<handlebars::RenderError>,
}

/// A context that can show what it may look like, so that a test renders its template in
/// every state it has: empty, full, with an error, with the longest text.
pub trait Sample: Serialize + Sized {
    /// One value for each state.
    fn samples() -> Vec<Self>;
}

impl Engine {
    /// With our parts and these templates, each a name and its text.
    pub fn new(templates: &[(&str, &str)]) -> Result<Self, BuildError> {
        let mut handlebars = Handlebars::new();
        handlebars.set_strict_mode(true);
        // Else what stands in a textarea or in `pre` would be indented with its part.
        handlebars.set_prevent_indent(true);
        helpers::register(&mut handlebars);
        let mut engine = Self { handlebars };
        engine.add_dir(&PARTS)?;
        for (name, text) in templates {
            engine.add(name, text)?;
        }
        Ok(engine)
    }

    /// With our parts and every `*.hbs` of a folder that was embedded; a template is named by
    /// its path without the ending, as in `admin/home`.
    pub fn from_dir(templates: &Dir<'_>) -> Result<Self, BuildError> {
        let mut engine = Self::new(&[])?;
        engine.add_dir(templates)?;
        Ok(engine)
    }

    /// Renders a template, or one of our parts, with a context.
    pub fn render<C: Serialize>(&self, name: &str, context: &C) -> Result<String, RenderError> {
        self.handlebars
            .render(name, context)
            .map_err(|source| RenderError { template: name.to_owned(), source: Box::new(source) })
    }

    /// Renders a template with each sample of its context and looks the result over with
    /// [`crate::markup::problems`]. For tests: gives every problem, empty if there is none.
    pub fn try_samples<C: Sample>(&self, name: &str) -> Vec<String> {
        let mut problems = Vec::new();
        for (number, sample) in C::samples().iter().enumerate() {
            match self.render(name, sample) {
                Ok(html) => problems.extend(
                    crate::markup::problems(&html)
                        .into_iter()
                        .map(|what| format!("{name}, sample {number}: {what}")),
                ),
                Err(error) => problems.push(format!("sample {number}: {error}")),
            }
        }
        problems
    }

    /// The names of all templates, ours and the server's, sorted.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> =
            self.handlebars.get_templates().keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    fn add(&mut self, name: &str, text: &str) -> Result<(), BuildError> {
        look_over::template(name, text)?;
        if self.handlebars.has_template(name) {
            return Err(BuildError::Twice(name.to_owned()));
        }
        self.handlebars.register_template_string(name, text).map_err(|source| BuildError::Syntax {
            name: name.to_owned(),
            source: Box::new(source),
        })
    }

    fn add_dir(&mut self, dir: &Dir<'_>) -> Result<(), BuildError> {
        for file in dir.files() {
            let path = file.path().to_string_lossy().replace('\\', "/");
            if let Some(name) = path.strip_suffix(".hbs") {
                let text = file.contents_utf8().ok_or_else(|| BuildError::NotText(path.clone()))?;
                self.add(name, text)?;
            }
        }
        dir.dirs().try_for_each(|inner| self.add_dir(inner))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Html;

    fn render(template: &str, context: &serde_json::Value) -> Result<String, RenderError> {
        Engine::new(&[("page", template)]).unwrap().render("page", context)
    }

    #[test]
    fn text_is_escaped() {
        let html = render("<p>{{name}}</p>", &json!({ "name": "<script>'\"&" })).unwrap();
        assert_eq!(html, "<p>&lt;script&gt;&#x27;&quot;&amp;</p>");
    }

    #[test]
    fn a_missing_field_is_an_error_that_names_the_template() {
        let error = render("{{nothing}}", &json!({})).unwrap_err();
        assert!(error.to_string().contains("page"), "{error}");
    }

    #[test]
    fn template_syntax_in_data_stays_text() {
        let html = render("{{name}}", &json!({ "name": "{{name}} {{> layout}}" })).unwrap();
        assert_eq!(html, "{{name}} {{&gt; layout}}");
    }

    #[test]
    fn only_sanitised_html_is_written_as_it_is() {
        let engine = Engine::new(&[("page", "{{html body}}")]).unwrap();
        let body = Html::clean("<p>hi<script>x</script></p>");
        assert_eq!(engine.render("page", &json!({ "body": body })).unwrap(), "<p>hi</p>");
        for body in [json!("<p>hi</p>"), json!({ "html": "<p>" }), json!(null), json!([1])] {
            assert!(engine.render("page", &json!({ "body": body })).is_err(), "{body}");
        }
    }

    #[test]
    fn a_template_that_writes_unescaped_or_needs_an_inline_script_is_refused() {
        for text in [
            "{{{name}}}",
            "{{& name}}",
            "{{~& name}}",
            "{{{{raw}}}}x{{{{/raw}}}}",
            "<p style=\"color:red\">",
            "<p\n style='x'>",
            "<a onclick=\"x()\">",
            "<script>x()</script>",
            "<SCRIPT type=module>x()</SCRIPT>",
            "<style>p{}</style>",
            "<a href=\"javascript:x()\">",
        ] {
            let refused = Engine::new(&[("page", text)]);
            assert!(matches!(refused, Err(BuildError::Refused { .. })), "{text}");
        }
    }

    #[test]
    fn wrong_syntax_and_a_name_taken_twice_are_refused() {
        assert!(matches!(Engine::new(&[("page", "{{#if x}}")]), Err(BuildError::Syntax { .. })));
        assert!(matches!(Engine::new(&[("layout", "x")]), Err(BuildError::Twice(_))));
    }

    #[test]
    fn a_day_and_a_moment_are_written_for_people_and_for_programs() {
        let context = json!({ "at": "2026-02-03T04:05:06.789Z" });
        assert_eq!(
            render("{{date at}}", &context).unwrap(),
            "<time datetime=\"2026-02-03T04:05:06Z\">3 February 2026</time>"
        );
        assert_eq!(
            render("{{moment at}}", &context).unwrap(),
            "<time datetime=\"2026-02-03T04:05:06Z\">3 February 2026, 04:05 UTC</time>"
        );
        assert!(render("{{date at}}", &json!({ "at": "soon" })).is_err());
    }

    #[test]
    fn one_thing_is_singular_and_more_or_none_are_plural() {
        for (count, text) in [(0, "0 agents"), (1, "1 agent"), (1200, "1,200 agents")] {
            let template = "{{plural count \"agent\" \"agents\"}}";
            assert_eq!(render(template, &json!({ "count": count })).unwrap(), text);
        }
    }

    #[test]
    fn an_asset_has_its_hash_and_one_there_is_not_is_an_error() {
        let html = render("{{asset \"base.css\"}}", &json!({})).unwrap();
        assert!(html == crate::assets::href("base.css").unwrap(), "{html}");
        assert!(render("{{asset \"nothing.css\"}}", &json!({})).is_err());
        assert!(render("{{icon \"nothing\"}}", &json!({})).is_err());
    }
}
