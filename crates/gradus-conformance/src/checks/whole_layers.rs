//! Whole layers, forward and backward, for checks of what holds of all operations together.

use crate::support::{Places, values};
use gradus_kernels::dropout::Dropout;
use gradus_kernels::{
    Activation, AttentionInput, AttentionMask, AttentionSpec, Backend, DistanceBias,
    EmbeddingTables, FeedForwardLayers, GateOrder, Linear, NormKind, NormSpec, Pooling,
    QueryKeyNorms, Rotary, RowDropout,
};

pub(super) const VOCABULARY: u32 = 23;

/// The dropout of all sites in a step.
fn drop(step: u64) -> Dropout {
    Dropout::for_step(0.1, 3, step).at(1, 0.1)
}

/// A layer forward and backward, on a batch, of a width and so many heads, in a step: the pooled vectors
/// and the parameters' gradients.
pub(super) type Layer<B> = fn(&B, &<B as Backend>::Batch, [usize; 2], u64) -> (Vec<f32>, Vec<f32>);

/// One post-norm layer.
pub(super) fn layer<B: Backend>(
    backend: &B,
    batch: &B::Batch,
    [width, heads]: [usize; 2],
    step: u64,
) -> (Vec<f32>, Vec<f32>) {
    let mut places = Places::default();
    let tables = EmbeddingTables {
        words: places.view(VOCABULARY as usize, width),
        positions: Some(places.view(80, width)),
        segments: Some(places.view(2, width)),
    };
    // Some in whole tiles, which bf16 keeps as such.
    let inner = match width % 2 {
        0 => (2 * width).next_multiple_of(32),
        _ => 2 * width,
    };
    let (qkv, up, down) = (
        places.linear(3 * width, width),
        places.linear(inner, width),
        places.linear(width, inner),
    );
    let norm = places.norm(width, 1e-5);
    let params = backend.arena(values(places.len(), 30));
    let mut grads = backend.arena(vec![0.0; places.len()]);
    let dropout = Some(RowDropout {
        batch,
        dropout: drop(step),
    });
    let spec = AttentionSpec::full(heads, width / heads);

    let x = backend.embed(&params, &tables, batch);
    let mixed = backend.linear(&params, &qkv, &x);
    let input = AttentionInput::<B> {
        qkv: &mixed,
        batch,
        bias: None,
        dropout: Some(drop(step)),
    };
    let (context, attended) = backend.attention_kept(&spec, input);
    let layers = FeedForwardLayers {
        up,
        activation: Activation::Gelu,
        down,
    };
    let (wide, inner) = backend.feed_forward_kept(&params, &layers, &context);
    let normed = backend.add_norm(&params, &norm, wide, Some(&x), dropout);
    let modes = [Pooling::Mean, Pooling::Cls];
    let pooled = backend.pool(&modes, batch, &normed.out);

    let dy = backend.pool_backward(&modes, batch, &normed.out, &pooled);
    let back = backend.add_norm_backward(
        &params,
        &norm,
        normed.saved.as_ref(),
        &dy,
        dropout,
        &mut grads,
    );
    let (residual, branch) = back;
    let (saved, dy) = ((&context, inner), branch.as_ref().unwrap());
    let d = backend.feed_forward_backward(&params, &layers, saved, dy, None, &mut grads);
    let d = backend.attention_backward(&spec, input, (&context, attended), &d, None);
    let d = backend.linear_backward(&params, &qkv, &x, &d, Some(residual), &mut grads);
    backend.embed_backward(&tables, batch, &d, &mut grads);
    (
        backend.read(&pooled),
        backend.read_arena(&grads, 0..places.len()),
    )
}

