//! Rows by their numbers: gathers, differences, and sums of rows that share a place.

use crate::cuda::Cuda;
use crate::functions::Address;
use crate::modules::Module;
use crate::stream::lane::launch;
use crate::stream::plain::plain;
use crate::tensor::Tensor;

/// Rows that a block sums at once: more go to pieces.
const PIECE: usize = 128;

/// Rows of a matrix sorted by where they go, in pieces: see rows.cu.
struct Sorted {
    order: Vec<u32>,
    first: Vec<u32>,
    place: Vec<u32>,
    /// Places of several pieces: their first piece, how many, the place.
    several: [Vec<u32>; 3],
}

impl Sorted {
    fn new(places: &[u32]) -> Self {
        let mut keys: Vec<u64> = places
            .iter()
            .enumerate()
            .map(|(row, &place)| u64::from(place) << 32 | row as u64)
            .collect();
        keys.sort_unstable();
        let mut own = Self {
            order: keys.iter().map(|&key| key as u32).collect(),
            first: vec![],
            place: vec![],
            several: Default::default(),
        };
        let mut at = 0;
        while at < keys.len() {
            let place = (keys[at] >> 32) as u32;
            let run = keys[at..].partition_point(|key| (key >> 32) as u32 == place);
            let pieces = run.div_ceil(PIECE);
            if pieces > 1 {
                let piece = own.first.len() as u32;
                for (list, value) in own.several.iter_mut().zip([piece, pieces as u32, place]) {
                    list.push(value);
                }
            }
            for piece in 0..pieces {
                own.first.push((at + piece * PIECE) as u32);
                own.place.push(if pieces > 1 { u32::MAX } else { place });
            }
            at += run;
        }
        own.first.push(keys.len() as u32);
        own
    }
}

/// For each place the rows that go there, in order: `order[start[p]..start[p + 1]]`.
fn lists(places: &[u32], count: usize) -> (Vec<u32>, Vec<u32>) {
    let mut start = vec![0u32; count + 1];
    for &place in places {
        start[place as usize + 1] += 1;
    }
    for i in 0..count {
        start[i + 1] += start[i];
    }
    let (mut order, mut next) = (vec![0; places.len()], start.clone());
    for (row, &place) in places.iter().enumerate() {
        let next = &mut next[place as usize];
        order[*next as usize] = row as u32;
        *next += 1;
    }
    (order, start)
}

plain! {
    /// As rows.cu takes it.
    struct Pieces {
        order: u64,
        first: u64,
        place: u64,
    }
}

impl Cuda {
    /// Adds each row of `x` to the row of `to` that `places` names, in f32, and sets such a row's
    /// flag where there are flags.
    pub(crate) fn add_rows(&self, x: &Tensor, places: &[u32], (to, flags): (Address, Address)) {
        if places.is_empty() {
            return;
        }
        let sorted = Sorted::new(places);
        let lists: [&[u32]; 6] = [
            &sorted.order,
            &sorted.first,
            &sorted.place,
            &sorted.several[0],
            &sorted.several[1],
            &sorted.several[2],
        ];
        let data = self.lane.put(&lists.concat());
        let mut at = data.address();
        let [order, first, place, from, count, of] = lists.map(|list| {
            let own = at;
            at += 4 * list.len() as Address;
            own
        });
        let (pieces, several) = (sorted.place.len(), sorted.several[0].len());
        let partial = match several {
            0 => None,
            _ => Some(self.lane.room::<f32>(pieces * x.cols)),
        };
        let partial = partial.as_ref().map_or(0, |p| p.address());
        let (own, width, columns) = (
            Pieces {
                order,
                first,
                place,
            },
            x.cols as u32,
            x.cols.div_ceil(128),
        );
        launch!(self.lane, (Module::Rows(x.half), "sum_rows"), [pieces, columns], 128;
            x.address(), own, to, partial, flags, width);
        launch!(self.lane, (Module::Rows(false), "sum_pieces"), [several, columns], 128;
            partial, from, count, of, to, flags, width);
    }

    pub(crate) fn pick(&self, x: &Tensor, rows: &[u32]) -> Tensor {
        let out = self.fresh(rows.len(), x.cols, x.half);
        let index = self.lane.put(rows);
        let (width, n) = (x.cols as u32, out.count() as u64);
        launch!(self.lane, (Module::Rows(x.half), "gather"), Self::each(out.count()), 256;
            x.address(), index.address(), out.address(), width, n);
        out
    }

    pub(crate) fn overwrite(&self, mut x: Tensor, rows: &[u32], values: &Tensor) -> Tensor {
        x.sums = None;
        let mut place = None;
        let values = self.as_type(values, x.half, &mut place);
        let index = self.lane.put(rows);
        let (width, n) = (x.cols as u32, values.count() as u64);
        launch!(self.lane, (Module::Rows(x.half), "scatter"), Self::each(values.count()), 256;
            x.address(), index.address(), values.address(), width, n);
        x
    }

    pub(crate) fn difference(&self, x: &Tensor, of: &[u32]) -> Tensor {
        let out = self.fresh(of.len(), x.cols, x.half);
        let index = self.lane.put(of);
        let (width, n) = (x.cols as u32, out.count() as u64);
        launch!(self.lane, (Module::Rows(x.half), "subtract"), Self::each(out.count()), 256;
            x.address(), index.address(), out.address(), width, n);
        out
    }

    /// A matrix of `total` rows: row `r` is row `r` of `dy` if `r` is below `first`, and `sign` times the sum
    /// of the rows that go there.
    pub(crate) fn spread(
        &self,
        dy: &Tensor,
        places: &[u32],
        first: usize,
        sign: f32,
        total: usize,
    ) -> Tensor {
        let dx = self.fresh(total, dy.cols, dy.half);
        let (order, start) = lists(places, total);
        let data = self.lane.put(&[order.as_slice(), &start].concat());
        let (order, start) = (data.address(), data.address() + 4 * places.len() as Address);
        let (first, width, n) = (first as u32, dy.cols as u32, dx.count() as u64);
        launch!(self.lane, (Module::Rows(dy.half), "spread"), Self::each(dx.count()), 256;
            dy.address(), order, start, sign, first, dx.address(), width, n);
        dx
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_by_place_and_cut_to_pieces() {
        let places: Vec<u32> = (0..1000)
            .map(|i| if i % 3 == 0 { 7 } else { i % 50 })
            .collect();
        let sorted = Sorted::new(&places);
        let mut seen: Vec<u32> = vec![];
        for (piece, &place) in sorted.place.iter().enumerate() {
            let rows = sorted.first[piece] as usize..sorted.first[piece + 1] as usize;
            assert!((1..=PIECE).contains(&rows.len()));
            let own = match place {
                u32::MAX => {
                    let [from, count, of] = &sorted.several;
                    let within = |i: usize| (from[i]..from[i] + count[i]).contains(&(piece as u32));
                    of[(0..of.len()).find(|&i| within(i)).unwrap()]
                }
                place => place,
            };
            let rows = &sorted.order[rows];
            assert!(rows.is_sorted() && rows.iter().all(|&row| places[row as usize] == own));
            seen.extend(rows);
        }
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..1000));
        let (order, start) = lists(&places, 50);
        for place in 0..50 {
            let rows = &order[start[place] as usize..start[place + 1] as usize];
            assert!(
                rows.iter().all(|&row| places[row as usize] == place as u32) && rows.is_sorted()
            );
        }
    }
}
