//! Markdown made into HTML that can do no harm.
//!
//! Three walls, one behind the other. Raw HTML in the Markdown is escaped, never passed on.
//! Pictures become links, so that reading a text fetches nothing and tells nobody. And what
//! comes out goes through a sanitiser that knows a few elements and no script.

mod blocks;

pub use blocks::{Block, BlockSplitter};

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use ammonia::{Builder, UrlRelative};
use comrak::{
    Arena, Node, Options, format_html,
    nodes::{NodeList, NodeValue},
    options::{Extension, Render},
    parse_document,
};

use crate::Html;

/// Renders Markdown with tables, strikethrough, task lists and bare links. Headings begin at
/// the second level, because the first is the page's.
#[must_use]
pub fn to_html(text: &str) -> Html {
    let arena = Arena::new();
    let root = parse_document(&arena, text, &options());
    for node in root.descendants().collect::<Vec<_>>() {
        tame(&arena, node);
    }
    let mut html = String::new();
    // Writing into a string cannot fail; if it ever did, escaped text is still right.
    match format_html(root, &options(), &mut html) {
        Ok(()) => Html::sanitised(clean(&html)),
        Err(_) => Html::text(text),
    }
}

/// Sanitises HTML: what is not allowed is left out, its text is kept.
pub(crate) fn clean(html: &str) -> String {
    SANITISER.clean(html).to_string()
}

pub(super) fn options() -> Options<'static> {
    Options {
        extension: Extension {
            table: true,
            strikethrough: true,
            tasklist: true,
            autolink: true,
            ..Extension::default()
        },
        render: Render { escape: true, ..Render::default() },
        ..Options::default()
    }
}

/// Pictures to links, headings one level down, ticks of task lists to characters.
fn tame<'a>(arena: &'a Arena<'a>, node: Node<'a>) {
    let mut data = node.data.borrow_mut();
    match &mut data.value {
        NodeValue::Heading(heading) => heading.level = (heading.level + 1).min(6),
        NodeValue::Image(link) => {
            let link = std::mem::take(link);
            let in_link = node.ancestors().skip(1).any(|above| {
                matches!(above.data.try_borrow().as_deref(), Ok(data) if matches!(data.value, NodeValue::Link(_)))
            });
            if node.first_child().is_none() {
                let name = NodeValue::Text(if link.url.is_empty() {
                    "picture".into()
                } else {
                    link.url.clone().into()
                });
                node.append(arena.alloc(name.into()));
            }
            // A link in a link is none: there the picture's own text has to do.
            data.value = if in_link { NodeValue::Emph } else { NodeValue::Link(link) };
        }
        NodeValue::TaskItem(item) => {
            let tick = if item.symbol.is_some() { "☑ " } else { "☐ " };
            data.value = NodeValue::Item(NodeList::default());
            if let Some(first) = node.first_child() {
                first.prepend(arena.alloc(NodeValue::Text(tick.into()).into()));
            }
        }
        _ => {}
    }
}

static SANITISER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let tags = [
        "a",
        "blockquote",
        "br",
        "code",
        "del",
        "em",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "li",
        "ol",
        "p",
        "pre",
        "strong",
        "table",
        "tbody",
        "td",
        "th",
        "thead",
        "tr",
        "ul",
    ];
    let attributes: [(&str, &[&str]); 5] = [
        ("a", &["href"]),
        ("code", &["class"]),
        ("ol", &["start"]),
        ("td", &["align"]),
        ("th", &["align"]),
    ];
    let mut builder = Builder::empty();
    builder
        .tags(HashSet::from(tags))
        .generic_attributes(HashSet::new())
        .clean_content_tags(HashSet::from(["script", "style"]))
        .tag_attributes(HashMap::from(
            attributes.map(|(tag, names)| (tag, names.iter().copied().collect())),
        ))
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .url_relative(UrlRelative::PassThrough)
        .link_rel(Some("nofollow noopener noreferrer ugc"))
        .attribute_filter(|tag, name, value| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-+#._".contains(c);
            let ours = match (tag, name) {
                ("code", "class") => {
                    value.strip_prefix("language-").is_some_and(|name| name.chars().all(plain))
                }
                ("td" | "th", "align") => ["left", "center", "right"].contains(&value),
                ("ol", "start") => value.parse::<u32>().is_ok(),
                _ => true,
            };
            ours.then(|| value.into())
        });
    builder
});