/// The same of a pre-norm layer with heads that share keys and values, norms of
/// queries and keys by head, rotary positions, a learned bias by distance, a
/// window, and a gated feed-forward part.
pub(super) fn modern_layer<B: Backend>(
    backend: &B,
    batch: &B::Batch,
    [width, heads]: [usize; 2],
    step: u64,
) -> (Vec<f32>, Vec<f32>) {
    let mut places = Places::default();
    let tables = EmbeddingTables {
        words: places.view(VOCABULARY as usize, width),
        positions: None,
        segments: None,
    };
    let bias = DistanceBias::Learned {
        table: places.view(8, heads),
        max_distance: 30,
    };
    let head_dim = width / heads;
    let spec = AttentionSpec {
        kv_heads: if heads.is_multiple_of(2) {
            heads / 2
        } else {
            1
        },
        mask: AttentionMask::Window {
            before: 20,
            after: 11,
        },
        ..AttentionSpec::full(heads, head_dim)
    };
    let mut linear = |out, width| Linear {
        weight: places.view(out, width),
        bias: None,
    };
    let (qkv, up, down) = (
        linear(spec.qkv_width(), width),
        linear(4 * width, width),
        linear(width, 2 * width),
    );
    let mut norm = |kind, width| NormSpec {
        kind,
        gamma: places.view(1, width),
        beta: None,
        eps: 1e-5,
    };
    let first = norm(NormKind::RmsOnePlus, width);
    let norms = QueryKeyNorms {
        queries: norm(NormKind::Rms, head_dim),
        keys: norm(NormKind::LayerNorm, head_dim),
    };
    let params = backend.arena(values(places.len(), 31));
    let mut grads = backend.arena(vec![0.0; places.len()]);
    let rows = RowDropout {
        batch,
        dropout: drop(step),
    };
    let rotary = Rotary { base: 100.0 };
    let gate = (Activation::Silu, GateOrder::UpFirst);
    let turns = head_dim.is_multiple_of(2);

    let x = backend.embed(&params, &tables, batch);
    let far = backend.distance_bias(&params, &bias, batch, heads);
    let before = backend.norm_of(&params, &first, &x);
    let mixed = backend.linear(&params, &qkv, &before.out);
    let (mut mixed, saved) = backend.query_key_norm(&params, &norms, &spec, mixed);
    if turns {
        mixed = backend.rotary(&rotary, &spec, batch, mixed);
    }
    let input = AttentionInput::<B> {
        qkv: &mixed,
        batch,
        bias: Some(&far),
        dropout: Some(drop(step)),
    };
    let (context, attended) = backend.attention_kept(&spec, input);
    let pre = backend.linear(&params, &up, &context);
    let post = backend.gated(gate.0, gate.1, &pre);
    let down_y = backend.linear(&params, &down, &post);
    let branch = backend.dropout(down_y, rows);
    let out = backend.add(branch, &x);
    let modes = [Pooling::Mean, Pooling::Cls];
    let pooled = backend.pool(&modes, batch, &out);

    let dout = backend.pool_backward(&modes, batch, &out, &pooled);
    let residual = backend.copy(&dout);
    let d = backend.dropout(dout, rows);
    let d = backend.linear_backward(&params, &down, &post, &d, None, &mut grads);
    let d = backend.gated_backward(gate.0, gate.1, pre, &d);
    let d = backend.linear_backward(&params, &up, &context, &d, None, &mut grads);
    let (rows_far, columns) = backend.shape(&far);
    let mut dfar = backend.zeros(rows_far, columns);
    let saved_context = (&context, attended);
    let mut d = backend.attention_backward(&spec, input, saved_context, &d, Some(&mut dfar));
    backend.distance_bias_backward(&bias, batch, &dfar, &mut grads);
    if turns {
        d = backend.rotary_backward(&rotary, &spec, batch, d);
    }
    let d = backend.query_key_norm_backward(&params, &norms, &spec, saved.as_ref(), d, &mut grads);
    let d = backend.linear_backward(&params, &qkv, &before.out, &d, None, &mut grads);
    let (d, _) =
        backend.add_norm_backward(&params, &first, before.saved.as_ref(), &d, None, &mut grads);
    let d = backend.add(residual, &d);
    backend.embed_backward(&tables, batch, &d, &mut grads);
    (
        backend.read(&pooled),
        backend.read_arena(&grads, 0..places.len()),
    )
}
