//! Batches on a card, with what kernels look up.

use crate::functions::Address;
use crate::stream::lane::Lane;
use crate::stream::memory::Buffer;
use gradus_kernels::Packed;

/// A batch, with what kernels look up.
///
/// One for training may end in a sequence that is nobody's, so that batches of about as many tokens have
/// as many rows and the work of their steps is the same but for what is read.
/// Nothing is pooled of it, so that its gradient is 0.
pub struct Batch {
    pub(crate) packed: Packed,
    /// Rows of matrices of tokens.
    pub(crate) rows: usize,
    /// The longest sequence's number of tokens, be it nobody's.
    pub(crate) longest: usize,
    /// Whether rows may be nobody's.
    pub(crate) filled: bool,
    /// What the arrays lie in.
    _data: Buffer,
    pub(crate) at: Places,
    /// Tiles of attention on tensor cores.
    pub(crate) tiles: usize,
}

/// Where each array begins in a batch's buffer.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Places {
    /// u64: a token's and a sequence's dropout stream.
    pub token_streams: Address,
    pub streams: Address,
    /// u32, each of tokens.
    pub ids: Address,
    pub positions: Address,
    pub segments: Address,
    pub sequences: Address,
    pub places: Address,
    /// u32, of sequences.
    pub offsets: Address,
    pub marks: Address,
    /// Of tiles.
    pub slots: Address,
}

/// Rows of a tile, and of its slots.
const TILE: usize = 64;
const SLOT: usize = 16;

/// What rows and tiles of a batch for training are multiples of.
const ROWS: usize = 64;
const TILES: usize = 16;
/// The most rows of one that is filled up: from there on kernels take longer than their launches.
const MOST_ROWS: usize = 4096;

/// Slots of tiles, four a tile, five numbers a slot: see attention_mma.cu. `bounds`: of sequences.
///
/// Short sequences share tiles: each goes where the least room is left that it fits in.
fn slots(bounds: &[usize]) -> Vec<u32> {
    let mut tiles: Vec<[[u32; 5]; 4]> = vec![];
    // Tiles with one, two and three free slots.
    let mut open: [Vec<usize>; 4] = Default::default();
    for (s, bounds) in bounds.windows(2).enumerate() {
        let (start, len) = (bounds[0], bounds[1] - bounds[0]);
        let slot = |row: usize, first: usize| [row, start, len, first, s].map(|x| x as u32);
        if len > TILE {
            for tile in (0..len).step_by(TILE) {
                let rows = std::array::from_fn(|i| tile + i * SLOT);
                tiles.push(rows.map(|i| if i < len { slot(start + i, 0) } else { [0; 5] }));
            }
            continue;
        }
        let need = len.div_ceil(SLOT);
        if need == 0 {
            continue;
        }
        let room = (need..4).find(|&room| !open[room].is_empty());
        let (tile, room) = match room.and_then(|room| Some((open[room].pop()?, room))) {
            Some(found) => found,
            None => {
                tiles.push([[0; 5]; 4]);
                (tiles.len() - 1, 4)
            }
        };
        let first = 4 - room;
        for i in 0..need {
            tiles[tile][first + i] = slot(start + i * SLOT, first);
        }
        if room > need {
            open[room - need].push(tile);
        }
    }
    tiles.into_iter().flatten().flatten().collect()
}

impl Batch {
    /// Moves it: one copy.
    pub(crate) fn new(lane: &Lane, packed: Packed) -> Self {
        let rows = packed.tokens();
        Self::of(lane, packed, rows, false)
    }

    /// The same, filled up.
    pub(crate) fn for_training(lane: &Lane, packed: Packed) -> Self {
        let tokens = packed.tokens();
        let rows = tokens.next_multiple_of(ROWS);
        match (1..=MOST_ROWS).contains(&rows) {
            true => Self::of(lane, packed, rows, true),
            false => Self::of(lane, packed, tokens, false),
        }
    }

