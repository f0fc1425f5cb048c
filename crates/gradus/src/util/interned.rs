use std::collections::HashMap;

/// Texts, each once, numbered in the order in which they first come.
#[derive(Default)]
pub(crate) struct Interned<'a> {
    /// The texts by their numbers.
    pub texts: Vec<&'a str>,
    numbers: HashMap<&'a str, usize>,
}

impl<'a> Interned<'a> {
    /// The number of a text, which is new or is here.
    pub fn place(&mut self, text: &'a str) -> usize {
        *self.numbers.entry(text).or_insert_with(|| {
            self.texts.push(text);
            self.texts.len() - 1
        })
    }
}
