//! What transformers' tokenizer classes make of a vocabulary. They take little
//! more than that from `tokenizer.json`: how a text is normalised and split, and
//! which special tokens go around it, are the class's and `tokenizer_config.json`'s.

use super::settings::TokenizerSettings;
use super::special_tokens::SpecialTokens;
use crate::format::ModelError;
use serde_json::{Value, json};
use tokenizers::models::ModelWrapper;
use tokenizers::processors::roberta::RobertaProcessing;
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{
    AddedToken, NormalizerWrapper, PostProcessorWrapper, PreTokenizerWrapper, Tokenizer,
};

/// The known classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// BERT's word pieces.
    Bert,
    /// The same between MPNet's special tokens.
    MpNet,
    /// RoBERTa's pairs of bytes.
    Roberta,
    /// XLM-RoBERTa's unigrams.
    XlmRoberta,
    /// The same with CamemBERT's special tokens.
    Camembert,
    /// `tokenizer.json` as it is.
    AsFiled,
}

/// The parts of a tokenizer that a class makes itself.
pub(super) struct Parts {
    pub normalizer: Option<NormalizerWrapper>,
    pub pre_tokenizer: Option<PreTokenizerWrapper>,
}

impl Class {
    /// For an error message.
    pub const KNOWN: &'static str = "BertTokenizer, DistilBertTokenizer, ElectraTokenizer, MPNetTokenizer, RobertaTokenizer, XLMRobertaTokenizer, CamembertTokenizer, and PreTrainedTokenizerFast, which takes tokenizer.json as it is";

    /// The class called `name`, in the old or the new way.
    pub fn named(name: &str) -> Option<Self> {
        match name.strip_suffix("Fast").unwrap_or(name) {
            "BertTokenizer"
            | "DistilBertTokenizer"
            | "ElectraTokenizer"
            | "MobileBertTokenizer"
            | "SqueezeBertTokenizer"
            | "LxmertTokenizer"
            | "LayoutLMTokenizer" => Some(Self::Bert),
            "MPNetTokenizer" => Some(Self::MpNet),
            "RobertaTokenizer" | "BartTokenizer" | "LongformerTokenizer" => Some(Self::Roberta),
            "XLMRobertaTokenizer" => Some(Self::XlmRoberta),
            "CamembertTokenizer" => Some(Self::Camembert),
            "PreTrainedTokenizer" | "TokenizersBackend" | "PythonBackend" => Some(Self::AsFiled),
            _ => None,
        }
    }

    /// The class of a family whose folder names none.
    pub fn of_family(model_type: &str) -> (Self, String) {
        let (class, name) = match model_type {
            "roberta" => (Self::Roberta, "RobertaTokenizer"),
            "xlm-roberta" => (Self::XlmRoberta, "XLMRobertaTokenizer"),
            "camembert" => (Self::Camembert, "CamembertTokenizer"),
            "mpnet" => (Self::MpNet, "MPNetTokenizer"),
            _ => (Self::Bert, "BertTokenizer"),
        };
        (class, name.to_owned())
    }

    /// Its special tokens, where no file names others.
    pub fn special_tokens(self) -> Vec<(&'static str, AddedToken)> {
        let texts: &[(&str, &str)] = match self {
            Self::AsFiled => &[],
            Self::Bert => &[
                ("unk_token", "[UNK]"),
                ("sep_token", "[SEP]"),
                ("pad_token", "[PAD]"),
                ("cls_token", "[CLS]"),
                ("mask_token", "[MASK]"),
            ],
            _ => &[
                ("bos_token", "<s>"),
                ("eos_token", "</s>"),
                ("unk_token", "<unk>"),
                ("sep_token", "</s>"),
                ("pad_token", "<pad>"),
                ("cls_token", "<s>"),
                ("mask_token", "<mask>"),
            ],
        };
        let make = |(name, text): &(&'static str, &str)| {
            let text = match (self, *name) {
                (Self::MpNet, "unk_token") => "[UNK]",
                _ => text,
            };
            let token = AddedToken::from(text.to_owned(), true);
            // Behaves like a word: the space before it is its own.
            let mask = *name == "mask_token" && matches!(self, Self::MpNet | Self::Camembert);
            (*name, token.lstrip(mask))
        };
        texts.iter().map(make).collect()
    }

