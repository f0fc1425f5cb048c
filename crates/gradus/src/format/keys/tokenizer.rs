//! The descriptions of tokenizers.

use super::Keys;
use super::Treatment::{NoEffect, Obeyed, Only};

const SPECIAL: &[&str] = &[
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
    "additional_special_tokens",
    "extra_special_tokens",
];

const PADDING: &str = "batches here have no padding";
const SLOW: &str = "transformers' tokenizers of these classes do not read it";

/// `tokenizer_config.json`, and what `processor_kwargs` holds.
pub(crate) const TOKENIZER: Keys = Keys {
    title: "`tokenizer_config.json`",
    groups: &[&[
        (Obeyed, SPECIAL),
        (
            Obeyed,
            &[
                "tokenizer_class",
                "do_lower_case",
                "strip_accents",
                "tokenize_chinese_chars",
                "add_prefix_space",
                "truncation_side",
                "padding_side",
                "model_max_length",
                "max_len",
                "added_tokens_decoder",
                "split_special_tokens",
                "model_input_names",
            ],
        ),
        (
            NoEffect(PADDING),
            &[
                "padding",
                "pad_to_multiple_of",
                "pad_token_type_id",
                "pad_token_id",
            ],
        ),
        (
            NoEffect("a default of calls; sentence-transformers states its own in each"),
            &[
                "max_length",
                "truncation",
                "truncation_strategy",
                "stride",
                "return_tensors",
                "return_token_type_ids",
            ],
        ),
        (
            NoEffect("it acts where ids become text"),
            &[
                "clean_up_tokenization_spaces",
                "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output",
                "errors",
                "spaces_between_special_tokens",
                "skip_special_tokens",
                "wordpieces_prefix",
                "trim_offsets",
            ],
        ),
        (
            NoEffect(SLOW),
            &[
                "never_split",
                "do_basic_tokenize",
                "do_subword_tokenize",
                "do_word_tokenize",
                "sp_model_kwargs",
                "keep_accents",
                "remove_space",
                "clean_text",
                "handle_chinese_chars",
                "use_fast",
                "from_slow",
                "legacy",
                "legacy_behaviour",
                "tokenizer_type",
                "unk_id",
            ],
        ),
        (
            NoEffect("a tokenizer.json, or these classes, settle it"),
            &["add_bos_token", "add_eos_token"],
        ),
        (
            NoEffect("a note of where it came from"),
            &[
                "name_or_path",
                "_name_or_path",
                "special_tokens_map_file",
                "special_tokens_map",
                "tokenizer_file",
                "full_tokenizer_file",
                "vocab_file",
                "merges_file",
                "added_tokens_file",
                "is_local",
                "local_files_only",
                "backend",
                "files_loaded",
                "device_map",
                "trust_remote_code",
                "revision",
                "cache_dir",
                "token",
                "verbose",
                "_commit_hash",
                "_from_auto",
                "transformers_version",
                "model_type",
                "vocab_size",
                "task",
                "language",
            ],
        ),
        (
            NoEffect("code in a folder is not run, as in sentence-transformers by default"),
            &["auto_map"],
        ),
        (
            NoEffect("for conversations"),
            &[
                "chat_template",
                "response_template",
                "response_schema",
                "chat_control_tokens",
            ],
        ),
        (
            Only(&["[]"], "arguments of unknown meaning"),
            &["init_inputs"],
        ),
        (
            Only(&[], "it asks for more than a tokenizer"),
            &["processor_class", "subfolder", "gguf_file"],
        ),
    ]],
};

/// `special_tokens_map.json`.
pub(crate) const SPECIAL_TOKENS: Keys = Keys {
    title: "`special_tokens_map.json`; read where tokenizer_config.json has no `added_tokens_decoder`, as in transformers",
    groups: &[&[(Obeyed, SPECIAL)]],
};
