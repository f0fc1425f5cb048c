//! `config.json`, family by family.

use super::encoder_config::Architecture;
use crate::format::keys::Treatment::{NoEffect, Obeyed, Only};
use crate::format::keys::{Group, Keys};

const NO_DECODER: &str = "it makes a decoder of the encoder";

/// What transformers keeps in every configuration.
const GENERAL: &[Group] = &[
    (Obeyed, &["model_type", "architectures", "tokenizer_class"]),
    (
        Only(&["false"], NO_DECODER),
        &["is_decoder", "add_cross_attention", "is_encoder_decoder"],
    ),
    (
        Only(&["{}"], "heads are missing from the weights"),
        &["pruned_heads"],
    ),
    (
        Only(
            &[crate::format::quantized::VALUE],
            "of weights of whole numbers only those that `gradus quantize` wrote are read",
        ),
        &[crate::format::quantized::KEY],
    ),
    (
        Only(&[], "weights of whole numbers are not read"),
        &["compression_config"],
    ),
    (
        NoEffect("a note of origin, version or number type"),
        &[
            "_commit_hash",
            "name_or_path",
            "model_name",
            "base_model",
            "base_model_name",
            "transformers_version",
            "transformers.js_config",
            "torch_dtype",
            "dtype",
            "xla_device",
            "export_model_type",
            "language",
            "languages",
            "license",
            "tags",
            "pipeline_tag",
            "library_name",
            "custom_pipelines",
            "created_by",
            "vocab_size_or_config_json_file",
            "tokenizer_type",
            "tokenizer_name",
            "do_lower_case",
            "model_max_length",
            "max_seq_length",
            "parameters",
        ],
    ),
    (
        NoEffect("how it is computed, not what"),
        &[
            "attn_implementation",
            "_attn_implementation",
            "_attn_implementation_internal",
            "_attn_implementation_autoset",
            "_experts_implementation",
            "_flash_attn_2_enabled",
            "_output_attentions",
            "chunk_size_feed_forward",
            "use_cache",
            "use_bfloat16",
            "use_flash_attn",
            "use_flash_attention_2",
            "use_memory_efficient_attention",
            "unpad_inputs",
            "torchscript",
            "tf_legacy_loss",
            "gradient_checkpointing",
            "return_dict",
            "use_return_dict",
            "output_attentions",
            "output_hidden_states",
            "output_past",
            "low_cpu_mem_usage",
        ],
    ),
    (
        NoEffect("of heads that sentence vectors do not need"),
        &[
            "num_labels",
            "_num_labels",
            "id2label",
            "label2id",
            "problem_type",
            "finetuning_task",
            "task_specific_params",
            "classifier_dropout",
            "classifier_dropout_prob",
            "classifier_activation",
            "classifier_pooling",
            "cls_dropout",
            "sentence_transformers",
            "sbert_ce_default_activation_function",
            "pooler_fc_size",
            "pooler_num_attention_heads",
            "pooler_num_fc_layers",
            "pooler_size_per_head",
            "pooler_type",
            "pooler_dropout",
            "pooler_hidden_size",
            "pooler_hidden_act",
            "add_pooling_layer",
            "directionality",
            "summary_activation",
            "summary_first_dropout",
            "summary_last_dropout",
            "summary_proj_to_labels",
            "summary_type",
            "summary_use_proj",
            "tie_encoder_decoder",
            "tie_weights_",
            "cross_attention_hidden_size",
            "emb_pooler",
            "matryoshka_dimensions",
            "matryoshka_dims",
        ],
    ),
    (
        NoEffect("of training only"),
        &[
            "initializer_range",
            "initializer_factor",
            "init_std",
            "init_method",
            "layerdrop",
            "seed",
            "label_smoothing",
            "mlm_probability",
            "embedding_dropout",
        ],
    ),
    (
        NoEffect("ids that only generation, or a head, reads"),
        &[
            "bos_token_id",
            "eos_token_id",
            "eos_token_ids",
            "sep_token_id",
            "cls_token_id",
            "mask_token_id",
            "unk_token_id",
            "decoder_start_token_id",
            "prefix",
        ],
    ),
    (
        NoEffect("of generated text"),
        &[
            "assistant_confidence_threshold",
            "assistant_lookbehind",
            "bad_words_ids",
            "begin_suppress_tokens",
            "diversity_penalty",
            "do_sample",
            "early_stopping",
            "encoder_no_repeat_ngram_size",
            "encoder_repetition_penalty",
            "epsilon_cutoff",
            "eta_cutoff",
            "exponential_decay_length_penalty",
            "forced_bos_token_id",
            "forced_eos_token_id",
            "length_penalty",
            "max_length",
            "min_length",
            "no_repeat_ngram_size",
            "num_assistant_tokens",
            "num_assistant_tokens_schedule",
            "num_beam_groups",
            "num_beams",
            "num_return_sequences",
            "output_scores",
            "remove_invalid_values",
            "repetition_penalty",
            "return_dict_in_generate",
            "suppress_tokens",
            "target_lookbehind",
            "temperature",
            "top_k",
            "top_p",
            "typical_p",
        ],
    ),
    (
        NoEffect("the head of masked tokens reads it, in pretraining"),
        &["tie_word_embeddings"],
    ),
];

