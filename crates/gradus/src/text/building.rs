//! From a model's folder to its tokenizer, as transformers builds it.

use super::charsmap::check_charsmaps;
use super::class::Class;
use super::guard::guarded;
use super::settings::{TokenizerOverrides, TokenizerSettings};
use super::special_tokens::SpecialTokens;
use super::word_pieces::word_pieces;
use crate::Result;
use crate::format::ModelError;
use crate::format::files::{is_there, read_text};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tokenizers::models::ModelWrapper;
use tokenizers::normalizers::{Lowercase, Sequence};
use tokenizers::{
    AddedToken, Encoding, NormalizerWrapper, PostProcessor, PostProcessorWrapper, Tokenizer,
};

/// No tokenizer's file is larger: a quarter of a million tokens take 17 MB.
const MAX_FILE: u64 = 256 << 20;

/// A tokenizer and what belongs to it.
pub(super) struct Built {
    /// Without padding, truncation and special tokens.
    pub inner: Tokenizer,
    /// Adds the special tokens.
    pub processor: Option<PostProcessorWrapper>,
    /// The file of the vocabulary.
    pub path: PathBuf,
    /// Texts are cut at their beginning.
    pub cuts_beginnings: bool,
    /// The model is given segments.
    pub gives_segments: bool,
    /// The ids that are no text.
    pub special_ids: Vec<u32>,
    /// What a user should know of it.
    pub notes: Vec<String>,
}

/// The parts of `tokenizer.json` that are looked at here.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Head {
    normalizer: Value,
    truncation: Option<Side>,
    padding: Option<Side>,
    model: ModelHead,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Side {
    direction: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ModelHead {
    unk_id: Option<u32>,
    byte_fallback: Option<bool>,
}

pub(super) fn build(folder: &Path, overrides: &TokenizerOverrides) -> Result<Built> {
    let settings = TokenizerSettings::read(folder, overrides)?;
    let json = folder.join("tokenizer.json");
    let vocab = folder.join("vocab.txt");
    let in_json = is_there(&json)?;
    let (path, loaded) = if in_json {
        let text = read_text(&json, MAX_FILE)?;
        let parse = || {
            check_charsmaps(&text)?;
            let head: Head = serde_json::from_str(&text).map_err(|e| e.to_string())?;
            let inner: Tokenizer = text.parse().map_err(|e: tokenizers::Error| e.to_string())?;
            Ok((inner, head))
        };
        (json, guarded(parse))
    } else if settings.class == Class::Bert && is_there(&vocab)? {
        let text = read_text(&vocab, MAX_FILE)?;
        let parse = || Ok((word_pieces(&text)?, Head::default()));
        (vocab, guarded(parse))
    } else {
        let remedy = "a tokenizer.json or a BERT vocab.txt is needed; fetch the whole model";
        return Err(ModelError::MissingFile { path: json, remedy }.into());
    };
    let fail = |message: String| ModelError::Tokenizer {
        path: path.clone(),
        message,
    };
    let (inner, head) = loaded.map_err(fail)?;
    let mut of_file = BTreeMap::new();
    if in_json {
        let added = inner.get_added_tokens_decoder();
        of_file.extend(added.iter().map(|(id, token)| (*id, token.clone())));
    }
    let tokens = SpecialTokens::gather(&settings, &of_file)?;
    // What is wrong with its description is an error of that file.
    settings.class.parts(&settings, None)?;
    settings.config()?.flag("split_special_tokens")?;
    let mut maker = Maker {
        settings: &settings,
        tokens: &tokens,
        head: &head,
        in_json,
        notes: Vec::new(),
    };
    let parts = guarded(|| maker.make(inner, &of_file));
    let (inner, processor) = parts.map_err(fail)?;
    let mut notes = maker.notes;
    notes.extend(disagreements(&settings, &tokens, &inner));
    // What tokenizer.json says counts where tokenizer_config.json says nothing.
    let is_left = |side: &Option<Side>| {
        let side = side.as_ref().and_then(|s| s.direction.as_deref());
        side.is_some_and(|side| side.eq_ignore_ascii_case("left"))
    };
    settings.check_padding(is_left(&head.padding))?;
    let filed = is_left(&head.truncation);
    let cuts_beginnings = settings.cuts_beginnings()?.unwrap_or(filed);
    let special_ids = tokens.texts().filter_map(|t| inner.token_to_id(t));
    Ok(Built {
        special_ids: special_ids.collect(),
        gives_segments: settings.gives_segments()?,
        cuts_beginnings,
        processor,
        inner,
        path,
        notes,
    })
}

/// Makes a class's tokenizer of what a file holds.
struct Maker<'a> {
    settings: &'a TokenizerSettings,
    tokens: &'a SpecialTokens,
    head: &'a Head,
    in_json: bool,
    notes: Vec<String>,
}

