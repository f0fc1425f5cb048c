//! Texts behind a prompt, and pooling without it.

use super::SentenceEncoder;
use crate::Result;
use crate::format::{ModelError, PromptChoice};
use crate::text::Tokenizer;
use gradus_kernels::{Backend, Packed, Pooling, Sequence};

/// A model's tokenizer with a prompt of its own before every text: the model can read
/// texts behind several prompts at once.
#[derive(Debug, Clone)]
pub struct PromptedTokenizer {
    tokenizer: Tokenizer,
    unpooled: usize,
}

impl PromptedTokenizer {
    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The tokenizer, to shorten its inputs or to cut them elsewhere.
    pub fn into_tokenizer(self) -> Tokenizer {
        self.tokenizer
    }

    /// How many tokens at the beginning of every text are not pooled.
    pub fn unpooled(&self) -> usize {
        self.unpooled
    }
}

impl<B: Backend> SentenceEncoder<B> {
    /// Puts another prompt before every text from now on.
    ///
    /// # Errors
    /// [`ModelError::Prompt`] where the folder has none of that name.
    pub fn set_prompt(&mut self, choice: PromptChoice) -> Result<()> {
        let PromptedTokenizer {
            tokenizer,
            unpooled,
        } = self.prompted(&choice)?;
        (self.tokenizer, self.unpooled, self.prompt) = (tokenizer, unpooled, choice);
        Ok(())
    }

    /// The tokenizer with another prompt, for
    /// [`SentenceEncoder::encode_prompted`].
    ///
    /// # Errors
    /// [`ModelError::Prompt`] where the folder has none of that name.
    pub fn prompted(&self, choice: &PromptChoice) -> Result<PromptedTokenizer> {
        let modules = &self.folder.modules;
        let prompt = modules.prompts.choose(choice);
        let prompt = prompt.map_err(|message| ModelError::Prompt {
            folder: self.folder.root.clone(),
            message,
        })?;
        let skip = !(modules.include_prompt || prompt.is_empty());
        let mut tokenizer = self.tokenizer.clone();
        tokenizer.set_prompt(prompt);
        let unpooled = match skip {
            true => tokenizer.prompt_length()?,
            false => 0,
        };
        Ok(PromptedTokenizer {
            tokenizer,
            unpooled,
        })
    }

    /// The prompt before every text.
    pub fn prompt(&self) -> &PromptChoice {
        &self.prompt
    }

    /// How many tokens at the beginning of every text behind it are not pooled.
    pub fn unpooled(&self) -> usize {
        self.unpooled
    }

    /// The rows that are pooled, and they alone as a batch: all but each
    /// sequence's first ones. The last of a sequence is pooled in any case.
    fn pooled_rows(batch: &Packed, unpooled: usize) -> (Vec<u32>, Packed) {
        let bounds: Vec<(usize, usize)> = batch
            .offsets()
            .windows(2)
            .map(|w| {
                (
                    (w[0] + unpooled).min(w[1].saturating_sub(1)).max(w[0]),
                    w[1],
                )
            })
            .collect();
        let rows = bounds.iter().flat_map(|&(a, b)| a as u32..b as u32);
        let sequences = bounds.iter().zip(batch.streams());
        let sequences = sequences.map(|(&(a, b), &stream)| Sequence {
            ids: &batch.ids()[a..b],
            segments: &[],
            stream,
        });
        (rows.collect(), Packed::new(sequences, 0))
    }

    /// Whether a vector is made of its first token's alone.
    pub(crate) fn pools_first_alone(&self, unpooled: usize) -> bool {
        unpooled == 0 && self.folder.modules.pooling == [Pooling::Cls]
    }

    pub(crate) fn pool(
        &self,
        b: &B,
        batch: &B::Batch,
        x: &B::Tensor,
        unpooled: usize,
    ) -> B::Tensor {
        let modes = &self.folder.modules.pooling;
        if unpooled == 0 {
            return b.pool(modes, batch, x);
        }
        let (rows, pooled) = Self::pooled_rows(b.packed(batch), unpooled);
        b.pool(modes, &b.batch(pooled), &b.gather(x, &rows))
    }

    pub(crate) fn pool_backward(
        &self,
        b: &B,
        batch: &B::Batch,
        x: &B::Tensor,
        dy: B::Tensor,
    ) -> B::Tensor {
        let modes = &self.folder.modules.pooling;
        if self.unpooled == 0 {
            return b.pool_backward(modes, batch, x, &dy);
        }
        let (rows, pooled) = Self::pooled_rows(b.packed(batch), self.unpooled);
        let pooled = b.batch(pooled);
        let d = b.pool_backward(modes, &pooled, &b.gather(x, &rows), &dy);
        b.gather_backward(&d, &rows, b.shape(x).0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Compute;
    use crate::models::EncodeOptions;
    use gradus_kernels::cpu::Cpu;
    use std::fs;
    use std::path::Path;

    /// A copy of a stored model with a prompt whose tokens are not pooled.
    fn model(place: &Path) -> SentenceEncoder {
        let stored = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/models/bert-small"
        );
        for folder in ["", "1_Pooling", "2_Normalize"] {
            let (from, to) = (Path::new(stored).join(folder), place.join(folder));
            fs::create_dir_all(&to).unwrap();
            let files = fs::read_dir(from).into_iter().flatten().flatten();
            for file in files.filter(|f| f.path().is_file()) {
                fs::copy(file.path(), to.join(file.file_name())).unwrap();
            }
        }
        let pooling = r#"{"word_embedding_dimension": 32, "pooling_mode_mean_tokens": true, "include_prompt": false}"#;
        fs::write(place.join("1_Pooling/config.json"), pooling).unwrap();
        let prompts = r#"{"prompts": {"query": "the dog is ", "document": ""}}"#;
        fs::write(place.join("config_sentence_transformers.json"), prompts).unwrap();
        SentenceEncoder::load(place, Compute::from(Cpu::new(1))).unwrap()
    }

    #[test]
    fn texts_behind_several_prompts_are_as_behind_each() {
        let place = tempfile::tempdir().unwrap();
        let mut encoder = model(place.path());
        let texts = ["in the park", "a cat", ""];
        for choice in [
            PromptChoice::Query,
            PromptChoice::Default,
            PromptChoice::Text("two birds ".into()),
        ] {
            let prompted = encoder.prompted(&choice).unwrap();
            let tokens = prompted.tokenizer().encode(&texts).unwrap();
            let options = EncodeOptions::default();
            let vectors = encoder.encode_prompted(&tokens, prompted.unpooled(), options);
            let mut alone = model(place.path());
            alone.set_prompt(choice).unwrap();
            assert_eq!(alone.unpooled(), prompted.unpooled());
            assert_eq!(vectors, alone.encode(&texts).unwrap());
        }
        let query = encoder.prompted(&PromptChoice::Query).unwrap();
        assert_eq!(
            query.unpooled(),
            4,
            "the prompt's tokens and one before them"
        );
        let none = PromptChoice::Named("none".into());
        assert!(encoder.prompted(&none).is_err());
        assert!(encoder.set_prompt(none).is_err());
    }
}
