/// One token sequence to be packed.
#[derive(Debug, Clone, Copy)]
pub struct Sequence<'a> {
    /// Vocabulary indices.
    pub ids: &'a [u32],
    /// Segment (token type) per token; empty means all zero.
    pub segments: &'a [u32],
    /// Names the sequence's dropout masks within a step, so that they do not
    /// depend on its place in the batch.
    pub stream: u64,
}

/// A batch of token sequences laid end to end, without padding: matrices over
/// it have one row per token, and sequence `s` owns rows
/// `offsets[s]..offsets[s + 1]`.
#[derive(Debug, Clone, Default)]
pub struct Packed {
    ids: Vec<u32>,
    positions: Vec<u32>,
    segments: Vec<u32>,
    offsets: Vec<usize>,
    streams: Vec<u64>,
    /// The marked token of each sequence; 0 unless set.
    marks: Vec<usize>,
}

impl Packed {
    /// Packs `sequences` in their order. Positions count from
    /// `first_position` (0 for BERT, `pad_token_id + 1` for RoBERTa).
    /// Empty sequences are allowed; their pooled vector is zero.
    ///
    /// # Panics
    /// If a sequence's non-empty `segments` differ in length from its `ids`.
    pub fn new<'a>(sequences: impl IntoIterator<Item = Sequence<'a>>, first_position: u32) -> Self {
        let mut batch = Self {
            offsets: vec![0],
            ..Self::default()
        };
        for sequence in sequences {
            let len = sequence.ids.len();
            batch.ids.extend_from_slice(sequence.ids);
            batch
                .positions
                .extend((0..len).map(|i| first_position + i as u32));
            if sequence.segments.is_empty() {
                batch.segments.resize(batch.ids.len(), 0);
            } else {
                assert_eq!(sequence.segments.len(), len, "one segment per token");
                batch.segments.extend_from_slice(sequence.segments);
            }
            batch.offsets.push(batch.ids.len());
            batch.streams.push(sequence.stream);
            batch.marks.push(0);
        }
        batch
    }

    /// Marks the token of a sequence that [`Pooling::Marked`](crate::Pooling)
    /// takes, counted from the sequence's start.
    ///
    /// # Panics
    /// If there is no such token.
    pub fn mark(&mut self, sequence: usize, token: usize) {
        let len = self.offsets[sequence + 1] - self.offsets[sequence];
        assert!(token < len, "token {token} of {len} is marked");
        self.marks[sequence] = token;
    }

    /// Moves the tokens of a sequence from its `first` one on to positions later
    /// by `gap`, as if other tokens stood before them. What attention knows of
    /// distances by itself does not see it.
    pub fn leave_gap(&mut self, sequence: usize, first: usize, gap: u32) {
        let range = self.offsets[sequence] + first..self.offsets[sequence + 1];
        for position in &mut self.positions[range] {
            *position += gap;
        }
    }

    /// Number of tokens of all sequences together.
    pub fn tokens(&self) -> usize {
        self.ids.len()
    }

    /// Number of sequences.
    pub fn sequences(&self) -> usize {
        self.streams.len()
    }

    /// Token ids, one per row.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Positions, one per row.
    pub fn positions(&self) -> &[u32] {
        &self.positions
    }

    /// Segments, one per row.
    pub fn segments(&self) -> &[u32] {
        &self.segments
    }

    /// Row bounds: `sequences() + 1` values from 0 to `tokens()`.
    pub fn offsets(&self) -> &[usize] {
        &self.offsets
    }

    /// The row of each sequence's first token, where no sequence is empty.
    pub fn first_rows(&self) -> Vec<u32> {
        let starts = &self.offsets[..self.sequences()];
        starts.iter().map(|&row| row as u32).collect()
    }

    /// The dropout stream of each sequence.
    pub fn streams(&self) -> &[u64] {
        &self.streams
    }

    /// The marked token of each sequence, counted from its start.
    pub fn marks(&self) -> &[usize] {
        &self.marks
    }

    /// The longest sequence's number of tokens.
    pub fn longest(&self) -> usize {
        self.offsets
            .windows(2)
            .map(|w| w[1] - w[0])
            .max()
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_moves_what_follows_in_its_sequence_alone() {
        let ids = [1, 2, 3];
        let sequence = Sequence {
            ids: &ids,
            segments: &[],
            stream: 0,
        };
        let mut batch = Packed::new([sequence; 3], 2);
        batch.leave_gap(1, 1, 5);
        batch.mark(2, 1);
        assert_eq!(batch.positions(), [2, 3, 4, 2, 8, 9, 2, 3, 4]);
        assert_eq!(batch.marks(), [0, 0, 1]);
    }
}
