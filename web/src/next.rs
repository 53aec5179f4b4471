//! Where people go on after signing in, and never off the site.

use axum::http::Method;
use axum::http::request::Parts;

/// The page itself; the start where a form was being sent.
pub fn way_back(parts: &Parts) -> String {
    if parts.method == Method::GET {
        parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned()
    } else {
        "/".to_owned()
    }
}

/// A path of this site and nothing else, from a form or a link; the start page otherwise.
pub fn safe_next(next: Option<&str>) -> &str {
    let within = |path: &&str| {
        path.starts_with('/')
            && !path.starts_with("//")
            && !path.contains('\\')
            && path.bytes().all(|byte| byte.is_ascii_graphic())
    };
    next.filter(within).unwrap_or("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_never_leaves_the_site() {
        assert_eq!(safe_next(Some("/admin?x=1")), "/admin?x=1");
        for bad in ["//evil.example", "https://evil.example", "/\\evil", "", "/a b", "/\r\nx"] {
            assert_eq!(safe_next(Some(bad)), "/", "{bad}");
        }
        assert_eq!(safe_next(None), "/");
    }
}