impl Maker<'_> {
    fn make(
        &mut self,
        mut inner: Tokenizer,
        of_file: &BTreeMap<u32, AddedToken>,
    ) -> Result<(Tokenizer, Option<PostProcessorWrapper>), String> {
        // Padding and truncation stored with the tokenizer are some trainer's;
        // batches are packed, and the model states its own limit. Nor does the
        // library truncate: see `Tokenizer::finish`.
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|e| e.to_string())?;
        let filed = inner.get_post_processor().cloned();
        inner.with_post_processor(None::<PostProcessorWrapper>);
        let config = self.settings.config().map_err(|e| e.to_string())?;
        let class = self.settings.class;
        let unknown = self.tokens.text("unk_token");
        if let Some(model) = class.model(inner.get_model(), unknown)? {
            inner.with_model(model);
        }
        self.check_unigrams(&inner)?;
        let charsmap = charsmap_of(&self.head.normalizer).map_err(|e| e.to_string())?;
        let parts = class.parts(self.settings, charsmap);
        if let Some(parts) = parts.map_err(|e| e.to_string())? {
            self.compare(
                "normalizer",
                inner.get_normalizer(),
                parts.normalizer.as_ref(),
            );
            let now = parts.pre_tokenizer.as_ref();
            self.compare("pre_tokenizer", inner.get_pre_tokenizer(), now);
            inner
                .with_normalizer(parts.normalizer)
                .map_err(|e| e.to_string())?
                .with_pre_tokenizer(parts.pre_tokenizer);
            if !same_tokens(&self.tokens.added, of_file, &inner) {
                inner = without_added_tokens(&inner)?;
            }
        }
        for token in &self.tokens.by_class {
            if inner.token_to_id(token).is_none() {
                let name = &self.settings.class_name;
                self.notes.push(format!(
                    "`{token}` is not in the vocabulary: {name} adds it with an id of its own, for which no vector was trained, in sentence-transformers too"
                ));
            }
        }
        let added = self.tokens.added.iter().cloned();
        inner.add_tokens(added).map_err(|e| e.to_string())?;
        if self.settings.lower_case && !has_lowercase(inner.get_normalizer()) {
            let mut all = vec![NormalizerWrapper::Lowercase(Lowercase)];
            match inner.get_normalizer().cloned() {
                Some(NormalizerWrapper::Sequence(sequence)) => {
                    all.extend(sequence.as_ref().iter().cloned());
                }
                other => all.extend(other),
            }
            let sequence = NormalizerWrapper::Sequence(Sequence::new(all));
            inner
                .with_normalizer(Some(sequence))
                .map_err(|e| e.to_string())?;
        }
        if let Some(split) = config
            .flag("split_special_tokens")
            .map_err(|e| e.to_string())?
        {
            inner.set_encode_special_tokens(split);
        }
        let own = class.processor(self.tokens, &inner)?;
        let processor = match class {
            Class::AsFiled => filed,
            _ => {
                self.compare_special(filed.as_ref(), own.as_ref());
                own
            }
        };
        if around(processor.as_ref()).is_some_and(|ids| ids.is_empty()) {
            self.notes.push(
                "tokenizer.json puts no special tokens around a text (`post_processor`), and `tokenizer_class` takes it as it is: vectors are made without them, as in sentence-transformers".into(),
            );
        }
        Ok((inner, processor))
    }

    /// Whether a Unigram model has the unknown token that its class gives it.
    fn check_unigrams(&self, inner: &Tokenizer) -> Result<(), String> {
        let unknown = self.tokens.text("unk_token");
        let id = unknown.and_then(|t| inner.token_to_id(t));
        let class = self.settings.class;
        let ModelWrapper::Unigram(_) = inner.get_model() else {
            return Ok(());
        };
        let Some(wanted) = class.unknown_of_unigrams(id) else {
            return Ok(());
        };
        if self.head.model.unk_id == Some(wanted) && self.head.model.byte_fallback != Some(true) {
            return Ok(());
        }
        let name = &self.settings.class_name;
        let found = self.head.model.unk_id;
        let found = found.map_or("none".to_owned(), |id| id.to_string());
        Err(format!(
            "its `unk_id` is {found}, {name} takes {wanted}, without `byte_fallback`; `tokenizer_class` PreTrainedTokenizerFast in tokenizer_config.json takes the file as it is"
        ))
    }

    /// Notes a part of `tokenizer.json` that is not the one in use.
    fn compare<T: serde::Serialize>(&mut self, key: &str, filed: Option<&T>, own: Option<&T>) {
        let json = |part: Option<&T>| serde_json::to_value(part).unwrap_or_default();
        let (filed, own) = (json(filed), json(own));
        if !self.in_json || filed == own || has_part(&filed, &own) {
            return;
        }
        let name = &self.settings.class_name;
        let settings = match key {
            "normalizer" => "`do_lower_case`, `strip_accents`, `tokenize_chinese_chars`",
            _ => "`add_prefix_space`",
        };
        self.notes.push(format!(
            "the `{key}` of tokenizer.json is not used: {name} makes its own by tokenizer_config.json ({settings}), in sentence-transformers too"
        ));
    }

    fn compare_special(
        &mut self,
        filed: Option<&PostProcessorWrapper>,
        own: Option<&PostProcessorWrapper>,
    ) {
        let (filed, used) = (around(filed), around(own));
        if self.in_json && filed != used {
            let name = &self.settings.class_name;
            let shown = |ids: Option<Vec<u32>>| format!("{:?}", ids.unwrap_or_default());
            self.notes.push(format!(
                "tokenizer.json puts the ids {} around a text (`post_processor`), {name} puts {}: these are used, in sentence-transformers too",
                shown(filed),
                shown(used)
            ));
        }
    }
}