/// BERT's own settings, which most families have.
const SIZES: &[Group] = &[(
    Obeyed,
    &[
        "vocab_size",
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "intermediate_size",
        "hidden_act",
        "hidden_dropout_prob",
        "attention_probs_dropout_prob",
        "max_position_embeddings",
        "layer_norm_eps",
        "pad_token_id",
    ],
)];

const NOT_READ: &str = "the code of this family does not read it";

/// Settings of other families that files of this kind carry along.
const CARRIED: &[Group] = &[(
    NoEffect(NOT_READ),
    &[
        "embedding_size",
        "emb_size",
        "layer_norm_type",
        "relative_attention",
        "n_positions",
    ],
)];

const SEGMENTS: &[Group] = &[(
    Obeyed,
    &[
        "type_vocab_size",
        "position_embedding_type",
        "feed_forward_type",
    ],
)];

const ORIGIN: &[Group] = &[(NoEffect("a note of origin"), &["_name_or_path", "auto_map"])];

const BERT: Keys = Keys {
    title: "`config.json` of BERT, RoBERTa, XLM-RoBERTa and CamemBERT",
    groups: &[SIZES, SEGMENTS, GENERAL, CARRIED, ORIGIN],
};

const JINA: Keys = Keys {
    title: "`config.json` of Jina BERT v2",
    groups: &[
        SIZES,
        SEGMENTS,
        // They name the variant.
        &[(Obeyed, &["_name_or_path", "auto_map"])],
        GENERAL,
        CARRIED,
    ],
};

const ELECTRA: Keys = Keys {
    title: "`config.json` of ELECTRA",
    groups: &[
        SIZES,
        &[
            (
                Obeyed,
                &[
                    "embedding_size",
                    "type_vocab_size",
                    "position_embedding_type",
                ],
            ),
            (NoEffect(NOT_READ), &["generator_size"]),
        ],
        GENERAL,
        ORIGIN,
    ],
};

const MPNET: Keys = Keys {
    title: "`config.json` of MPNet",
    groups: &[
        SIZES,
        &[(Obeyed, &["relative_attention_num_buckets"])],
        &[(NoEffect(NOT_READ), &["type_vocab_size"])],
        GENERAL,
        CARRIED,
        ORIGIN,
    ],
};

