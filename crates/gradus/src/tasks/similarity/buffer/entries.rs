//! What a buffer holds.

use crate::Embeddings;

/// Recent vectors, the oldest first, each with its text and the teachers' vectors of
/// that.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    /// `[entries, dim]`.
    pub vectors: Embeddings,
    /// The numbers of the texts.
    pub texts: Vec<u32>,
    /// By each teacher, `[entries, dim]` of its own width; empty where there is none.
    pub teachers: Vec<Embeddings>,
}

/// `rows` behind those that are there, of which the oldest `gone` go.
fn shift(there: &mut Embeddings, rows: &Embeddings, gone: usize) {
    let dim = rows.dim();
    let mut values = std::mem::take(there).into_vec();
    values.extend_from_slice(rows.as_slice());
    values.drain(..gone * dim);
    *there = Embeddings::new(dim, values);
}

impl Entries {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Adds some, the oldest first; what is older than the last `most` goes.
    pub fn push(
        &mut self,
        texts: &[u32],
        vectors: &Embeddings,
        teachers: &[Embeddings],
        most: usize,
    ) {
        let gone = (self.len() + texts.len()).saturating_sub(most);
        shift(&mut self.vectors, vectors, gone);
        self.teachers.resize(teachers.len(), Embeddings::default());
        for (there, rows) in self.teachers.iter_mut().zip(teachers) {
            shift(there, rows, gone);
        }
        self.texts.extend_from_slice(texts);
        self.texts.drain(..gone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_first() {
        let mut entries = Entries::default();
        let rows = |texts: &[u32], dim: usize| {
            let values = texts.iter().flat_map(|&t| vec![t as f32; dim]);
            Embeddings::new(dim, values.collect())
        };
        for (texts, most, left) in [
            (&[1, 2][..], 4, &[1, 2][..]),
            (&[3, 4, 5], 4, &[2, 3, 4, 5]),
            (&[6], 6, &[2, 3, 4, 5, 6]),
            (&[7, 8, 9, 10], 3, &[8, 9, 10]),
        ] {
            entries.push(texts, &rows(texts, 2), &[rows(texts, 3)], most);
            assert_eq!(entries.texts, left);
            assert_eq!(entries.vectors, rows(left, 2));
            assert_eq!(entries.teachers, [rows(left, 3)]);
        }
    }
}