#[cfg(test)]
mod tests {
    use super::*;

    fn html(text: &str) -> String {
        to_html(text).into_string()
    }

    #[test]
    fn common_markdown_becomes_the_html_one_expects() {
        for (text, expected) in [
            ("# Title", "<h2>Title</h2>\n"),
            (
                "a **b** *c* ~~d~~ `e`",
                "<p>a <strong>b</strong> <em>c</em> <del>d</del> <code>e</code></p>\n",
            ),
            ("3. x", "<ol start=\"3\">\n<li>x</li>\n</ol>\n"),
            ("```rust\na < b\n```", "<pre><code class=\"language-rust\">a &lt; b\n</code></pre>\n"),
            (
                "|a|b|\n|-|:-:|\n|1|2|",
                "<table>\n<thead>\n<tr>\n<th>a</th>\n<th align=\"center\">b</th>\n</tr>\n</thead>\n\
                 <tbody>\n<tr>\n<td>1</td>\n<td align=\"center\">2</td>\n</tr>\n</tbody>\n</table>\n",
            ),
            ("- [x] done\n- [ ] open", "<ul>\n<li>☑ done</li>\n<li>☐ open</li>\n</ul>\n"),
            ("a <b>bold</b> & so", "<p>a &lt;b&gt;bold&lt;/b&gt; &amp; so</p>\n"),
        ] {
            assert_eq!(html(text), expected);
        }
    }

    #[test]
    fn a_link_passes_on_neither_trust_nor_the_way_here() {
        assert_eq!(
            html("[x](https://a.test/?b=1&c \"t\")"),
            "<p><a href=\"https://a.test/?b=1&amp;c\" rel=\"nofollow noopener noreferrer ugc\">x</a></p>\n"
        );
        assert!(html("see https://a.test/x").contains("<a href=\"https://a.test/x\""));
    }

    #[test]
    fn a_picture_becomes_a_link_and_is_not_fetched() {
        let picture = html("![a cat](https://spy.test/1.png)");
        assert!(
            picture.contains("<a href=\"https://spy.test/1.png\"")
                && picture.contains(">a cat</a>")
        );
        assert!(!picture.contains("<img"), "{picture}");
        let bare = html("![](https://spy.test/1.png)");
        assert!(bare.contains(">https://spy.test/1.png</a>"), "{bare}");
        let inner = html("[![alt](https://spy.test/1.png)](https://a.test)");
        assert_eq!(inner.matches("<a ").count(), 1, "{inner}");
        assert!(!inner.contains("spy.test") && inner.contains("alt"), "{inner}");
    }

    #[test]
    fn whatever_is_tried_nothing_runs() {
        for attack in include_str!("markdown/attacks.txt").split("\n----\n") {
            let out = html(attack);
            assert_inert(&out, attack);
            // As HTML straight into the sanitiser: the third wall alone holds as well.
            assert_inert(&clean(attack), attack);
        }
    }

    /// Reads tags as a browser would: only those that are allowed, with allowed attributes.
    fn assert_inert(html: &str, attack: &str) {
        for tag in html.split('<').skip(1) {
            let name = tag
                .trim_start_matches('/')
                .split(|c: char| !c.is_ascii_alphanumeric())
                .next()
                .unwrap();
            assert!(SANITISER.clone_tags().contains(name), "<{name}> from {attack:?}: {html}");
            let inside = tag.split('>').next().unwrap();
            for attribute in inside.split('"').step_by(2) {
                for word in attribute.split_whitespace().filter(|word| word.ends_with('=')) {
                    assert!(
                        ["href=", "class=", "start=", "align=", "rel="].contains(&word),
                        "{word} from {attack:?}: {html}"
                    );
                }
            }
            if let Some(href) = inside.split("href=\"").nth(1) {
                let href = href.to_ascii_lowercase();
                let scheme = href.split([':', '/', '?', '#', '"']).next().unwrap();
                let has_scheme = href[scheme.len()..].starts_with(':');
                assert!(
                    !has_scheme || ["http", "https", "mailto"].contains(&scheme),
                    "{href} from {attack:?}"
                );
            }
        }
    }
}
