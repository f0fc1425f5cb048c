use super::guard::guarded;
use super::{Tokenizer, Tokens};
use crate::Result;
use crate::format::ModelError;
use std::ops::Range;
use tokenizers::{Encoding, PostProcessor};

/// Where the text goes in a template.
const TEXT: &str = "{}";

/// How a template may write the tokenizer's mask, beside its own name for it.
const MASKS: [&str; 2] = ["[MASK]", "<mask>"];

/// A sentence about a text, such as `This sentence : "{}" means [MASK] .`, whose
/// masked token stands for what the text means (PromptBERT; Jiang et al. 2022).
/// What stands before and behind the text is tokenised by itself, so that its
/// tokens are the same for every text.
#[derive(Debug, Clone)]
pub struct Template {
    before: Encoding,
    after: Encoding,
    /// White space before the text, which goes with the text's first word.
    glue: String,
    /// Special tokens in front.
    lead: usize,
    /// The mask's place among the template's own tokens.
    mask: usize,
}

/// Where the parts of a template lie in an input.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frame {
    /// The token whose vector is the input's.
    pub mask: usize,
    /// The text's tokens.
    pub text: Range<usize>,
    /// Positions left free where the text's tokens would be.
    pub gap: usize,
}

impl Template {
    /// How many tokens it has without text and special tokens.
    fn len(&self) -> usize {
        self.before.len() + self.after.len()
    }

    /// The frame around a text of so many tokens.
    fn frame(&self, tokens: usize) -> Frame {
        let start = self.lead + self.before.len();
        let behind = self.mask >= self.before.len();
        Frame {
            mask: self.lead + self.mask + if behind { tokens } else { 0 },
            text: start..start + tokens,
            gap: 0,
        }
    }
}

impl Tokens {
    /// The template around the text, with the positions that its tokens have
    /// while the text is there; `None` for an input without one.
    pub fn without_text(&self) -> Option<Tokens> {
        let frame = self.frame.as_ref()?;
        let kept = |values: &[u32]| match values {
            [] => vec![],
            _ => [&values[..frame.text.start], &values[frame.text.end..]].concat(),
        };
        let gap = frame.text.len();
        let behind = frame.mask >= frame.text.end;
        Some(Tokens {
            ids: kept(&self.ids),
            segments: kept(&self.segments),
            frame: Some(Frame {
                mask: frame.mask - if behind { gap } else { 0 },
                text: frame.text.start..frame.text.start,
                gap,
            }),
            coverage: self.coverage,
        })
    }
}

impl Tokenizer {
    /// Reads a template, in which `{}` stands for the text and `[MASK]`,
    /// `<mask>` or the tokenizer's own name of it for the mask.
    ///
    /// # Errors
    /// [`ModelError::Template`] where one of them is missing or there twice,
    /// the tokenizer has no mask, or no room is left for a text.
    pub fn template(&self, text: &str) -> Result<Template> {
        let fail = |message: String| ModelError::Template {
            template: text.to_owned(),
            message,
        };
        let Some((before, after)) = text.split_once(TEXT).filter(|p| !p.1.contains(TEXT)) else {
            return Err(fail("`{}` must stand in it once, for the text".into()).into());
        };
        let mask = self.vocabulary().mask();
        let named = mask.and_then(|id| Some((id, self.inner.id_to_token(id)?)));
        let Some((mask, name)) = named else {
            let message = "the model's tokenizer has no mask token; it needs a model that was trained on masked tokens";
            return Err(fail(message.into()).into());
        };
        let bare = |part: &str| {
            let part = MASKS
                .iter()
                .fold(part.to_owned(), |p, m| p.replace(m, &name));
            guarded(|| self.bare(part.into())).map_err(fail)
        };
        let glue = before[before.trim_end().len()..].to_owned();
        let (before, after) = (bare(before.trim_end())?, bare(after)?);
        let own = [before.get_ids(), after.get_ids()].concat();
        let masks: Vec<usize> = (0..own.len()).filter(|&i| own[i] == mask).collect();
        let [mask] = masks[..] else {
            let message = format!("the mask, `{name}`, must stand in it once");
            return Err(fail(message).into());
        };
        let whole = Encoding::merge([before.clone(), after.clone()], false);
        let whole = guarded(|| self.with_special(whole, None)).map_err(fail)?;
        let lead = whole.get_ids().windows(own.len()).position(|w| w == own);
        let Some(lead) = lead else {
            return Err(fail("the tokenizer changes its tokens beside special ones".into()).into());
        };
        let template = Template {
            before,
            after,
            glue,
            lead,
            mask,
        };
        self.room_within(&template, self.max_tokens())
            .map_err(fail)?;
        Ok(template)
    }

    /// Puts every text into `template` from now on, or into none.
    pub fn set_template(&mut self, template: Option<Template>) {
        self.template = template;
    }

    /// How many tokens a template and the special ones leave to a text.
    pub(super) fn room_within(&self, template: &Template, most: usize) -> Result<usize, String> {
        let room = self.room(most, false)?;
        let len = template.len();
        match room.checked_sub(len) {
            Some(room) if room > 0 => Ok(room),
            _ => Err(format!(
                "an input of {most} tokens, {len} of them the template's, has no room for text; raise `max_tokens` or shorten it"
            )),
        }
    }

    /// The tokens of each text within `template`. Texts are cut, templates
    /// never.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode_within(&self, template: &Template, texts: &[&str]) -> Result<Vec<Tokens>> {
        self.each(texts.to_vec(), |text| {
            let text = [&template.glue, self.prompt(), text].concat();
            let mut text = self.bare(text.into())?;
            let room = self.room_within(template, self.max_tokens())?;
            let truncated = text.len() > room;
            if truncated {
                text.truncate(room, 0, self.direction);
                drop(text.take_overflowing());
            }
            let coverage = self.cover(&text, None, truncated);
            let frame = template.frame(text.len());
            let parts = [template.before.clone(), text, template.after.clone()];
            let whole = self.with_special(Encoding::merge(parts, false), None)?;
            let mut tokens = self.check(whole)?;
            tokens.frame = Some(frame);
            tokens.coverage = coverage;
            Ok(tokens)
        })
    }

    /// Adds the special tokens.
    pub(super) fn with_special(
        &self,
        first: Encoding,
        second: Option<Encoding>,
    ) -> Result<Encoding, String> {
        match &self.processor {
            Some(p) => p.process(first, second, true).map_err(|e| e.to_string()),
            None => Ok(Encoding::merge(std::iter::once(first).chain(second), false)),
        }
    }
}
