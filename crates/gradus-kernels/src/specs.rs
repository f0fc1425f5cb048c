//! Where an operation's parameters lie in the arena, and what it does.

use crate::{Activation, View};

/// A linear layer's place in the arena: `y = x W^T + b`, `W` is `[out, in]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linear {
    /// `[out, in]`.
    pub weight: View,
    /// `[1, out]`, where there is one.
    pub bias: Option<View>,
}

/// The feed-forward part of a transformer's layer: `f(x U^T + a) D^T + b`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedForwardLayers {
    /// `U` and `a`.
    pub up: Linear,
    /// `f`.
    pub activation: Activation,
    /// `D` and `b`.
    pub down: Linear,
}

/// Which norm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NormKind {
    /// `(x - mean) / deviation * gamma` (Ba et al. 2016).
    LayerNorm,
    /// `x / root mean square * gamma` (Zhang & Sennrich 2019).
    Rms,
    /// `x / root mean square * (1 + gamma)`, as Gemma stores it.
    RmsOnePlus,
}

/// A norm and its place in the arena.
///
/// It goes over runs of `gamma.cols` neighbouring values: over a whole row where
/// that is the row's width, over each head where it is a head's. All runs
/// share scale and shift.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NormSpec {
    /// Which one.
    pub kind: NormKind,
    /// The scale, `[1, width]`.
    pub gamma: View,
    /// The shift, `[1, width]`, where there is one.
    pub beta: Option<View>,
    /// Added to the variance, or to the mean square.
    pub eps: f32,
}

impl NormSpec {
    /// A layer norm with scale and shift.
    pub fn layer_norm(gamma: View, beta: View, eps: f32) -> Self {
        Self {
            kind: NormKind::LayerNorm,
            gamma,
            beta: Some(beta),
            eps,
        }
    }

    /// Values that are normalised together.
    pub fn width(&self) -> usize {
        self.gamma.cols
    }

    /// How many runs a row of `cols` values has.
    ///
    /// # Panics
    /// Where the last one would not be whole.
    pub fn runs(&self, cols: usize) -> usize {
        let width = self.width().max(1);
        assert!(
            cols.is_multiple_of(width),
            "rows of {cols} values are no runs of {width}"
        );
        cols / width
    }
}

/// The norms of queries and of keys, each over all heads of a token or over
/// each head.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QueryKeyNorms {
    /// Over queries.
    pub queries: NormSpec,
    /// Over keys.
    pub keys: NormSpec,
}

/// Which keys a query sees, within its sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AttentionMask {
    /// All.
    Full,
    /// Its own token's and those before.
    Causal,
    /// Those of at most so many tokens before and behind its own.
    Window {
        /// Tokens before the query's.
        before: usize,
        /// Tokens behind; 0 for a causal window.
        after: usize,
    },
}

impl AttentionMask {
    /// The keys that query `i` sees in a sequence of `len` tokens; its own is
    /// among them.
    #[inline(always)]
    pub fn visible(self, i: usize, len: usize) -> std::ops::Range<usize> {
        match self {
            Self::Full => 0..len,
            Self::Causal => 0..i + 1,
            Self::Window { before, after } => {
                i.saturating_sub(before)..i.saturating_add(after).saturating_add(1).min(len)
            }
        }
    }
}

/// Multi-head self-attention: softmax of scaled scores, each group of
/// neighbouring query heads sharing a head of keys and values (Ainslie et al.
/// 2023).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AttentionSpec {
    /// Heads of queries, and of the result.
    pub q_heads: usize,
    /// Heads of keys and of values, of which `q_heads` is a multiple.
    pub kv_heads: usize,
    /// Values in a head.
    pub head_dim: usize,
    /// Which keys a query sees.
    pub mask: AttentionMask,
    /// What scores are multiplied by.
    pub scale: f32,
}

impl AttentionSpec {
    /// As many heads of keys and values as of queries, all keys seen, scores
    /// divided by the root of a head's size.
    pub fn full(heads: usize, head_dim: usize) -> Self {
        Self {
            q_heads: heads,
            kv_heads: heads,
            head_dim,
            mask: AttentionMask::Full,
            scale: 1.0 / (head_dim as f32).sqrt(),
        }
    }

    /// Width of a token's queries, and of the result.
    pub fn q_width(&self) -> usize {
        self.q_heads * self.head_dim
    }

    /// Width of a token's keys, and of its values.
    pub fn kv_width(&self) -> usize {
        self.kv_heads * self.head_dim
    }

    /// Width of queries, keys and values side by side.
    pub fn qkv_width(&self) -> usize {
        self.q_width() + 2 * self.kv_width()
    }

    /// The head of keys and values that head `h` of queries meets.
    pub fn kv_head(&self, h: usize) -> usize {
        h * self.kv_heads / self.q_heads
    }

