use super::choice::choose;
use crate::Result;
use crate::format::ModelError;
use crate::models::MaskedLm;
use crate::models::SentenceEncoder;
use crate::recipe::Fill;
use crate::text::unit;
use crate::text::{Vocabulary, batches};
use gradus_kernels::Backend;
use gradus_kernels::dropout::mix64;
use std::path::Path;
use std::sync::Arc;

/// Scores held at a time: of so many tokens at so many places.
const SCORES: usize = 1 << 22;

/// A frozen masked language model that fills places of texts.
pub struct Generator<B: Backend> {
    model: MaskedLm<B>,
    /// It puts only tokens below this one.
    vocabulary: usize,
}

/// A text to be filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blank {
    /// Its tokens, masked.
    pub ids: Vec<u32>,
    /// The places to fill, in order.
    pub places: Vec<u32>,
    /// What chance draws from, together with the place.
    pub key: u64,
}

impl<B: Backend> Generator<B> {
    /// Loads the masked language model in `root`.
    ///
    /// # Errors
    /// As [`MaskedLm::load`]; [`ModelError::Unsupported`] for a model
    /// without the masked-language-model head.
    pub fn load(root: &Path, backend: Arc<B>) -> Result<Self> {
        let model = MaskedLm::load_beside(root, backend, 0)?;
        if model.has_fresh_head() {
            return Err(ModelError::Unsupported {
                path: root.to_path_buf(),
                what: "generator".into(),
                found: "weights without the masked-language-model head".into(),
                supported: "masked language models such as distilbert-base-uncased, and models of `gradus pretrain`".into(),
            }
            .into());
        }
        let vocabulary = model.encoder().tokenizer().vocabulary().len();
        let vocabulary = vocabulary.min(model.encoder().config().vocab_size);
        Ok(Self { model, vocabulary })
    }

    /// How many parameters it has.
    pub fn parameters(&self) -> usize {
        self.model.encoder().layout().len()
    }

    /// Whether it can fill texts of `longest` tokens for `student`, whose
    /// vocabulary has these `tokens`.
    ///
    /// # Errors
    /// A message with the reason and what to do.
    pub fn check(
        &self,
        student: &SentenceEncoder<B>,
        vocabulary: &Vocabulary,
        longest: usize,
    ) -> Result<(), String> {
        const REMEDY: &str = "it must have the vocabulary of the model: take distilbert-base-uncased for bert-base-uncased, distilroberta-base for roberta-base, or train one with `gradus pretrain --tokenizer MODEL`";
        let own = self.model.encoder();
        if let Some(what) = student.tokenizer().differs_from(own.tokenizer()) {
            return Err(format!(
                "the generator's vocabulary is another: {what}; {REMEDY}"
            ));
        }
        let (sizes, most) = (
            [own.config().vocab_size, student.config().vocab_size],
            vocabulary.len(),
        );
        if sizes.iter().any(|&size| size < most) {
            return Err(format!(
                "the vocabulary has {most} pieces, generator and model have vectors of {} and {}; {REMEDY}",
                sizes[0], sizes[1]
            ));
        }
        let limit = own.config().max_tokens();
        if longest > limit {
            return Err(format!(
                "the generator takes {limit} tokens, a text has {longest}; set `max_tokens = {limit}`"
            ));
        }
        Ok(())
    }

    /// The tokens for the places of each text. A text without places gets none.
    pub(crate) fn fill(&self, texts: &[Blank], fill: Fill) -> Vec<Vec<u32>> {
        let backend = self.model.encoder().backend();
        let full: Vec<&Blank> = texts.iter().filter(|t| !t.places.is_empty()).collect();
        let (limit, lanes) = (backend.batch_tokens(), backend.lanes());
        let batches = batches(&full, |t| t.ids.len(), limit, lanes);
        let filled = backend.in_lanes(batches, |backend, batch| {
            backend.enter(|| self.fill_batch(backend, batch, fill))
        });
        let mut filled = filled.concat().into_iter();
        let of = |text: &Blank| filled.by_ref().take(text.places.len()).collect();
        texts.iter().map(of).collect()
    }

    /// The tokens for all places of a batch, text by text.
    fn fill_batch(&self, backend: &B, texts: &[&Blank], fill: Fill) -> Vec<u32> {
        let hidden = self
            .model
            .hidden(backend, texts.iter().map(|t| t.ids.as_slice()));
        let (mut rows, mut draws, mut first) = (vec![], vec![], 0);
        for text in texts {
            rows.extend(text.places.iter().map(|place| first + place));
            let draw = |&place: &u32| unit(mix64(text.key ^ u64::from(place)));
            draws.extend(text.places.iter().map(draw));
            first += text.ids.len() as u32;
        }
        let classes = self.model.encoder().config().vocab_size;
        let at_a_time = (SCORES / classes).clamp(16, backend.batch_tokens().max(16));
        let mut vocabulary = Vec::with_capacity(rows.len());
        let mut spare = vec![];
        for (rows, draws) in rows.chunks(at_a_time).zip(draws.chunks(at_a_time)) {
            let scores = backend.read(&self.model.scores(backend, &hidden, rows));
            for (scores, draw) in scores.chunks_exact(classes).zip(draws) {
                vocabulary.push(choose(&scores[..self.vocabulary], fill, *draw, &mut spare));
            }
        }
        vocabulary
    }
}
