//! Looks over a rendered page for what a browser or a screen reader would trip over: for
//! tests. It reads the HTML that our templates write, not any HTML.

use std::collections::{BTreeMap, BTreeSet};

const VOID: [&str; 9] = ["br", "col", "hr", "img", "input", "link", "meta", "source", "path"];

/// Every problem in words, empty if there is none: elements that are not closed, ids that
/// are there twice, references to ids that are not there, controls without a label, pictures
/// without a text, and whatever the content security policy forbids.
#[must_use]
pub fn problems(html: &str) -> Vec<String> {
    let mut found = Found::default();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if rest.starts_with('!') {
            continue;
        }
        let Some(tag) = tag(rest) else {
            found.problems.push(format!("a stray <: {rest:.40}"));
            continue;
        };
        rest = &rest[tag.len()..];
        found.take(tag);
    }
    found.finish()
}

#[derive(Default)]
struct Found {
    problems: Vec<String>,
    open: Vec<String>,
    ids: BTreeSet<String>,
    references: Vec<(String, String)>,
    labels: BTreeSet<String>,
    controls: Vec<(String, Option<String>)>,
    in_label: usize,
}

impl Found {
    fn take(&mut self, tag: &str) {
        if let Some(name) = tag.strip_prefix('/') {
            match self.open.pop() {
                Some(open) if open == name => {}
                open => self.problems.push(format!("</{name}> closes {open:?}")),
            }
            self.in_label -= usize::from(name == "label" && self.in_label > 0);
            return;
        }
        let closed = tag.ends_with('/');
        let (name, attributes) = read(tag.trim_end_matches('/'));
        let get = |key: &str| attributes.get(key).copied();
        if let Some(id) = get("id")
            && !self.ids.insert(id.to_owned())
        {
            self.problems.push(format!("the id {id} is there twice"));
        }
        for (key, value) in &attributes {
            if *key == "style" || key.starts_with("on") {
                self.problems.push(format!("<{name}> has the attribute {key}"));
            }
            if ["for", "aria-describedby", "aria-labelledby", "aria-controls", "popovertarget"]
                .contains(key)
            {
                let ids = value.split_whitespace().map(|id| ((*key).to_owned(), id.to_owned()));
                self.references.extend(ids);
            }
        }
        match name {
            "label" => {
                self.labels.extend(get("for").map(str::to_owned));
                self.in_label += 1;
            }
            "script" if get("src").is_none() => self.problems.push("an inline script".to_owned()),
            "style" => self.problems.push("an inline style sheet".to_owned()),
            "img" if get("alt").is_none() => self.problems.push("a picture without alt".to_owned()),
            "form" if get("method").is_none() => {
                self.problems.push("a form without method".to_owned());
            }
            "button" if get("type").is_none() => {
                self.problems.push("a button without type".to_owned());
            }
            "input" | "select" | "textarea"
                if get("type") != Some("hidden")
                    && get("aria-label").is_none()
                    && get("aria-labelledby").is_none()
                    && self.in_label == 0 =>
            {
                self.controls.push((name.to_owned(), get("id").map(str::to_owned)));
            }
            _ => {}
        }
        if !closed && !VOID.contains(&name) {
            self.open.push(name.to_owned());
        }
    }

    fn finish(self) -> Vec<String> {
        let Self { mut problems, open, ids, references, labels, controls, in_label: _ } = self;
        problems.extend(open.iter().map(|name| format!("<{name}> is not closed")));
        problems.extend(
            references
                .iter()
                .filter(|(_, id)| !ids.contains(id))
                .map(|(key, id)| format!("{key} names {id}, which is not there")),
        );
        problems.extend(
            controls
                .iter()
                .filter(|(_, id)| !id.as_ref().is_some_and(|id| labels.contains(id)))
                .map(|(name, id)| format!("<{name} id={id:?}> has no label")),
        );
        problems
    }
}

/// The inside of a tag up to its `>`, which may stand in a quoted value as well.
fn tag(text: &str) -> Option<&str> {
    if !text.trim_start_matches('/').starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let mut quoted = false;
    let end = text.find(|c| {
        quoted ^= c == '"';
        c == '>' && !quoted
    })?;
    Some(&text[..end])
}

/// A tag's name and attributes; values are as they stand, escapes and all.
fn read(tag: &str) -> (&str, BTreeMap<&str, &str>) {
    let (name, mut rest) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
    let mut attributes = BTreeMap::new();
    loop {
        rest = rest.trim_start();
        let end = rest.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(rest.len());
        let (key, after) = rest.split_at(end);
        if key.is_empty() {
            return (name, attributes);
        }
        let (value, after) = match after.strip_prefix("=\"") {
            Some(after) => after.split_once('"').unwrap_or((after, "")),
            None => ("", after.strip_prefix('=').unwrap_or(after)),
        };
        attributes.insert(key, value);
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_html_has_no_problem() {
        let html = "<!doctype html><form method=\"post\"><label for=\"a\">A</label>\
                    <input id=\"a\" value=\"1 > 0\"><br><button type=\"submit\">Go</button></form>";
        assert_eq!(problems(html), Vec::<String>::new());
    }

    #[test]
    fn each_mistake_is_told() {
        for (html, what) in [
            ("<p><b></p></b>", "closes"),
            ("<p>", "not closed"),
            ("<p id=\"a\"></p><p id=\"a\"></p>", "twice"),
            ("<p aria-describedby=\"x\"></p>", "names x"),
            ("<input id=\"a\">", "no label"),
            ("<img src=\"a\">", "alt"),
            ("<p style=\"x\"></p>", "style"),
            ("<p onclick=\"x\"></p>", "onclick"),
            ("<script>x</script>", "inline script"),
            ("a < b", "stray"),
        ] {
            let problems = problems(html);
            assert!(problems.iter().any(|problem| problem.contains(what)), "{html}: {problems:?}");
        }
    }
}
