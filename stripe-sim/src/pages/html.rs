//! What all pages have in common.

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};

/// A whole page.
pub(crate) fn page(title: &str, body: &str) -> Response {
    let title = escaped(title);
    Html(format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
         <style>body{{font:16px/1.5 system-ui,sans-serif;max-width:32rem;margin:2rem auto;\
         padding:0 1rem}}label{{display:block;margin:.75rem 0}}input,select,button{{font:inherit;\
         padding:.4rem;width:100%;box-sizing:border-box}}.test{{background:#ffe08a;padding:.5rem}}\
         .error{{color:#a00}}</style></head><body><p class=\"test\"><strong>Test money.</strong> \
         Nothing here is paid with real money, and no real card is asked for.</p>\
         <main><h1>{title}</h1>{body}</main></body></html>"
    ))
    .into_response()
}

/// There is no such page, or not any more.
pub(crate) fn gone(what: &str) -> Response {
    let mut response = page("Nothing here", &format!("<p>{}</p>", escaped(what)));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

/// On to somewhere else, after a form.
pub(crate) fn onward(url: &str) -> Response {
    Redirect::to(url).into_response()
}

/// Text that is no markup.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            letter => out.push(letter),
        }
    }
    out
}
