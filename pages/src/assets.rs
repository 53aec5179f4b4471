//! The style sheet and the script components, embedded, each under a path that has its
//! content's hash in it: a server may let browsers keep them for ever.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

/// A file to serve as it is.
#[derive(Debug, Clone)]
pub struct Asset {
    /// What templates call it: `base.css`.
    pub name: &'static str,
    /// Where it is served: `/assets/base.0123456789abcdef.css`.
    pub path: String,
    /// For the `Content-Type` header.
    pub content_type: &'static str,
    /// The content.
    pub bytes: &'static [u8],
    /// 16 hex digits of the content's SHA-256; also good as an `ETag`.
    pub hash: String,
}

const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! files {
    ($($name:literal: $content_type:ident,)*) => {
        [$(($name, $content_type, include_bytes!(concat!("../assets/", $name)).as_slice()),)*]
    };
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    files! {
        "base.css": CSS,
        "brand-preview.js": SCRIPT,
        "chat-composer.js": SCRIPT,
        "chat-stream.js": SCRIPT,
        "copy-button.js": SCRIPT,
        "fragment.js": SCRIPT,
        "live-news.js": SCRIPT,
        "passkey.js": SCRIPT,
        "theme.js": SCRIPT,
    }
    .map(|(name, content_type, bytes)| {
        let hash = hex::encode(&Sha256::digest(bytes)[..8]);
        let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
        Asset { name, path: format!("/assets/{stem}.{hash}.{ending}"), content_type, bytes, hash }
    })
    .to_vec()
});

/// All of them.
#[must_use]
pub fn assets() -> &'static [Asset] {
    &ASSETS
}

/// The one that is served at a path, the hash included.
#[must_use]
pub fn at(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

/// Where the one of this name is served.
#[must_use]
pub fn href(name: &str) -> Option<&'static str> {
    ASSETS.iter().find(|asset| asset.name == name).map(|asset| asset.path.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asset_is_found_where_it_says_it_is() {
        for asset in assets() {
            assert_eq!(href(asset.name), Some(asset.path.as_str()));
            assert_eq!(at(&asset.path).unwrap().name, asset.name);
            assert!(asset.path.contains(&asset.hash));
        }
        assert!(at("/assets/base.css").is_none());
        assert!(at("/assets/../Cargo.toml").is_none());
    }

    #[test]
    fn style_and_scripts_keep_to_their_budgets() {
        let size = |content_type| {
            assets()
                .iter()
                .filter(|asset| asset.content_type == content_type)
                .map(|asset| asset.bytes.len())
                .sum::<usize>()
        };
        // A thousand more than for desks alone: a table's rows stack on a phone.
        assert!(size(CSS) <= 26_000, "{} bytes of CSS", size(CSS));
        assert!(size(SCRIPT) <= 60_000, "{} bytes of script", size(SCRIPT));
        let fragment = assets().iter().find(|asset| asset.name == "fragment.js").unwrap();
        assert!(fragment.bytes.split(|byte| *byte == b'\n').count() <= 200);
    }

    #[test]
    fn scripts_need_nothing_that_the_policy_forbids() {
        for asset in assets().iter().filter(|asset| asset.content_type == SCRIPT) {
            let text = std::str::from_utf8(asset.bytes).unwrap();
            for forbidden in
                ["eval(", "new Function", "setAttribute(\"style\"", "document.write", "import "]
            {
                assert!(!text.contains(forbidden), "{} has {forbidden}", asset.name);
            }
        }
    }

    #[test]
    fn the_style_sheet_takes_its_colours_from_the_brand_alone() {
        let css = std::str::from_utf8(assets()[0].bytes).unwrap();
        let brand = crate::parts::sample_brand();
        let has = |token: &str| brand.css().contains(&format!("{token}:"));
        let here = |token: &str| css.contains(&format!("{token}:"));
        for used in css.split("var(").skip(1) {
            let token = used.split([')', ',']).next().unwrap();
            assert!(has(token) || here(token), "{token} is not defined");
        }
        let hex = |c: char| c.is_ascii_hexdigit();
        for (at, _) in css.match_indices('#') {
            let digits = css[at + 1..].chars().take_while(|c| hex(*c)).count();
            assert!(!matches!(digits, 3 | 6 | 8), "a colour of its own: {}", &css[at..at + 8]);
        }
        assert!(!css.contains("rgb(") && !css.contains("hsl("), "a colour of its own");
    }
}