    /// Its special tokens without a name.
    pub fn further_tokens(self) -> Vec<AddedToken> {
        let texts: &[&str] = match self {
            Self::Camembert => &["<s>NOTUSED", "</s>NOTUSED", "<unk>NOTUSED"],
            _ => &[],
        };
        let make = |text: &&str| AddedToken::from((*text).to_owned(), true);
        texts.iter().map(make).collect()
    }

    /// How it normalises and splits texts; `None` for what `tokenizer.json` says.
    /// `charsmap` is that file's map of characters, where there is one.
    pub(super) fn parts(
        self,
        settings: &TokenizerSettings,
        charsmap: Option<NormalizerWrapper>,
    ) -> Result<Option<Parts>, ModelError> {
        let config = settings.config()?;
        let fail = |e: serde_json::Error| config.error(e.to_string());
        let parts = match self {
            Self::AsFiled => return Ok(None),
            Self::Bert | Self::MpNet => Parts {
                normalizer: Some(NormalizerWrapper::BertNormalizer(
                    tokenizers::normalizers::BertNormalizer::new(
                        true,
                        config.flag("tokenize_chinese_chars")?.unwrap_or(true),
                        config.flag("strip_accents")?,
                        config.flag("do_lower_case")?.unwrap_or(true),
                    ),
                )),
                pre_tokenizer: Some(
                    pre_tokenizer(json!({"type": "BertPreTokenizer"})).map_err(fail)?,
                ),
            },
            Self::Roberta => {
                let prefix = config.flag("add_prefix_space")?.unwrap_or(false);
                let bytes = json!({
                    "type": "ByteLevel", "add_prefix_space": prefix,
                    "trim_offsets": true, "use_regex": true,
                });
                Parts {
                    normalizer: None,
                    pre_tokenizer: Some(pre_tokenizer(bytes).map_err(fail)?),
                }
            }
            Self::XlmRoberta | Self::Camembert => {
                let prepend = match config.flag("add_prefix_space")?.unwrap_or(true) {
                    true => "always",
                    false => "never",
                };
                let words = json!({"type": "Sequence", "pretokenizers": [
                    {"type": "WhitespaceSplit"},
                    {"type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": prepend,
                     "split": true},
                ]});
                Parts {
                    normalizer: charsmap,
                    pre_tokenizer: Some(pre_tokenizer(words).map_err(fail)?),
                }
            }
        };
        Ok(Some(parts))
    }

    /// What it puts around texts, given where its tokens lie in the vocabulary.
    pub(super) fn processor(
        self,
        tokens: &SpecialTokens,
        tokenizer: &Tokenizer,
    ) -> Result<Option<PostProcessorWrapper>, String> {
        let place = |name: &str| {
            let text = tokens.text(name).unwrap_or_default();
            let id = tokenizer.token_to_id(text);
            id.map(|id| (text.to_owned(), id))
                .ok_or_else(|| format!("the vocabulary has no `{text}`, its `{name}`"))
        };
        let template = |first: (String, u32), last: (String, u32), pair: &str| {
            let (a, b) = (&first.0, &last.0);
            let pair = pair.replace("{a}", a).replace("{b}", b);
            TemplateProcessing::builder()
                .try_single(format!("{a}:0 $A:0 {b}:0"))?
                .try_pair(pair)?
                .special_tokens(vec![first, last])
                .build()
                .map(PostProcessorWrapper::Template)
                .map_err(|e| e.to_string())
        };
        match self {
            Self::AsFiled => Ok(None),
            Self::Bert => template(
                place("cls_token")?,
                place("sep_token")?,
                "{a}:0 $A:0 {b}:0 $B:1 {b}:1",
            )
            .map(Some),
            Self::XlmRoberta | Self::Camembert => template(
                place("bos_token")?,
                place("eos_token")?,
                "{a}:0 $A:0 {b}:0 {b}:0 $B:0 {b}:0",
            )
            .map(Some),
            Self::MpNet | Self::Roberta => {
                let processing = RobertaProcessing::new(place("sep_token")?, place("cls_token")?);
                Ok(Some(PostProcessorWrapper::Roberta(processing)))
            }
        }
    }

