//! Attention, on tensor cores where the heads have a size for that, and its bias.

use crate::batch::Batch;
use crate::cuda::Cuda;
use crate::modules::{HEADS, Module};
use crate::stream::lane::launch;
use crate::stream::memory::Buffer;
use crate::stream::plain::plain;
use crate::tensor::{Arena, Tensor};
use gradus_kernels::{AttentionInput, AttentionMask, AttentionSpec, DistanceBias, alibi_slopes};

/// What attention's backward needs: the logarithm, of base 2, of each softmax's sum, `[tokens, heads]`.
pub struct Attended(pub(crate) Buffer);

plain! {
    /// As attention.cu takes it.
    struct Plain {
        offsets: u64,
        sequences: u64,
        streams: u64,
        q_heads: i32,
        kv_heads: i32,
        size: i32,
        longest: i32,
        before: u32,
        after: u32,
        scale: f32,
        gap: u32,
        bias: u64,
    }
}

plain! {
    /// As attention_mma.cu takes it.
    struct Tiled {
        slots: u64,
        streams: u64,
        q_heads: i32,
        kv_heads: i32,
        longest: i32,
        before: u32,
        after: u32,
        scale: f32,
        bias: u64,
    }
}

/// How far a query sees, before its own token and behind it.
fn reach(mask: AttentionMask) -> [u32; 2] {
    const FAR: usize = u32::MAX as usize / 4;
    match mask {
        AttentionMask::Full => [FAR; 2],
        AttentionMask::Causal => [FAR, 0],
        AttentionMask::Window { before, after } => [before.min(FAR), after.min(FAR)],
    }
    .map(|n| n as u32)
}

/// The length that a bias has its columns by; without one nobody asks, and work is the same whatever it is.
fn longest(input: &AttentionInput<'_, Cuda>, bias: u64) -> i32 {
    match bias {
        0 => 0,
        _ => input.batch.longest as i32,
    }
}

/// `bias`: in f32, 0 for none.
fn plain(spec: &AttentionSpec, input: &AttentionInput<'_, Cuda>, bias: u64) -> Plain {
    let ([before, after], at) = (reach(spec.mask), input.batch.at);
    Plain {
        offsets: at.offsets,
        sequences: at.sequences,
        streams: at.streams,
        q_heads: spec.q_heads as i32,
        kv_heads: spec.kv_heads as i32,
        size: spec.head_dim as i32,
        longest: longest(input, bias),
        before,
        after,
        scale: spec.scale,
        gap: 0,
        bias,
    }
}

fn tiled(spec: &AttentionSpec, input: &AttentionInput<'_, Cuda>, bias: u64) -> Tiled {
    let ([before, after], at) = (reach(spec.mask), input.batch.at);
    Tiled {
        slots: at.slots,
        streams: at.streams,
        q_heads: spec.q_heads as i32,
        kv_heads: spec.kv_heads as i32,
        longest: longest(input, bias),
        before,
        after,
        scale: spec.scale,
        bias,
    }
}

/// On tensor cores.
fn by_tiles(spec: &AttentionSpec, qkv: &Tensor) -> bool {
    qkv.half && HEADS.contains(&spec.head_dim)
}

impl Cuda {
    /// The context, and where that is wanted what backward needs.
    pub(crate) fn attend(
        &self,
        spec: &AttentionSpec,
        input: AttentionInput<'_, Self>,
        keep: bool,
    ) -> (Tensor, Option<Attended>) {
        spec.check(input.qkv.cols);
        let qkv = input.qkv;
        let out = self.fresh(qkv.rows, spec.q_width(), qkv.half);
        let lse = keep.then(|| self.lane.room::<f32>(qkv.rows * spec.q_heads));
        let to = lse.as_ref().map_or(0, Buffer::address);
        let drop = self.drops(input.dropout);
        let mut place = None;
        let bias = input.bias.map(|b| self.as_type(b, false, &mut place));
        let bias = bias.map_or(0, Tensor::address);
        if by_tiles(spec, qkv) {
            let (own, grid) = (tiled(spec, &input, bias), [input.batch.tiles, spec.q_heads]);
            launch!(self.lane, (Module::AttentionMma(spec.head_dim), "attention_forward"), grid, 128;
                qkv.address(), out.address(), to, own, drop);
        } else {
            let (own, n) = (plain(spec, &input, bias), qkv.rows as u32);
            let grid = [(qkv.rows * spec.q_heads).div_ceil(4), 1];
            launch!(self.lane, (Module::Attention(qkv.half), "attention_forward"), grid, 128;
                qkv.address(), out.address(), to, own, drop, n);
        }
        (out, lse.map(Attended))
    }

