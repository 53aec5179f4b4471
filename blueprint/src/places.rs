//! Where in a text its fields are.

use std::collections::BTreeMap;
use std::str::FromStr;

use yaml_edit::{Document, Scalar, YamlNode};

use crate::problem::below;

/// Where each field of a text begins.
pub(crate) struct Places<'a> {
    text: &'a str,
    lines: Vec<usize>,
    fields: BTreeMap<String, usize>,
}

impl<'a> Places<'a> {
    /// The fields of a YAML or JSON text; `None` where it holds no group of fields.
    pub(crate) fn of(text: &'a str) -> Option<Self> {
        let root = Document::from_str(text).ok()?.as_mapping()?;
        let lines =
            std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let mut fields = BTreeMap::new();
        walk(&YamlNode::Mapping(root), "", &mut fields);
        Some(Self { text, lines, fields })
    }

    /// Line and column of the field at `path`; for what is missing, of the group it is missing
    /// from.
    pub(crate) fn find(&self, path: &str) -> Option<(usize, usize)> {
        let mut path = path;
        let at = loop {
            if let Some(at) = self.fields.get(path) {
                break *at;
            }
            path = &path[..path.rfind(['.', '['])?];
        };
        let line = self.lines.partition_point(|line| *line <= at);
        let before = self.text.get(*self.lines.get(line - 1)?..at)?;
        Some((line, before.chars().count() + 1))
    }
}

fn walk(node: &YamlNode, path: &str, fields: &mut BTreeMap<String, usize>) {
    match node {
        YamlNode::Mapping(group) => {
            for entry in group.entries() {
                let Some(key) = entry.key_node() else { continue };
                let Some(name) = key.as_scalar().map(Scalar::as_string) else { continue };
                let path = below(path, &name);
                fields.insert(path.clone(), key.byte_range().start as usize);
                if let Some(value) = entry.value_node() {
                    walk(&value, &path, fields);
                }
            }
        }
        YamlNode::Sequence(list) => {
            for (at, item) in list.values().enumerate() {
                let path = below(path, &format!("[{at}]"));
                fields.insert(path.clone(), item.byte_range().start as usize);
                walk(&item, &path, fields);
            }
        }
        YamlNode::Scalar(_) | YamlNode::Alias(_) | YamlNode::TaggedNode(_) => {}
    }
}
