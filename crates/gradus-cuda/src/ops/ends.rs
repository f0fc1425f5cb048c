//! From tokens to vectors, and what is done with vectors and scores.

use crate::batch::Batch;
use crate::blas::Kind;
use crate::cuda::Cuda;
use crate::modules::Module;
use crate::stream::lane::launch;
use crate::stream::memory::Coming;
use crate::stream::plain::plain;
use crate::tensor::{Arena, Tensor};
use gradus_kernels::{EmbeddingTables, Pooling, ScoredRow, View};

/// How rows of scores fare, on their way from the card.
pub struct Scored(Coming<Row>);

plain! {
    /// As scores.cu writes it.
    struct Row {
        loss: f64,
        correct: u32,
        unused: u32,
    }
}

fn number(mode: Pooling) -> i32 {
    match mode {
        Pooling::Cls => 0,
        Pooling::Mean => 1,
        Pooling::Max => 2,
        Pooling::MeanSqrtLen => 3,
        Pooling::WeightedMean => 4,
        Pooling::LastToken => 5,
        Pooling::Marked => 6,
    }
}

/// Each index is one of a table's rows.
fn check(table: View, indices: &[u32]) {
    let most = indices.iter().max();
    assert!(
        most.is_none_or(|&i| (i as usize) < table.rows),
        "an index beyond its table"
    );
}

impl Cuda {
    /// Sums of the tables' rows, in the type of activations.
    pub(crate) fn look_up(
        &self,
        params: &Arena,
        tables: &EmbeddingTables,
        batch: &Batch,
    ) -> Tensor {
        check(tables.words, batch.packed.ids());
        tables
            .positions
            .iter()
            .for_each(|&t| check(t, batch.packed.positions()));
        tables
            .segments
            .iter()
            .for_each(|&t| check(t, batch.packed.segments()));
        let width = tables.words.cols;
        let out = self.fresh(batch.rows, width, self.reduced());
        let place = |table: Option<View>| table.map_or(0, |t| params.at(t.offset));
        let (words, at) = (params.at(tables.words.offset), batch.at);
        let (columns, n) = (width as u32, out.count() as u64);
        launch!(self.lane, (Module::Rows(out.half), "embed"), Self::each(out.count()), 256;
            words, place(tables.positions), place(tables.segments), at.ids, at.positions, at.segments,
            out.address(), columns, n);
        out
    }

    pub(crate) fn look_up_backward(
        &self,
        tables: &EmbeddingTables,
        batch: &Batch,
        dy: &Tensor,
        grads: &Arena,
    ) {
        let packed = &batch.packed;
        self.add_rows(dy, packed.ids(), grads.rows(tables.words));
        if let Some(table) = tables.positions {
            self.add_rows(dy, packed.positions(), grads.rows(table));
        }
        if let Some(table) = tables.segments {
            self.add_rows(dy, packed.segments(), grads.rows(table));
        }
    }

    /// In f32: `[sequences, width * modes]`.
    pub(crate) fn pooled(&self, modes: &[Pooling], batch: &Batch, x: &Tensor) -> Tensor {
        let sequences = batch.packed.sequences();
        let out = self.fresh(sequences, x.cols * modes.len(), false);
        let [width, cols, n] = [x.cols, out.cols, sequences].map(|x| x as u32);
        for (i, &mode) in modes.iter().enumerate() {
            let (mode, first) = (number(mode), i as u32 * width);
            launch!(self.lane, (Module::Rows(x.half), "pool"), Self::each(sequences * x.cols), 256;
                x.address(), batch.at.offsets, batch.at.marks, mode, out.address(), width, cols, first, n);
        }
        out
    }

    pub(crate) fn pooled_backward(
        &self,
        modes: &[Pooling],
        batch: &Batch,
        x: &Tensor,
        dy: &Tensor,
    ) -> Tensor {
        let mut place = None;
        let dy = self.as_type(dy, false, &mut place);
        if modes.is_empty() {
            return self.zeroed(x.rows, x.cols, x.half);
        }
        let dx = match batch.filled {
            // Rows that are nobody's.
            true => self.zeroed(x.rows, x.cols, x.half),
            false => self.fresh(x.rows, x.cols, x.half),
        };
        let sequences = batch.packed.sequences();
        let [width, cols, n] = [x.cols, dy.cols, sequences].map(|x| x as u32);
        for (i, &mode) in modes.iter().enumerate() {
            let (mode, first, overwrite) = (number(mode), i as u32 * width, i32::from(i == 0));
            launch!(self.lane, (Module::Rows(x.half), "pool_backward"), Self::each(sequences * x.cols), 256;
                x.address(), batch.at.offsets, batch.at.marks, mode, dy.address(), dx.address(), width, cols,
                first, n, overwrite);
        }
        dx
    }

