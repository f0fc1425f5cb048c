//! A page taken apart.

use super::root;
use std::fs;

/// A block between fences.
pub struct Block {
    /// What stands behind the opening fence.
    pub language: String,
    /// Its lines.
    pub lines: Vec<String>,
}

/// A Markdown page.
pub struct Page {
    /// Its path from the repository's root.
    pub name: String,
    /// The blocks between fences.
    pub blocks: Vec<Block>,
    /// All else, comments left out.
    pub prose: String,
}

impl Page {
    pub fn read(name: &str) -> Self {
        let text = fs::read_to_string(root().join(name)).unwrap();
        let (mut blocks, mut prose) = (Vec::new(), String::new());
        let mut open: Option<Block> = None;
        for line in text.lines() {
            match (line.trim_start().strip_prefix("```"), open.take()) {
                (Some(language), None) => {
                    open = Some(Block {
                        language: language.trim().to_owned(),
                        lines: Vec::new(),
                    });
                }
                (Some(_), Some(block)) => blocks.push(block),
                (None, Some(mut block)) => {
                    block.lines.push(line.to_owned());
                    open = Some(block);
                }
                (None, None) => {
                    prose += line;
                    prose.push('\n');
                }
            }
        }
        assert!(open.is_none(), "{name}: a fence is not closed");
        Self {
            name: name.to_owned(),
            blocks,
            prose,
        }
    }

    /// What stands between back quotes, lines joined.
    pub fn spans(&self) -> Vec<String> {
        let mut spans = Vec::new();
        for paragraph in self.prose.split("\n\n") {
            for (i, span) in paragraph.split('`').enumerate() {
                if i % 2 == 1 {
                    spans.push(span.split_whitespace().collect::<Vec<_>>().join(" "));
                }
            }
        }
        spans
    }

    /// The anchors of its headings, as the usual renderers make them.
    pub fn anchors(&self) -> Vec<String> {
        let headings = self.prose.lines().filter(|line| line.starts_with('#'));
        let anchor = |line: &str| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let letters = title.chars().filter_map(|c| match c {
                ' ' => Some('-'),
                c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
                _ => None,
            });
            letters.collect()
        };
        headings.map(anchor).collect()
    }
}
