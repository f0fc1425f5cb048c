//! The descriptions that sentence-transformers writes.

use super::Keys;
use super::Treatment::{NoEffect, Obeyed, Only};

const NAME: &str = "a label";

/// An entry of `modules.json`.
pub(crate) const MODULE: Keys = Keys {
    title: "`modules.json`, each entry",
    groups: &[&[
        (Obeyed, &["type", "path"]),
        (NoEffect(NAME), &["idx", "name"]),
        (
            NoEffect("options that `encode` may hand on; none of these modules has any"),
            &["kwargs"],
        ),
    ]],
};

const TEXT_ONLY: &str = "other kinds of input, or other outputs than token vectors";
const SCORES_ONLY: &str = "other kinds of input, or other outputs than logits";
const ANOTHER_TASK: &str = "it is for models of other kinds, such as late interaction";

/// What all models' files of this name may hold.
const TRANSFORMER_COMMON: &[super::Group] = &[
    (
        Obeyed,
        &[
            "max_seq_length",
            "do_lower_case",
            // What these hold is read as tokenizer_config.json is.
            "processor_kwargs",
            "tokenizer_args",
            "processing_kwargs",
            "model_kwargs",
            "model_args",
            "config_kwargs",
            "config_args",
        ],
    ),
    (
        Only(&[], ANOTHER_TASK),
        &["query_length", "document_length", "query_expansion"],
    ),
    (
        Only(&[], "it takes the tokenizer of another folder"),
        &["tokenizer_name_or_path"],
    ),
    (NoEffect("batches here have no padding"), &["unpad_inputs"]),
    (NoEffect("how it is computed, not what"), &["backend"]),
];

/// `sentence_bert_config.json` and its older siblings.
pub(crate) const TRANSFORMER: Keys = Keys {
    title: "`sentence_bert_config.json` (older: `sentence_roberta_config.json`, `sentence_distilbert_config.json`, `sentence_camembert_config.json`, `sentence_albert_config.json`, `sentence_xlm-roberta_config.json`, `sentence_xlnet_config.json`); read beside a `modules.json` only, as in sentence-transformers",
    groups: &[
        TRANSFORMER_COMMON,
        &[
            (
                Only(&[r#""feature-extraction""#], TEXT_ONLY),
                &["transformer_task"],
            ),
            (
                Only(
                    &[
                        r#"{"text":{"method":"forward","method_output_name":"last_hidden_state"}}"#,
                        r#"{"text":{"method":"forward","method_output_name":["last_hidden_state"]}}"#,
                    ],
                    TEXT_ONLY,
                ),
                &["modality_config"],
            ),
            (
                Only(&[r#""token_embeddings""#], TEXT_ONLY),
                &["module_output_name"],
            ),
        ],
    ],
};

/// The same of a cross-encoder.
pub(crate) const CROSS_TRANSFORMER: Keys = Keys {
    title: "The same in a cross-encoder's folder",
    groups: &[
        TRANSFORMER_COMMON,
        &[
            (
                Only(&[r#""sequence-classification""#], SCORES_ONLY),
                &["transformer_task"],
            ),
            (
                Only(
                    &[
                        r#"{"text":{"method":"forward","method_output_name":"logits"}}"#,
                        r#"{"text":{"method":"forward","method_output_name":["logits"]}}"#,
                    ],
                    SCORES_ONLY,
                ),
                &["modality_config"],
            ),
            (Only(&[r#""scores""#], SCORES_ONLY), &["module_output_name"]),
        ],
    ],
};

/// A pooling module's `config.json`.
pub(crate) const POOLING: Keys = Keys {
    title: "A Pooling module's `config.json`",
    groups: &[&[
        (
            Obeyed,
            &[
                "pooling_mode",
                "pooling_mode_cls_token",
                "pooling_mode_max_tokens",
                "pooling_mode_mean_tokens",
                "pooling_mode_mean_sqrt_len_tokens",
                "pooling_mode_weightedmean_tokens",
                "pooling_mode_lasttoken",
                "include_prompt",
            ],
        ),
        (
            NoEffect("the width is that of the encoder"),
            &["word_embedding_dimension", "embedding_dimension"],
        ),
    ]],
};

const WHOLE_VECTOR: &str = "it works on something else than the text's vector";

/// A Dense module's `config.json`.
pub(crate) const DENSE: Keys = Keys {
    title: "A Dense module's `config.json`",
    groups: &[&[
        (
            Obeyed,
            &[
                "in_features",
                "out_features",
                "bias",
                "activation_function",
                "use_residual",
            ],
        ),
        (
            Only(&[r#""sentence_embedding""#], WHOLE_VECTOR),
            &["module_input_name", "module_output_name"],
        ),
    ]],
};

/// A Normalize module's `config.json`, which early ones do not have.
pub(crate) const NORMALIZE: Keys = Keys {
    title: "A Normalize module's `config.json`",
    groups: &[&[(
        Only(&[r#""sentence_embedding""#], WHOLE_VECTOR),
        &["module_input_name", "module_output_name"],
    )]],
};

/// A template's `config.json`: a module of this program's own.
pub(crate) const TEMPLATE: Keys = Keys {
    title: "A `gradus.Template` module's `config.json`",
    groups: &[&[(Obeyed, &["template", "denoise"])]],
};

/// `config_sentence_transformers.json`.
pub(crate) const PROMPTS: Keys = Keys {
    title: "`config_sentence_transformers.json`; read beside a `modules.json` only, as in sentence-transformers",
    groups: &[&[
        (Obeyed, &["prompts", "default_prompt_name", "truncate_dim"]),
        (
            Only(
                &[r#""SentenceTransformer""#],
                "sentence-transformers would replace the folder's modules",
            ),
            &["model_type"],
        ),
        (
            NoEffect("scores here are cosines, and say so"),
            &["similarity_fn_name"],
        ),
        (
            NoEffect("versions of other programs"),
            &["__version__", "requirements"],
        ),
    ]],
};

/// A cross-encoder's `config_sentence_transformers.json`.
pub(crate) const CROSS_ENCODER: Keys = Keys {
    title: "A cross-encoder's `config_sentence_transformers.json`; read beside a `modules.json` only",
    groups: &[&[
        (Obeyed, &["activation_fn", "model_type"]),
        (
            Only(&["{}"], "texts go into pairs without a prompt here"),
            &["prompts"],
        ),
        (
            Only(&[], "texts go into pairs without a prompt here"),
            &["default_prompt_name"],
        ),
        (
            NoEffect("how it is computed, not what"),
            &["keep_in_fp32_modules"],
        ),
        (
            NoEffect("versions of other programs"),
            &["__version__", "requirements"],
        ),
    ]],
};
