use std::ops::{Deref, DerefMut};

/// Values whose first lies at the start of a cache line, so that no vector of
/// a row of whole vectors spans two.
#[derive(Debug, Default)]
pub(super) struct Aligned {
    /// Never grows, so that its values stay where they are.
    buffer: Vec<f32>,
    start: usize,
    len: usize,
}

/// Bytes of a cache line.
const LINE: usize = 64;

impl Aligned {
    /// `len` zeros.
    pub fn zeros(len: usize) -> Self {
        let buffer = vec![0.0; len + LINE / 4];
        // Where no offset is found, any place will do.
        let start = buffer.as_ptr().align_offset(LINE).min(LINE / 4);
        Self { buffer, start, len }
    }
}

impl From<&[f32]> for Aligned {
    fn from(values: &[f32]) -> Self {
        let mut aligned = Self::zeros(values.len());
        aligned.copy_from_slice(values);
        aligned
    }
}

impl Deref for Aligned {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.buffer[self.start..self.start + self.len]
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.buffer[self.start..self.start + self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lies_at_a_line_and_holds_what_was_given() {
        for len in [0, 1, 15, 1000, 100_000] {
            let values: Vec<f32> = (0..len).map(|i| i as f32).collect();
            let aligned = Aligned::from(&values[..]);
            assert_eq!(aligned.as_ptr() as usize % LINE, 0);
            assert_eq!(*aligned, *values);
        }
    }
}
