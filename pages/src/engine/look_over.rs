//! What no template may hold, looked for in its text.

use super::BuildError;

/// Refuses unescaped output, and whatever the content security policy would not run anyway.
pub(super) fn template(name: &str, text: &str) -> Result<(), BuildError> {
    for (number, line) in text.lines().enumerate() {
        let lower = line.to_ascii_lowercase();
        let squeezed: String = lower.chars().filter(|c| !c.is_whitespace() && *c != '~').collect();
        let what = if squeezed.contains("{{{") || squeezed.contains("{{&") {
            "writes unescaped text: hand in an `Html` and use {{html ..}}"
        } else if has_attribute(&lower, |attribute| attribute == "style") {
            "has a style attribute, which the policy forbids: use a class"
        } else if has_attribute(&lower, is_handler) {
            "has an event handler, which the policy forbids: use a script component"
        } else if lower.contains("<style") {
            "has an inline style sheet, which the policy forbids"
        } else if lower.contains("javascript:") {
            "has a javascript: address"
        } else if has_inline_script(&lower) {
            "has an inline script, which the policy forbids"
        } else {
            continue;
        };
        return Err(BuildError::Refused { name: name.to_owned(), line: number + 1, what });
    }
    Ok(())
}

fn has_inline_script(line: &str) -> bool {
    let mut tags = line.split("<script").skip(1).map(|rest| rest.split('>').next().unwrap_or(rest));
    tags.any(|tag| !tag.contains(" src="))
}

fn is_handler(attribute: &str) -> bool {
    attribute.len() > 3
        && attribute.starts_with("on")
        && attribute.bytes().all(|byte| byte.is_ascii_lowercase())
}

/// Whether a word before `=` and after white space, outside quotes' text as far as one line
/// can tell, is such an attribute.
fn has_attribute(line: &str, such: impl Fn(&str) -> bool) -> bool {
    let mut before = line;
    while let Some(at) = before.rfind('=') {
        before = &before[..at];
        let trimmed = before.trim_end();
        let start = trimmed
            .rfind(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
            .map_or(0, |at| at + 1);
        let follows_space = start == 0 || trimmed[..start].ends_with(char::is_whitespace);
        // Inside `{{ }}` a word before `=` is a handlebars parameter.
        let in_expression = trimmed.rfind("{{") > trimmed.rfind("}}");
        if follows_space && !in_expression && such(&trimmed[start..]) {
            return true;
        }
    }
    false
}