    /// The vocabulary's model with the class's own settings: `None` where they
    /// are those of `tokenizer.json`.
    pub fn model(
        self,
        model: &ModelWrapper,
        unknown: Option<&str>,
    ) -> Result<Option<ModelWrapper>, String> {
        let kind = match model {
            ModelWrapper::WordPiece(_) => "WordPiece",
            ModelWrapper::BPE(_) => "BPE",
            ModelWrapper::Unigram(_) => "Unigram",
            ModelWrapper::WordLevel(_) => "WordLevel",
        };
        let wrong = |wanted: &str| {
            format!(
                "it holds a {kind} model, `tokenizer_class` in tokenizer_config.json wants {wanted}; PreTrainedTokenizerFast there takes it as it is"
            )
        };
        match (self, model) {
            (Self::AsFiled, _) => Ok(None),
            (Self::Bert | Self::MpNet, ModelWrapper::WordPiece(pieces)) => {
                let unknown = unknown.unwrap_or("[UNK]");
                let same = pieces.unk_token == unknown
                    && pieces.continuing_subword_prefix == "##"
                    && pieces.max_input_chars_per_word == 100;
                Ok((!same).then(|| {
                    let mut pieces = pieces.clone();
                    unknown.clone_into(&mut pieces.unk_token);
                    "##".clone_into(&mut pieces.continuing_subword_prefix);
                    pieces.max_input_chars_per_word = 100;
                    ModelWrapper::WordPiece(pieces)
                }))
            }
            (Self::Roberta, ModelWrapper::BPE(pairs)) => {
                let none = |s: &Option<String>| s.as_deref().unwrap_or_default().is_empty();
                let same = pairs.dropout.is_none()
                    && pairs.unk_token.is_none()
                    && none(&pairs.continuing_subword_prefix)
                    && none(&pairs.end_of_word_suffix)
                    && !(pairs.fuse_unk || pairs.byte_fallback || pairs.ignore_merges);
                Ok((!same).then(|| {
                    let mut pairs = pairs.clone();
                    pairs.dropout = None;
                    pairs.unk_token = None;
                    pairs.continuing_subword_prefix = None;
                    pairs.end_of_word_suffix = None;
                    (pairs.fuse_unk, pairs.byte_fallback) = (false, false);
                    pairs.ignore_merges = false;
                    ModelWrapper::BPE(pairs)
                }))
            }
            (Self::XlmRoberta | Self::Camembert, ModelWrapper::Unigram(_)) => Ok(None),
            (Self::Bert | Self::MpNet, _) => Err(wrong("WordPiece")),
            (Self::Roberta, _) => Err(wrong("BPE")),
            (Self::XlmRoberta | Self::Camembert, _) => Err(wrong("Unigram")),
        }
    }

    /// The id of the unknown token that it gives a Unigram model.
    pub fn unknown_of_unigrams(self, unknown: Option<u32>) -> Option<u32> {
        match self {
            Self::XlmRoberta => Some(3),
            Self::Camembert => Some(unknown.unwrap_or(0)),
            _ => None,
        }
    }
}

fn pre_tokenizer(json: Value) -> Result<PreTokenizerWrapper, serde_json::Error> {
    serde_json::from_value(json)
}