    pub(crate) fn attend_backward(
        &self,
        spec: &AttentionSpec,
        input: AttentionInput<'_, Self>,
        (context, Attended(lse)): (&Tensor, Attended),
        dy: &Tensor,
        dbias: Option<&mut Tensor>,
    ) -> Tensor {
        let qkv = input.qkv;
        let (mut one, mut two) = (None, None);
        let context = self.as_type(context, qkv.half, &mut one);
        let dy = self.as_type(dy, qkv.half, &mut two);
        let dqkv = self.fresh(qkv.rows, qkv.cols, qkv.half);
        let delta = self.lane.room::<f32>(qkv.rows * spec.q_heads);
        let (lse, to, drop) = (lse.address(), delta.address(), self.drops(input.dropout));
        let mut place = None;
        let bias = input.bias.map(|b| self.as_type(b, false, &mut place));
        let bias = bias.map_or(0, Tensor::address);
        let (other, n) = (plain(spec, &input, bias), qkv.rows as u32);
        if by_tiles(spec, qkv) {
            let own = tiled(spec, &input, bias);
            let module = Module::AttentionMma(spec.head_dim);
            let grid = [input.batch.tiles, spec.q_heads];
            launch!(self.lane, (module, "attention_backward_q"), grid, 128;
                qkv.address(), context.address(), dy.address(), lse, to, dqkv.address(), own, drop);
            let grid = [input.batch.tiles, spec.kv_heads];
            launch!(self.lane, (module, "attention_backward_kv"), grid, 128;
                qkv.address(), dy.address(), lse, to, dqkv.address(), own, drop);
        } else {
            let module = Module::Attention(qkv.half);
            let (size, rows) = (spec.head_dim as u32, (qkv.rows * spec.q_heads) as u32);
            let grid = |heads: usize| [(qkv.rows * heads).div_ceil(4), 1];
            launch!(self.lane, (module, "attention_delta"), grid(spec.q_heads), 128;
                context.address(), dy.address(), to, size, rows);
            launch!(self.lane, (module, "attention_backward_q"), grid(spec.q_heads), 128;
                qkv.address(), dy.address(), lse, to, dqkv.address(), other, drop, n);
            launch!(self.lane, (module, "attention_backward_kv"), grid(spec.kv_heads), 128;
                qkv.address(), dy.address(), lse, to, dqkv.address(), other, drop, n);
        }
        if let Some(dbias) = dbias.filter(|d| d.count() > 0) {
            let (grid, mut place) = ([dbias.cols, spec.q_heads], None);
            let sums = self.as_type(dbias, false, &mut place);
            launch!(self.lane, (Module::Attention(qkv.half), "attention_backward_bias"), grid, 128;
                qkv.address(), dy.address(), lse, to, sums.address(), other, drop, n);
            if let Some(sums) = place {
                *dbias = self.typed(sums, true);
            }
        }
        dqkv
    }

    /// The bias of every head at every distance, in f32.
    pub(crate) fn bias_of(
        &self,
        params: &Arena,
        bias: &DistanceBias,
        batch: &Batch,
        heads: usize,
    ) -> Tensor {
        let longest = batch.longest;
        let columns = (2 * longest).saturating_sub(1);
        let out = self.fresh(heads, columns, false);
        match *bias {
            DistanceBias::Alibi => {
                let far = |c: usize| c.abs_diff(longest - 1) as f32;
                let of_head = |slope: f32| (0..columns).map(move |c| -slope * far(c));
                let values: Vec<f32> = alibi_slopes(heads).into_iter().flat_map(of_head).collect();
                self.lane.write(out.address(), &values);
            }
            DistanceBias::Learned {
                table,
                max_distance,
            } => {
                let buckets = self.lane.put(&buckets(longest, table.rows, max_distance));
                let (h, c) = (heads as i32, columns as i32);
                launch!(self.lane, (Module::Elementwise(false), "pick_bias"), Self::each(out.count()), 256;
                    params.at(table.offset), buckets.address(), out.address(), h, c);
            }
        }
        out
    }

    pub(crate) fn bias_backward(
        &self,
        bias: &DistanceBias,
        batch: &Batch,
        dy: &Tensor,
        grads: &Arena,
    ) {
        let DistanceBias::Learned {
            table,
            max_distance,
        } = *bias
        else {
            return;
        };
        let buckets = self
            .lane
            .put(&buckets(batch.longest, table.rows, max_distance));
        let (count, heads, columns) = (table.rows as i32, dy.rows as i32, dy.cols as i32);
        let to = grads.change(table);
        launch!(self.lane, (Module::Elementwise(false), "pick_bias_backward"), Self::each(table.len()), 256;
            dy.address(), buckets.address(), to, count, heads, columns);
    }
}

/// The bucket of every column of a bias.
fn buckets(longest: usize, buckets: usize, most: usize) -> Vec<u32> {
    let columns = 0..(2 * longest).saturating_sub(1);
    let far = |c: usize| c as isize - (longest as isize - 1);
    columns
        .map(|c| DistanceBias::bucket(far(c), buckets, most) as u32)
        .collect()
}
