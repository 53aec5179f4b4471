//! Markdown that is still being written, cut into finished blocks.
//!
//! A block is finished when no text behind it can change what it looks like: a heading at the
//! end of its line, a fenced code block at its closing fence, a paragraph at a blank line, a
//! list when something else begins. Text is looked at line by line, so where the pieces were
//! cut that it arrived in does not matter.

use comrak::{Arena, nodes::NodeValue, parse_document};

use super::{options, to_html};
use crate::Html;

/// A finished block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Where it ends, in bytes from the beginning of the whole text. The next begins there.
    pub end_offset: usize,
    /// What it looks like; empty if it was only blank lines.
    pub html: Html,
}

/// Cuts a text that grows into blocks.
#[derive(Clone, Debug, Default)]
pub struct BlockSplitter {
    /// What is not yet part of a finished block.
    pending: String,
    /// Where `pending` begins in the whole text.
    start: usize,
    /// How much of `pending` was looked at: whole lines.
    seen: usize,
}

impl BlockSplitter {
    /// At the beginning of a text.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next piece and gives the blocks that it finished, often none.
    pub fn push(&mut self, piece: &str) -> Vec<Block> {
        self.pending.push_str(piece);
        let mut blocks = Vec::new();
        while let Some(length) = self.pending[self.seen..].find('\n') {
            self.seen += length + 1;
            while let Some(end) = first_end(&self.pending[..self.seen]) {
                blocks.push(self.cut(end));
            }
        }
        blocks
    }

    /// The text behind the finished blocks: what a reader still sees as it is being written.
    #[must_use]
    pub fn pending(&self) -> &str {
        &self.pending
    }

    /// The text is complete: gives what is left of it as the last block, if anything is.
    #[must_use]
    pub fn finish(mut self) -> Option<Block> {
        (!self.pending.is_empty()).then(|| self.cut(self.pending.len()))
    }

    fn cut(&mut self, end: usize) -> Block {
        let html = to_html(&self.pending[..end]);
        self.pending.drain(..end);
        self.start += end;
        self.seen = self.seen.saturating_sub(end);
        Block { end_offset: self.start, html }
    }
}

/// Where the first block of these whole lines ends, if it is finished.
fn first_end(lines: &str) -> Option<usize> {
    let arena = Arena::new();
    let root = parse_document(&arena, lines, &options());
    let mut nodes = root.children();
    let first = nodes.next()?;
    if let Some(second) = nodes.next() {
        let line = second.data.borrow().sourcepos.start.line;
        // Never an empty block, whatever the parser says of lines.
        return line_start(lines, line).filter(|end| (1..lines.len()).contains(end));
    }
    let finished = match &first.data.borrow().value {
        NodeValue::Heading(_) | NodeValue::ThematicBreak => true,
        NodeValue::CodeBlock(code) => code.fenced && code.closed,
        NodeValue::Paragraph | NodeValue::Table(_) | NodeValue::BlockQuote => ends_blank(lines),
        _ => false,
    };
    finished.then_some(lines.len())
}

/// Whether the last of these whole lines is blank.
fn ends_blank(lines: &str) -> bool {
    let body = lines.strip_suffix('\n').unwrap_or(lines);
    let body = body.strip_suffix('\r').unwrap_or(body);
    body.rsplit(['\n', '\r']).next().is_some_and(|last| last.trim_matches([' ', '\t']).is_empty())
}

