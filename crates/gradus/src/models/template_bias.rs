//! Vectors without what their template alone makes of them (PromptBERT; Jiang
//! et al. 2022).

use super::SentenceEncoder;
use crate::text::Tokens;
use gradus_kernels::dropout::mix64;
use gradus_kernels::{Backend, Packed};
use std::collections::HashMap;

/// A packed batch: texts, and behind them the bare templates whose vectors are
/// subtracted from theirs.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    pub(crate) packed: Packed,
    /// The sequence of each text's bare template; empty where nothing is
    /// subtracted.
    pub(crate) biases: Vec<u32>,
}

impl From<Packed> for Batch {
    fn from(packed: Packed) -> Self {
        let biases = vec![];
        Self { packed, biases }
    }
}

/// Keeps the streams of bare templates from those of texts.
const STREAM: u64 = 1 << 63;

/// The stream of a bare template's dropout masks: one for each template and
/// length of text, whatever else is in the batch.
fn stream(template: &Tokens) -> u64 {
    let gap = template.frame.as_ref().map_or(0, |f| f.gap as u64);
    let fold = |key, &id: &u32| mix64(key ^ u64::from(id));
    STREAM | template.ids.iter().fold(mix64(gap), fold)
}

impl<B: Backend> SentenceEncoder<B> {
    /// Packs texts in a template so that the template's bias is subtracted from
    /// their vectors: the mask's vector where the text's positions are kept and
    /// its tokens are not there. Texts of one length share it. Inputs without a
    /// template are packed as they are, if all of them are.
    pub fn pack_denoised<'a>(&self, tokens: impl IntoIterator<Item = (&'a Tokens, u64)>) -> Batch {
        let texts: Vec<(&Tokens, u64)> = tokens.into_iter().collect();
        let (mut bare, mut biases) = (Vec::new(), Vec::new());
        let mut known = HashMap::new();
        for (tokens, _) in &texts {
            let Some(template) = tokens.without_text() else {
                return self.pack(texts).into();
            };
            let key = stream(&template);
            let place = *known.entry(key).or_insert_with(|| {
                bare.push((template, key));
                (texts.len() + bare.len() - 1) as u32
            });
            biases.push(place);
        }
        let bare = bare.iter().map(|(tokens, stream)| (tokens, *stream));
        let packed = self.pack(texts.into_iter().chain(bare));
        Batch { packed, biases }
    }

    /// Packs inputs with their templates' biases or without.
    pub(crate) fn pack_as<'a>(
        &self,
        tokens: impl IntoIterator<Item = (&'a Tokens, u64)>,
        denoise: bool,
    ) -> Batch {
        match denoise {
            true => self.pack_denoised(tokens),
            false => self.pack(tokens).into(),
        }
    }
}

impl Batch {
    /// The texts' vectors, each less that of its template. `x` has a row for
    /// every sequence.
    pub(crate) fn subtract<B: Backend>(b: &B, biases: &[u32], x: B::Tensor) -> B::Tensor {
        match biases.is_empty() {
            true => x,
            false => b.subtract_rows(x, biases),
        }
    }

    /// The gradient of every sequence's row, given that of the texts'.
    pub(crate) fn subtract_backward<B: Backend>(
        b: &B,
        (biases, sequences): (&[u32], usize),
        dy: B::Tensor,
    ) -> B::Tensor {
        match biases.is_empty() {
            true => dy,
            false => b.subtract_rows_backward(dy, biases, sequences),
        }
    }
}
