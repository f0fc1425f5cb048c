//! The head that gives a whole input one score or several, as for classes.

use super::PassContext;
use super::layout::builder::Builder;
use crate::families::{Architecture, EncoderConfig};
use gradus_kernels::dropout::Dropout;
use gradus_kernels::{Activation, Backend, Linear, Packed, Pooling, RowDropout, Sequence, View};

/// Where the head's parameters lie: a dense layer with an activation on the first
/// token's vector, then one output a label. As transformers' models for sequence
/// classification have it: BERT's dense layer is the pooler's (Devlin et al. 2019).
#[derive(Debug, Clone)]
pub(crate) struct SequenceHead {
    dense: Linear,
    activation: Activation,
    out: Linear,
    /// Whether dropout also acts before the dense layer.
    drops_input: bool,
}

/// What backward needs of a head's pass.
pub(crate) struct HeadSaved<B: Backend> {
    /// The sequences as batches of one row each, whose streams name the masks.
    rows: B::Batch,
    x: B::Tensor,
    pre: B::Tensor,
    post: B::Tensor,
    logits: B::Tensor,
}

impl<B: Backend> HeadSaved<B> {
    /// `[sequences, labels]`.
    pub fn logits(&self) -> &B::Tensor {
        &self.logits
    }
}

/// Dropout sites of the head, behind all of an encoder.
const INPUT_SITE: u32 = 1 << 20;
const OUTPUT_SITE: u32 = INPUT_SITE + 1;

/// The dense layer, the output layer, the activation between, and whether the
/// input is dropped, too; `None` for a family without such a head.
fn parts(family: Architecture) -> Option<(&'static str, &'static str, Activation, bool)> {
    use Architecture::*;
    match family {
        Bert => Some(("pooler.dense", "classifier", Activation::Tanh, false)),
        Roberta | XlmRoberta | MpNet => Some((
            "classifier.dense",
            "classifier.out_proj",
            Activation::Tanh,
            true,
        )),
        Electra => Some((
            "classifier.dense",
            "classifier.out_proj",
            Activation::Gelu,
            true,
        )),
        DistilBert => Some(("pre_classifier", "classifier", Activation::Relu, false)),
        NomicBert | JinaBert | JinaBertQkNorm => None,
    }
}

/// Whether this version knows the family's head.
pub(crate) fn is_known(family: Architecture) -> bool {
    parts(family).is_some()
}

/// The families whose heads are known.
pub(crate) const KNOWN: &str = "BERT, RoBERTa, CamemBERT, XLM-RoBERTa, DistilBERT, ELECTRA, MPNet";

impl SequenceHead {
    /// For a family that [`is_known`].
    pub(crate) fn new(b: &mut Builder, config: &EncoderConfig, labels: usize) -> Self {
        let width = config.hidden_size;
        let found = parts(config.architecture);
        let (dense, out, activation, drops_input) =
            found.unwrap_or(("pooler.dense", "classifier", Activation::Tanh, false));
        Self {
            dense: b.linear(dense, width, width, true),
            activation,
            out: b.linear(out, labels, width, true),
            drops_input,
        }
    }

    /// Where the output layer's biases lie.
    pub fn output_bias(&self) -> Option<View> {
        self.out.bias
    }

    /// The logits of each sequence, `[sequences, labels]`, by inference.
    pub fn infer<B: Backend>(&self, pass: PassContext<'_, B>, first: &B::Tensor) -> B::Tensor {
        let (b, p) = (pass.backend, pass.params);
        let x = b.activated(p, &self.dense, self.activation, first);
        b.linear(p, &self.out, &x)
    }

    /// The same for training, from all tokens' vectors; `p_drop` is the head's
    /// probability of dropout, where the pass has any.
    pub fn forward<B: Backend>(
        &self,
        pass: PassContext<'_, B>,
        tokens: &B::Tensor,
        p_drop: f32,
    ) -> HeadSaved<B> {
        let (b, p) = (pass.backend, pass.params);
        let rows = b.batch(one_row_each(b.packed(pass.batch)));
        let mut x = b.pool(&[Pooling::Cls], pass.batch, tokens);
        if self.drops_input
            && let Some(dropout) = at(pass.dropout, INPUT_SITE, p_drop)
        {
            let batch = &rows;
            x = b.dropout(x, RowDropout { batch, dropout });
        }
        let (pre, mut post) = b.linear_activated(p, &self.dense, self.activation, &x);
        if let Some(dropout) = at(pass.dropout, OUTPUT_SITE, p_drop) {
            let batch = &rows;
            post = b.dropout(post, RowDropout { batch, dropout });
        }
        let logits = b.linear(p, &self.out, &post);
        HeadSaved {
            rows,
            x,
            pre,
            post,
            logits,
        }
    }

    /// Adds the gradients of the head's parameters to `grads`; returns that of the
    /// tokens' vectors, `[tokens, width]`.
    pub fn backward<B: Backend>(
        &self,
        pass: PassContext<'_, B>,
        saved: HeadSaved<B>,
        (tokens, dy): (&B::Tensor, B::Tensor),
        p_drop: f32,
        grads: &mut B::Arena,
    ) -> B::Tensor {
        let (b, p) = (pass.backend, pass.params);
        let batch = &saved.rows;
        let mut d = b.linear_backward(p, &self.out, &saved.post, &dy, None, grads);
        if let Some(dropout) = at(pass.dropout, OUTPUT_SITE, p_drop) {
            d = b.dropout(d, RowDropout { batch, dropout });
        }
        let d = b.activation_backward(self.activation, &saved.pre, d);
        let mut d = b.linear_backward(p, &self.dense, &saved.x, &d, None, grads);
        if self.drops_input
            && let Some(dropout) = at(pass.dropout, INPUT_SITE, p_drop)
        {
            d = b.dropout(d, RowDropout { batch, dropout });
        }
        b.pool_backward(&[Pooling::Cls], pass.batch, tokens, &d)
    }
}

fn at(dropout: Option<Dropout>, site: u32, p: f32) -> Option<Dropout> {
    dropout.filter(|_| p > 0.0).map(|d| d.at(site, p))
}

/// A batch of as many sequences of one token, with the same streams: rows that
/// masks are drawn for.
fn one_row_each(batch: &Packed) -> Packed {
    let streams = batch.streams().iter();
    let rows = streams.map(|&stream| Sequence {
        ids: &[0],
        segments: &[],
        stream,
    });
    Packed::new(rows, 0)
}

/// The part of a checkpoint's head that a tensor belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum HeadPart {
    /// The dense layer on the first token of BERT.
    Pooler,
    /// What makes labels of it.
    Classifier,
}

/// Which part of a sequence head a tensor of this name is of.
pub(crate) fn part_of(name: &str) -> Option<HeadPart> {
    match name.split('.').next() {
        Some("pooler") => Some(HeadPart::Pooler),
        Some("classifier" | "pre_classifier") => Some(HeadPart::Classifier),
        _ => None,
    }
}
