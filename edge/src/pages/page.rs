//! A page of a few words that needs nothing else: no script, no file, nothing of anybody's.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use axum::http::HeaderValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use certificates::served::{Looks, Platform, Shades};
use web::Problem;

/// Of whoever has no colours of their own. Each can be read on its page (WCAG AA: 4.5 to 1).
const LIGHT: [&str; 4] = ["#ffffff", "#1b1c1e", "#595d64", "#1d4ed8"];
const DARK: [&str; 4] = ["#17181b", "#eceef0", "#a9aeb6", "#93b4ff"];
/// What the colours are for, in the same order.
const USES: [&str; 4] = ["page", "text", "quiet", "link"];

const LAYOUT: &str = "body{margin:0;background:var(--page);color:var(--text);\
     font:1.0625rem/1.6 system-ui,sans-serif;overflow-wrap:anywhere}\
     main{max-width:34rem;margin:0 auto;padding:min(18vh,9rem) 1.25rem 3rem}\
     h1{font-size:1.625rem;line-height:1.25;margin:.25rem 0 1rem}\
     .whose{color:var(--quiet);font-weight:600;margin:0}a{color:var(--link)}";

/// A page, and how it looks.
pub(super) struct Page {
    pub(super) html: String,
    style: String,
}

impl Page {
    /// What went wrong, said in the name of a platform.
    pub(super) fn of(problem: &Problem, platform: Option<&Platform>) -> Self {
        let style = style(platform.and_then(|platform| platform.looks.as_ref()));
        let title = escaped(&problem.title);
        let detail = escaped(problem.detail.as_deref().unwrap_or_default());
        let whose = platform.map(|platform| escaped(&platform.display_name));
        let tab = match &whose {
            Some(whose) => format!("{title} {whose}"),
            None => title.clone(),
        };
        let whose = whose.map(|whose| format!("<p class=\"whose\">{whose}</p>"));
        // The same address.
        let again = problem.retry_after.map(|_| "<p><a href=\"\">Try again</a></p>");
        let email = platform.and_then(|platform| platform.support_email.as_deref()).map(escaped);
        let contact =
            email.map(|email| format!("<p>Questions: <a href=\"mailto:{email}\">{email}</a></p>"));
        let said = [
            whose.unwrap_or_default(),
            format!("<h1>{title}</h1><p>{detail}</p>"),
            again.unwrap_or_default().to_owned(),
            contact.unwrap_or_default(),
        ]
        .concat();
        let html = format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\"><title>{tab}</title>\
             <style>{style}</style></head><body><main>{said}</main></body></html>"
        );
        Self { html, style }
    }

    /// Nothing but its own style.
    pub(super) fn policy(&self) -> HeaderValue {
        let hash = STANDARD.encode(digest(&SHA256, self.style.as_bytes()));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'"
        );
        HeaderValue::from_str(&policy)
            .unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"))
    }
}

fn style(looks: Option<&Looks>) -> String {
    let shades = |shades: &Shades| {
        [&shades.page, &shades.text, &shades.quiet, &shades.link].map(ToString::to_string)
    };
    let own = |of: &Option<Shades>| of.as_ref().map(shades);
    let (light, dark) = match looks.map(|looks| (own(&looks.light), own(&looks.dark))) {
        None | Some((None, None)) => {
            (Some(LIGHT.map(str::to_owned)), Some(DARK.map(str::to_owned)))
        }
        Some(both) => both,
    };
    match (light, dark) {
        (Some(light), Some(dark)) => {
            let dark = root("dark", &dark);
            format!(
                "{}@media(prefers-color-scheme:dark){{{dark}}}{LAYOUT}",
                root("light dark", &light)
            )
        }
        (Some(light), None) => root("light", &light) + LAYOUT,
        (None, Some(dark)) => root("dark", &dark) + LAYOUT,
        (None, None) => LAYOUT.to_owned(),
    }
}

fn root(scheme: &str, shades: &[String; 4]) -> String {
    let mut said = format!(":root{{color-scheme:{scheme}");
    for (name, shade) in USES.iter().zip(shades) {
        // Writing to a text does not fail.
        let _written = write!(said, ";--{name}:{shade}");
    }
    said + "}"
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shades(page: &str) -> Shades {
        let shade = |text: &str| text.parse().unwrap();
        let [_, text, quiet, link] = LIGHT.map(shade);
        Shades { page: shade(page), text, quiet, link }
    }

    #[test]
    fn each_mode_that_a_brand_has_is_shown_in_its_colours() {
        let (light, dark) = (shades("#fff8ee"), shades("#221100"));
        let both = style(Some(&Looks { light: Some(light), dark: Some(dark.clone()) }));
        assert!(both.starts_with(":root{color-scheme:light dark;--page:#fff8ee;"), "{both}");
        assert!(both.contains("dark){:root{color-scheme:dark;--page:#221100;"), "{both}");
        let dark = style(Some(&Looks { light: None, dark: Some(dark) }));
        assert!(dark.starts_with(":root{color-scheme:dark;--page:#221100;"), "{dark}");
        assert!(!dark.contains("@media"), "{dark}");
        assert_eq!(style(None), style(Some(&Looks::default())));
    }

    #[test]
    fn what_a_platform_calls_itself_is_text() {
        assert_eq!(escaped("<b> & \"it's\""), "&lt;b&gt; &amp; &quot;it&#39;s&quot;");
    }
}