    /// The scale's inverse, without rounding twice where the scale is the usual
    /// one.
    pub fn inverse_scale(&self) -> f32 {
        let root = (self.head_dim as f32).sqrt();
        match self.scale == 1.0 / root {
            true => root,
            false => 1.0 / self.scale,
        }
    }

    /// # Panics
    /// Where the heads do not share out evenly or `cols` is not
    /// [`AttentionSpec::qkv_width`].
    pub fn check(&self, cols: usize) {
        let even = self.kv_heads > 0 && self.q_heads.is_multiple_of(self.kv_heads);
        assert!(
            even,
            "{} heads of queries on {} of keys",
            self.q_heads, self.kv_heads
        );
        assert_eq!(cols, self.qkv_width(), "width of queries, keys and values");
    }
}

/// The embedding tables' places in the arena, each `[entries, width]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmbeddingTables {
    /// By token id.
    pub words: View,
    /// By position.
    pub positions: Option<View>,
    /// By segment.
    pub segments: Option<View>,
}

/// What the backward of a norm needs.
#[derive(Debug, Clone, Copy)]
pub struct LayerNormSaved<T> {
    /// The normalised input before scale and shift, `[rows, width]`.
    pub normalized: T,
    /// `1 / sqrt(variance + eps)`, or of the mean square, of each run of each
    /// row, `[rows, runs]`.
    pub inverse_deviation: T,
}

impl<T> LayerNormSaved<T> {
    /// The same by reference, as backward takes it.
    pub fn as_ref(&self) -> LayerNormSaved<&T> {
        LayerNormSaved {
            normalized: &self.normalized,
            inverse_deviation: &self.inverse_deviation,
        }
    }
}

/// A norm's output and what its backward needs.
#[derive(Debug)]
pub struct LayerNormOutput<T> {
    /// `[rows, width]`.
    pub out: T,
    /// For [`Backend::add_norm_backward`](crate::Backend::add_norm_backward).
    pub saved: LayerNormSaved<T>,
}

/// How a row of scores fares against the class that is right.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ScoredRow {
    /// Its cross-entropy, in nats.
    pub loss: f64,
    /// Whether no class has a higher score than the right one.
    pub correct: bool,
}

/// A run of arena values that share a learning rate and weight decay.
#[derive(Debug, Clone, PartialEq)]
pub struct AdamWSegment {
    /// Indices into the arena.
    pub range: std::ops::Range<usize>,
    /// Learning rate at this step.
    pub learning_rate: f32,
    /// Decoupled weight decay.
    pub weight_decay: f32,
}

/// One step of AdamW (Loshchilov & Hutter 2019), as PyTorch computes it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamWStep {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// The step's number, from 1.
    pub step: u64,
}

/// The first thing that went wrong on a device. What was computed since is of no
/// use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendFailure {
    /// What the backend was doing.
    pub operation: &'static str,
    /// What the device said.
    pub message: String,
}

impl std::fmt::Display for BackendFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.operation, self.message)
    }
}

impl std::error::Error for BackendFailure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_show_a_query_itself_and_stay_inside() {
        let window = |before, after| AttentionMask::Window { before, after };
        for len in 1..20 {
            for i in 0..len {
                assert_eq!(AttentionMask::Full.visible(i, len), 0..len);
                assert_eq!(AttentionMask::Causal.visible(i, len), 0..i + 1);
                let far = window(usize::MAX, usize::MAX);
                assert_eq!(far.visible(i, len), 0..len);
                assert_eq!(window(usize::MAX, 0).visible(i, len), 0..i + 1);
                assert_eq!(window(0, 0).visible(i, len), i..i + 1);
                let seen = window(2, 3).visible(i, len);
                let expected = (0..len).filter(|&j| j + 2 >= i && j <= i + 3);
                assert!(seen.eq(expected));
            }
        }
    }

    #[test]
    fn groups_of_query_heads_are_neighbours() {
        let spec = AttentionSpec {
            kv_heads: 2,
            ..AttentionSpec::full(6, 4)
        };
        let shared: Vec<_> = (0..6).map(|h| spec.kv_head(h)).collect();
        assert_eq!(shared, [0, 0, 0, 1, 1, 1]);
        assert_eq!(spec.qkv_width(), 24 + 2 * 8);
    }

    #[test]
    fn the_usual_scale_is_undone_exactly() {
        for head_dim in 1..200 {
            let spec = AttentionSpec::full(2, head_dim);
            assert_eq!(spec.inverse_scale(), (head_dim as f32).sqrt());
        }
        let spec = AttentionSpec {
            scale: 0.25,
            ..AttentionSpec::full(2, 3)
        };
        assert_eq!(spec.inverse_scale(), 4.0);
    }
}
