//! What people read and see: lines, addresses, languages, looks.

use super::{Rule, pattern};
use crate::text::is_colour;

/// Places of lines that people read.
const LINES: [&str; 6] = [
    "spec.identity.displayName",
    "spec.identity.tagline",
    "spec.identity.mobileApp.name",
    "spec.monetization.tiers[].name",
    "spec.monetization.tiers[].summary",
    "spec.monetization.tiers[].benefits[]",
];

/// Places of colours.
const COLOURS: [&str; 10] = [
    "spec.identity.branding.palette.primary",
    "spec.identity.branding.palette.accent",
    "spec.identity.branding.palette.background",
    "spec.identity.branding.palette.surface",
    "spec.identity.branding.palette.text",
    "spec.identity.branding.palette.dark.primary",
    "spec.identity.branding.palette.dark.accent",
    "spec.identity.branding.palette.dark.background",
    "spec.identity.branding.palette.dark.surface",
    "spec.identity.branding.palette.dark.text",
];

const PICTURES: [&str; 4] = ["svg", "png", "webp", "ico"];

pub(super) fn rules() -> Vec<Rule> {
    vec![
        pattern(
            &LINES,
            "is not one line of text without spaces around it",
            r"^[^\x00-\x20\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\x9f])?$",
            |here, faults| faults.text(here, is_line, line),
        ),
        pattern(
            &["spec.identity.supportEmail"],
            "is not a mail address",
            r"^[^@\x00-\x20\x7f-\x9f]+@[^@\x00-\x20\x7f-\x9f]+[.][^@\x00-\x20\x7f-\x9f]+$",
            |here, faults| {
                faults.text(here, is_email, |_| "an address such as help@example.com".into());
            },
        ),
        pattern(
            &["spec.identity.languages[]"],
            "is not a language tag",
            "^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$",
            |here, faults| {
                faults.text(here, is_language, |_| "a tag such as en, de or pt-BR".into());
            },
        ),
        pattern(
            &["spec.identity.branding.logo", "spec.identity.branding.favicon"],
            "is not the path of a picture beside the blueprint",
            "^[A-Za-z0-9_-]+([/.][A-Za-z0-9_-]+)*[.](svg|png|webp|ico)$",
            |here, faults| {
                faults.text(here, is_picture, |_| {
                    "a path such as brand/logo.svg (svg, png, webp or ico)".into()
                });
            },
        ),
        pattern(
            &COLOURS,
            "is not a colour written as #rrggbb in lowercase",
            "^#[0-9a-f]{6}$",
            |here, faults| faults.text(here, is_colour, colour),
        ),
        pattern(
            &["spec.identity.mobileApp.bundleId"],
            "is not an identifier that both app stores take",
            "^[a-z][a-z0-9]*([.][a-z][a-z0-9]*)+$",
            |here, faults| {
                faults.text(here, is_bundle_id, |_| {
                    "a reversed domain such as com.example.learning".into()
                });
            },
        ),
    ]
}

fn is_line(text: &str) -> bool {
    !text.is_empty()
        && !text.contains(char::is_control)
        && !text.starts_with(' ')
        && !text.ends_with(' ')
}

fn line(text: &str) -> String {
    let words = text.split(|c: char| c == ' ' || c.is_control());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    if words.is_empty() { "a few words".into() } else { words.join(" ") }
}

fn is_email(text: &str) -> bool {
    let Some((person, host)) = text.split_once('@') else { return false };
    let odd = |c: char| c == '@' || c == ' ' || c.is_control();
    let plain = |part: &str| !part.is_empty() && !part.contains(odd);
    plain(person) && plain(host) && dotted_inside(host)
}

/// Whether a dot stands with something on both sides of it.
fn dotted_inside(host: &str) -> bool {
    host.char_indices().any(|(at, c)| c == '.' && at > 0 && at + 1 < host.len())
}

fn is_language(tag: &str) -> bool {
    let mut parts = tag.split('-').peekable();
    let all = |text: &str, is: fn(&u8) -> bool| text.bytes().all(|b| is(&b));
    let language = parts.next().unwrap_or_default();
    if !(2..=3).contains(&language.len()) || !all(language, u8::is_ascii_lowercase) {
        return false;
    }
    let is_script = |text: &str| {
        text.len() == 4
            && text.starts_with(|c: char| c.is_ascii_uppercase())
            && text.bytes().skip(1).all(|b| b.is_ascii_lowercase())
    };
    parts.next_if(|part| is_script(part));
    let is_region = |text: &str| {
        (text.len() == 2 && all(text, u8::is_ascii_uppercase))
            || (text.len() == 3 && all(text, u8::is_ascii_digit))
    };
    parts.next_if(|part| is_region(part));
    parts.next().is_none()
}

fn is_picture(path: &str) -> bool {
    let word = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    };
    let Some((stem, kind)) = path.rsplit_once('.') else { return false };
    PICTURES.contains(&kind) && stem.split(['/', '.']).all(word)
}

fn colour(written: &str) -> String {
    let hex = written.trim().trim_start_matches('#').to_lowercase();
    let long = match hex.len() {
        3 => hex.chars().flat_map(|c| [c, c]).collect(),
        _ => hex,
    };
    let colour = format!("#{long}");
    if is_colour(&colour) { colour } else { "a colour such as #1d4ed8".into() }
}

fn is_bundle_id(text: &str) -> bool {
    let word = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_lowercase())
            && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    text.contains('.') && text.split('.').all(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestions_keep_what_was_meant() {
        assert_eq!(colour("#1DF"), "#11ddff");
        assert_eq!(colour("1D4ED8"), "#1d4ed8");
        assert_eq!(colour("red"), "a colour such as #1d4ed8");
        assert_eq!(line("  two\n words "), "two words");
    }

    #[test]
    fn forms_are_told_apart() {
        for tag in ["en", "pt-BR", "zh-Hant", "zh-Hant-TW", "es-419", "gsw"] {
            assert!(is_language(tag), "{tag}");
        }
        for tag in ["", "e", "EN", "en-us", "en_US", "en-", "zh-TW-Hant", "en-USA", "english"] {
            assert!(!is_language(tag), "{tag}");
        }
        for path in ["logo.svg", "brand/logo.min.png", "a-b/c_d.webp"] {
            assert!(is_picture(path), "{path}");
        }
        for path in
            ["/logo.svg", "../logo.svg", "brand//x.png", "logo", ".svg", "a.gif", "https://x/y.png"]
        {
            assert!(!is_picture(path), "{path}");
        }
        assert!(is_email("help@example.com") && is_email("a@b.c"));
        for text in
            ["", "@", "a@b", "a\n@b.c", "a@b.c\u{9f}", "a@.b", "a@b.", "a b@c.d", "a@b@c.d", "a@."]
        {
            assert!(!is_email(text), "{text}");
        }
        assert!(is_bundle_id("com.example.app1"));
        assert!(!is_bundle_id("com") && !is_bundle_id("com..x") && !is_bundle_id("com.1x"));
    }
}