/// The ids that a processor puts around a text; `None` where it fails.
fn around(processor: Option<&PostProcessorWrapper>) -> Option<Vec<u32>> {
    match processor {
        None => Some(Vec::new()),
        Some(processor) => {
            let ids = || {
                let whole = processor.process(Encoding::default(), None, true);
                whole
                    .map(|e| e.get_ids().to_vec())
                    .map_err(|e| e.to_string())
            };
            guarded(ids).ok()
        }
    }
}

/// Whether a filed sequence of parts holds the one in use and others, which, as
/// in conversions of SentencePiece models, only tidy up spaces.
fn has_part(filed: &Value, own: &Value) -> bool {
    let parts = filed.get("normalizers").and_then(Value::as_array);
    let spaces = |part: &Value| {
        let kind = part.get("type").and_then(Value::as_str);
        matches!(kind, Some("Replace" | "Strip")) || part == own
    };
    parts.is_some_and(|parts| parts.contains(own) && parts.iter().all(spaces))
}

/// The map of characters in `tokenizer.json`: the first of its normalizers that
/// is one.
fn charsmap_of(normalizer: &Value) -> Result<Option<NormalizerWrapper>, serde_json::Error> {
    let list = match normalizer.get("normalizers") {
        Some(Value::Array(list)) => list.as_slice(),
        _ => std::slice::from_ref(normalizer),
    };
    let precompiled = |n: &&Value| n.get("type").is_some_and(|t| t == "Precompiled");
    let found = list.iter().find(precompiled);
    found.map(|n| serde_json::from_value(n.clone())).transpose()
}

fn has_lowercase(normalizer: Option<&NormalizerWrapper>) -> bool {
    let is = |n: &NormalizerWrapper| matches!(n, NormalizerWrapper::Lowercase(_));
    match normalizer {
        Some(NormalizerWrapper::Sequence(sequence)) => sequence.as_ref().iter().any(is),
        Some(other) => is(other),
        None => false,
    }
}

/// Whether a file's added tokens are those that are to be added.
fn same_tokens(
    tokens: &[AddedToken],
    of_file: &BTreeMap<u32, AddedToken>,
    inner: &Tokenizer,
) -> bool {
    let at = |token: &AddedToken| {
        let id = inner.token_to_id(&token.content);
        id.and_then(|id| of_file.get(&id)) == Some(token)
    };
    tokens.len() == of_file.len() && tokens.iter().all(at)
}

/// The same without the tokens that its file added.
fn without_added_tokens(inner: &Tokenizer) -> Result<Tokenizer, String> {
    let mut fresh = Tokenizer::new(inner.get_model().clone());
    fresh
        .with_normalizer(inner.get_normalizer().cloned())
        .map_err(|e| e.to_string())?
        .with_pre_tokenizer(inner.get_pre_tokenizer().cloned());
    Ok(fresh)
}

/// Ids in `config.json` that are not those of the vocabulary.
fn disagreements(
    settings: &TokenizerSettings,
    tokens: &SpecialTokens,
    inner: &Tokenizer,
) -> Vec<String> {
    let mut notes = Vec::new();
    for (name, said) in &settings.ids_of_config {
        let Some(text) = tokens.text(name) else {
            continue;
        };
        match inner.token_to_id(text) {
            Some(id) if u64::from(id) == *said => {}
            found => {
                let found = found.map_or("missing".to_owned(), |id| format!("number {id}"));
                notes.push(format!(
                    "`{name}_id` is {said} in config.json, but `{text}` is {found} in the vocabulary: tokenizer and weights may not belong together"
                ));
            }
        }
    }
    notes
}