const DISTILBERT: Keys = Keys {
    title: "`config.json` of DistilBERT",
    groups: &[
        &[
            (
                Obeyed,
                &[
                    "vocab_size",
                    "dim",
                    "n_layers",
                    "n_heads",
                    "hidden_dim",
                    "activation",
                    "dropout",
                    "attention_dropout",
                    "max_position_embeddings",
                    "hidden_size",
                    "num_hidden_layers",
                    "num_attention_heads",
                    "pad_token_id",
                ],
            ),
            (
                NoEffect("the table of positions is in the weights either way"),
                &["sinusoidal_pos_embds"],
            ),
            (
                NoEffect("of heads that sentence vectors do not need"),
                &["qa_dropout", "seq_classif_dropout"],
            ),
            (
                NoEffect(NOT_READ),
                &[
                    "type_vocab_size",
                    "layer_norm_eps",
                    "intermediate_size",
                    "hidden_act",
                    "hidden_dropout_prob",
                    "attention_probs_dropout_prob",
                ],
            ),
        ],
        GENERAL,
        CARRIED,
        ORIGIN,
    ],
};

const NOMIC: Keys = Keys {
    title: "`config.json` of Nomic BERT",
    groups: &[
        SIZES,
        &[
            (
                Obeyed,
                &[
                    "type_vocab_size",
                    "n_embd",
                    "n_layer",
                    "n_head",
                    "n_inner",
                    "n_positions",
                    "activation_function",
                    "resid_pdrop",
                    "attn_pdrop",
                    "embd_pdrop",
                    "layer_norm_epsilon",
                    "max_trained_positions",
                    "rotary_emb_base",
                    "rotary_emb_fraction",
                    "rope_parameters",
                    "head_dim",
                    "moe_every_n_layers",
                    "rotary_emb_scale_base",
                ],
            ),
            (
                Only(&["false"], "another block than this one"),
                &[
                    "prenorm",
                    "parallel_block",
                    "parallel_block_tied_norm",
                    "use_rms_norm",
                    "causal",
                    "qkv_proj_bias",
                    "mlp_fc1_bias",
                    "mlp_fc2_bias",
                    "rotary_emb_interleaved",
                    "scale_attn_by_inverse_layer_idx",
                ],
            ),
            (
                Only(&["true"], "scores without their scale"),
                &["scale_attn_weights"],
            ),
            (
                NoEffect("it acts beyond `max_trained_positions`, where no input reaches"),
                &["rotary_scaling_factor"],
            ),
            (
                NoEffect("how it is computed, not what"),
                &[
                    "dense_seq_output",
                    "fused_bias_fc",
                    "fused_dropout_add_ln",
                    "last_layer_subset",
                    "pad_vocab_size_multiple",
                    "reorder_and_upcast_attn",
                    "sequence_parallel",
                    "use_xentropy",
                ],
            ),
            (
                NoEffect("of mixtures of experts, which are refused"),
                &[
                    "expert_choice_router",
                    "ffn_div",
                    "moe_impl",
                    "moe_normalize_expert_weights",
                    "moe_resid_pdrop",
                    "moe_top_k",
                    "num_experts",
                    "num_shared_experts",
                    "router_aux_loss_coef",
                    "max_seq_len",
                ],
            ),
            (
                NoEffect(NOT_READ),
                &[
                    "embedding_size",
                    "emb_size",
                    "layer_norm_type",
                    "relative_attention",
                ],
            ),
        ],
        GENERAL,
        ORIGIN,
    ],
};

/// What Nomic BERT's `rope_parameters` hold.
pub(crate) const ROPE: Keys = Keys {
    title: "Nomic BERT's `rope_parameters`",
    groups: &[&[(Obeyed, &["rope_theta", "rope_type"])]],
};

/// Every family's list.
#[cfg(test)]
pub(crate) const ALL: [Keys; 7] = [BERT, JINA, MPNET, DISTILBERT, ELECTRA, NOMIC, ROPE];

/// The keys of a family's `config.json`.
pub(crate) fn config_of(architecture: Architecture) -> Keys {
    match architecture {
        Architecture::Bert | Architecture::Roberta | Architecture::XlmRoberta => BERT,
        Architecture::JinaBert | Architecture::JinaBertQkNorm => JINA,
        Architecture::Electra => ELECTRA,
        Architecture::MpNet => MPNET,
        Architecture::DistilBert => DISTILBERT,
        Architecture::NomicBert => NOMIC,
    }
}