    pub(crate) fn directions(&self, x: &Tensor) -> Tensor {
        let y = self.fresh(x.rows, x.cols, x.half);
        let (width, n) = (x.cols as u32, x.rows as u32);
        launch!(self.lane, (Module::Scores(x.half), "normalize"), [x.rows.div_ceil(8), 1], 256;
            x.address(), y.address(), width, n);
        y
    }

    pub(crate) fn directions_backward(&self, x: &Tensor, dy: &Tensor) -> Tensor {
        let mut place = None;
        let dy = self.as_type(dy, x.half, &mut place);
        let dx = self.fresh(x.rows, x.cols, x.half);
        let (width, n) = (x.cols as u32, x.rows as u32);
        launch!(self.lane, (Module::Scores(x.half), "normalize_backward"), [x.rows.div_ceil(8), 1], 256;
            x.address(), dy.address(), dx.address(), width, n);
        dx
    }

    /// In f32, whatever the precision.
    pub(crate) fn all_cosines(&self, a: &Tensor, b: &Tensor) -> Tensor {
        let (mut one, mut two) = (None, None);
        let (a, b) = (
            self.as_type(a, false, &mut one),
            self.as_type(b, false, &mut two),
        );
        self.all_pairs(&self.directions(a), &self.directions(b))
    }

    pub(crate) fn all_cosines_backward(
        &self,
        a: &Tensor,
        b: &Tensor,
        dy: &Tensor,
    ) -> (Tensor, Tensor) {
        let (mut one, mut two, mut three) = (None, None, None);
        let (a, b) = (
            self.as_type(a, false, &mut one),
            self.as_type(b, false, &mut two),
        );
        let dy = self.as_type(dy, false, &mut three);
        let (unit_a, unit_b) = (self.directions(a), self.directions(b));
        let (da, db) = (
            self.fresh(a.rows, a.cols, false),
            self.fresh(b.rows, b.cols, false),
        );
        self.in_full(Kind::Input, [a.rows, a.cols, b.rows], [dy, &unit_b], &da);
        self.in_full(Kind::Weight, [b.rows, b.cols, a.rows], [dy, &unit_a], &db);
        (
            self.directions_backward(a, &da),
            self.directions_backward(b, &db),
        )
    }

    pub(crate) fn steep(&self, x: Tensor, steepness: f32, left_out: &[u32]) -> Tensor {
        let mut x = self.typed(x, false);
        x.sums = None;
        assert!(
            left_out.iter().all(|&at| (at as usize) < x.count()),
            "a place beyond the matrix"
        );
        let n = x.count() as u64;
        launch!(self.lane, (Module::Elementwise(false), "logits"), Self::each(x.count()), 256;
            x.address(), steepness, n);
        if !left_out.is_empty() {
            let (places, n) = (self.lane.put(left_out), left_out.len() as u64);
            launch!(self.lane, (Module::Elementwise(false), "leave_out"), Self::each(left_out.len()), 256;
                x.address(), places.address(), n);
        }
        x
    }

    pub(crate) fn score(
        &self,
        mut scores: Tensor,
        targets: &[u32],
        scale: f32,
    ) -> (Scored, Tensor) {
        assert_eq!(scores.rows, targets.len(), "one target for each row");
        assert!(
            targets.iter().all(|&t| (t as usize) < scores.cols),
            "a target beyond the classes"
        );
        scores.sums = None;
        let buffer = self.lane.room::<Row>(scores.rows);
        let index = self.lane.put(targets);
        let classes = scores.cols as u32;
        launch!(self.lane, (Module::Scores(scores.half), "cross_entropy"), [scores.rows, 1], 256;
            scores.address(), index.address(), scale, buffer.address(), classes);
        let rows = self.lane.send(buffer.address(), scores.rows);
        (Scored(rows), scores)
    }

    pub(crate) fn read_scored(&self, scored: &Scored) -> Vec<ScoredRow> {
        let row = |row: Row| ScoredRow {
            loss: row.loss,
            correct: row.correct != 0,
        };
        scored.0.values().into_iter().map(row).collect()
    }
}
