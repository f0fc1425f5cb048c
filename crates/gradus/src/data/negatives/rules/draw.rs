//! Choices by chance that are functions of counters.

use gradus_kernels::dropout::mix64;

/// A row of draws for one purpose of one sentence.
pub(super) struct Draw {
    key: u64,
    count: u64,
}

impl Draw {
    /// The draws of a sentence by its number, for a purpose.
    pub fn new(seed: u64, number: u64, purpose: u64) -> Self {
        let key = mix64(seed ^ 0x006e_6567_6174_6976);
        let key = mix64(mix64(key ^ number) ^ purpose);
        Self { key, count: 0 }
    }

    /// A number below `n`, which is not 0.
    pub fn below(&mut self, n: usize) -> usize {
        self.count += 1;
        (mix64(self.key ^ self.count) % n.max(1) as u64) as usize
    }

    /// One of several.
    pub fn one<T>(&mut self, mut of: Vec<T>) -> Option<T> {
        match of.len() {
            0 => None,
            n => Some(of.swap_remove(self.below(n))),
        }
    }

    /// Puts values into an order by chance.
    pub fn shuffle<T>(&mut self, values: &mut [T]) {
        for i in (1..values.len()).rev() {
            let j = self.below(i + 1);
            values.swap(i, j);
        }
    }
}