/// Where a line begins, counted from 1, with the line endings that Markdown knows.
fn line_start(text: &str, line: usize) -> Option<usize> {
    let mut starts = text.char_indices().filter_map(|(at, c)| {
        let ends = c == '\n' || (c == '\r' && !text[at + 1..].starts_with('\n'));
        ends.then_some(at + 1)
    });
    starts.nth(line.checked_sub(2)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All blocks of a text that arrives in these pieces.
    fn split<'a>(pieces: impl IntoIterator<Item = &'a str>) -> Vec<Block> {
        let mut splitter = BlockSplitter::new();
        let mut blocks: Vec<_> =
            pieces.into_iter().flat_map(|piece| splitter.push(piece)).collect();
        blocks.extend(splitter.finish());
        blocks
    }

    /// The text of each block that is finished before the end is known.
    fn finished(text: &str) -> Vec<&str> {
        let mut splitter = BlockSplitter::new();
        let mut start = 0;
        let cut =
            |block: Block| &text[std::mem::replace(&mut start, block.end_offset)..block.end_offset];
        splitter.push(text).into_iter().map(cut).collect()
    }

    #[test]
    fn a_block_is_finished_as_soon_as_nothing_can_change_it() {
        assert_eq!(finished("# Title\nmore"), ["# Title\n"]);
        assert_eq!(finished("one\ntwo\n\nmore"), ["one\ntwo\n\n"]);
        assert_eq!(finished("one\n# two\nmore"), ["one\n", "# two\n"]);
        assert_eq!(finished("```\n\na\n\n```\nmore"), ["```\n\na\n\n```\n"]);
        assert_eq!(finished("|a|\n|-|\n|1|\n\nmore"), ["|a|\n|-|\n|1|\n\n"]);
        assert_eq!(finished("> a\n\nb"), ["> a\n\n"]);
        assert_eq!(finished("- a\n\n- b\n\nc\n"), ["- a\n\n- b\n\n"]);
        assert_eq!(finished("Title\n---\nmore"), ["Title\n---\n"]);
    }

    #[test]
    fn a_block_that_may_go_on_is_not_finished() {
        for text in [
            "one\ntwo\n",
            "# Title",
            "```\na\n\n# no title\n\n",
            "~~~~\n~~~\n\n",
            "- a\n\n",
            "- a\n\n  b\n\n",
            "- ```\n  a\n  ```\n",
            "    code\n\n",
            "> a\n",
            "|a|\n|-|\n|1|\n",
        ] {
            assert_eq!(finished(text), Vec::<&str>::new(), "{text:?}");
        }
    }

    #[test]
    fn what_is_pending_is_the_text_behind_the_last_block() {
        let mut splitter = BlockSplitter::new();
        assert_eq!(splitter.push("- a\n- b\n\nThe "), vec![]);
        assert_eq!(splitter.push("end"), vec![]);
        assert_eq!(splitter.pending(), "- a\n- b\n\nThe end");
        assert_eq!(splitter.push(".\n").len(), 1);
        assert_eq!(splitter.pending(), "The end.\n");
        assert_eq!(splitter.finish().unwrap().end_offset, 18);
        assert_eq!(BlockSplitter::new().finish(), None);
    }

    /// Markdown as a model may write it, and as it may not.
    fn texts() -> impl Strategy<Value = String> {
        let line = prop::sample::select(vec![
            "\n",
            "\n",
            "\n",
            "\n",
            "\n",
            "\n",
            "\r\n",
            "  \n",
            "\r",
            "Some words, *more* words.\n",
            "Some words, *more* words.\n",
            "é ✨ 漢字\n",
            "# Title\n",
            "## Two ##\n",
            "===\n",
            "---\n",
            "* * *\n",
            "- item\n",
            "- [x] task\n",
            "* other\n",
            "1. first\n",
            "2) second\n",
            "  more of it\n",
            "    code\n",
            "\tcode\n",
            "```rust\n",
            "```\n",
            "~~~\n",
            "  ```\n",
            "````\n",
            "> quote\n",
            "> - in it\n",
            ">\n",
            "> ```\n",
            "| a | b |\n",
            "|---|---|\n",
            "a | b\n",
            "<div>\n",
            "</div>\n",
            "<!-- x\n",
            "-->\n",
            "<script>\n",
            "![p](https://a.test/p.png)\n",
            "no end",
            "**bo",
            "ld**\n",
            "\\\n",
        ]);
        prop::collection::vec(line, 0..24).prop_map(|lines| lines.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(600))]
        #[test]
        fn however_a_text_is_cut_into_pieces_its_blocks_are_the_same(
            text in texts(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let mut at: Vec<_> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
            at.retain(|at| text.is_char_boundary(*at));
            at.extend([0, text.len()]);
            at.sort_unstable();
            let pieces = at.windows(2).map(|ends| &text[ends[0]..ends[1]]);
            let blocks = split(pieces);
            prop_assert_eq!(&blocks, &split([text.as_str()]));
            let mut last = 0;
            for block in &blocks {
                prop_assert!(block.end_offset > last && text.is_char_boundary(block.end_offset));
                last = block.end_offset;
            }
            prop_assert_eq!(last, text.len());
        }

        #[test]
        fn the_blocks_together_look_like_the_whole(text in texts()) {
            let blocks: String = split([text.as_str()]).iter().map(|block| block.html.as_str()).collect();
            prop_assert_eq!(blocks, to_html(&text).into_string());
        }
    }
}