    fn of(lane: &Lane, packed: Packed, rows: usize, filled: bool) -> Self {
        let more = rows - packed.tokens();
        // What is nobody's repeats the first token.
        let tokens = |of: &[u32]| {
            let fill = std::iter::repeat_n(of.first().copied().unwrap_or(0), more);
            of.iter().copied().chain(fill).collect::<Vec<u32>>()
        };
        let with = filled.then_some(rows);
        let bounds: Vec<usize> = packed.offsets().iter().copied().chain(with).collect();
        let streams = packed.streams().iter().copied().chain(with.map(|_| 0));
        let streams: Vec<u64> = streams.collect();
        let marks = packed
            .marks()
            .iter()
            .map(|&x| x as u32)
            .chain(with.map(|_| 0));
        let marks: Vec<u32> = marks.collect();
        let mut slots = slots(&bounds);
        if filled {
            slots.resize(slots.len().next_multiple_of(20 * TILES), 0);
        }
        let mut longs: Vec<u64> = Vec::with_capacity(rows + streams.len());
        let (mut of_token, mut places) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        for (s, bounds) in bounds.windows(2).enumerate() {
            let len = bounds[1] - bounds[0];
            longs.extend(std::iter::repeat_n(streams[s], len));
            of_token.extend(std::iter::repeat_n(s as u32, len));
            places.extend(0..len as u32);
        }
        longs.extend(&streams);
        // Pairs of u32 in the order of memory.
        let mut words: Vec<u32> = longs
            .iter()
            .flat_map(|&long| [long as u32, (long >> 32) as u32])
            .collect();
        let mut at = [0; 10];
        at[1] = 8 * rows as Address;
        let offsets: Vec<u32> = bounds.iter().map(|&x| x as u32).collect();
        let arrays: [&[u32]; 8] = [
            &tokens(packed.ids()),
            &tokens(packed.positions()),
            &tokens(packed.segments()),
            &of_token,
            &places,
            &offsets,
            &marks,
            &slots,
        ];
        for (at, array) in at[2..].iter_mut().zip(arrays) {
            *at = 4 * words.len() as Address;
            words.extend(array);
        }
        let data = lane.put(&words);
        let [
            token_streams,
            streams,
            ids,
            positions,
            segments,
            of,
            places,
            offsets,
            marks,
            tiles,
        ] = at.map(|x| data.address() + x);
        Self {
            rows,
            longest: packed.longest().max(more),
            filled,
            packed,
            at: Places {
                token_streams,
                streams,
                ids,
                positions,
                segments,
                sequences: of,
                places,
                offsets,
                marks,
                slots: tiles,
            },
            _data: data,
            tiles: slots.len() / 20,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_kernels::Sequence;

    #[test]
    fn every_token_has_one_row_of_a_tile() {
        let lengths = [3, 70, 0, 64, 16, 17, 33, 1, 1, 1, 200, 48, 65, 20, 12];
        let ids = vec![0; 200];
        let sequence = |&len: &usize| Sequence {
            ids: &ids[..len],
            segments: &[],
            stream: 0,
        };
        let packed = Packed::new(lengths.iter().map(sequence), 0);
        let mut seen = vec![0; packed.tokens()];
        let all = slots(packed.offsets());
        for tile in all.chunks(20) {
            let long = tile[2] > 64;
            for (i, slot) in tile.chunks(5).enumerate() {
                let &[row, start, len, first, s] = slot else {
                    unreachable!()
                };
                if len == 0 {
                    continue;
                }
                let bounds = &packed.offsets()[s as usize..s as usize + 2];
                assert_eq!(
                    (start as usize, (start + len) as usize),
                    (bounds[0], bounds[1])
                );
                assert_eq!(len > 64, long);
                // A short one lies in its tile from its first slot on.
                assert!(long || row - start == 16 * (i as u32 - first));
                (row..(row + 16).min(start + len)).for_each(|row| seen[row as usize] += 1);
            }
        }
        assert!(seen.iter().all(|&n| n == 1));
        // Little room is left: 3 + 64 + ... in no more tiles than needed.
        assert!(all.len() / 20 <= 2 + 4 + 2 + 6);
    }
}
