//! The keys of public models' `config.json`, harmless ones among them, are known.
#![recursion_limit = "256"]

use gradus::families::{Architecture, EncoderConfig};
use serde_json::{Value, json};
use std::path::Path;

/// What all BERT-like files have, with `more` over it.
fn bert(more: Value) -> Value {
    let mut config = json!({
        "model_type": "bert", "architectures": ["BertModel"],
        "attention_probs_dropout_prob": 0.1, "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1, "hidden_size": 384, "initializer_range": 0.02,
        "intermediate_size": 1536, "layer_norm_eps": 1e-12, "max_position_embeddings": 512,
        "num_attention_heads": 12, "num_hidden_layers": 6, "pad_token_id": 0,
        "type_vocab_size": 2, "vocab_size": 30522, "transformers_version": "4.8.2",
    });
    let more = more.as_object().unwrap().clone();
    config.as_object_mut().unwrap().extend(more);
    config
}

#[test]
fn public_configurations_load() {
    let pooler = json!({
        "_name_or_path": "setu4993/LaBSE", "directionality": "bidi", "pooler_fc_size": 768,
        "pooler_num_attention_heads": 12, "pooler_num_fc_layers": 3,
        "pooler_size_per_head": 128, "pooler_type": "first_token_transform",
        "gradient_checkpointing": false, "position_embedding_type": "absolute",
        "use_cache": true, "vocab_size": 501153, "torch_dtype": "float32",
        "classifier_dropout": null,
    });
    let roberta = json!({
        "model_type": "roberta", "architectures": ["RobertaForMaskedLM"], "bos_token_id": 0,
        "eos_token_id": 2, "pad_token_id": 1, "max_position_embeddings": 514,
        "type_vocab_size": 1, "layer_norm_eps": 1e-5, "output_past": true,
        "position_embedding_type": "absolute", "use_cache": true,
        "tokenizer_class": "BertTokenizer",
    });
    let old = json!({
        "finetuning_task": null, "num_labels": 2, "output_attentions": false,
        "output_hidden_states": false, "pruned_heads": {}, "torchscript": false,
        "use_bfloat16": false, "is_decoder": false, "id2label": {"0": "LABEL_0"},
        "label2id": {"LABEL_0": 0}, "vocab_size_or_config_json_file": 30522,
        "do_sample": false, "eos_token_ids": 0, "length_penalty": 1.0, "max_length": 20,
        "num_beams": 1, "num_return_sequences": 1, "repetition_penalty": 1.0,
        "temperature": 1.0, "top_k": 50, "top_p": 1.0, "xla_device": null,
        "task_specific_params": null, "prefix": null,
    });
    let tiny = json!({"emb_size": 312, "hidden_size": 312, "gradient_checkpointing": false});
    let reranker = json!({
        "architectures": ["BertForSequenceClassification"],
        "sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity"},
        "sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity",
        "problem_type": "regression", "_num_labels": 1,
    });
    let jina = json!({
        "_name_or_path": "jinaai/jina-bert-implementation", "model_max_length": 8192,
        "architectures": ["JinaBertForMaskedLM"], "attention_probs_dropout_prob": 0.0,
        "auto_map": {"AutoModel": "jinaai/jina-bert-implementation--modeling_bert.JinaBertModel"},
        "max_position_embeddings": 8192, "position_embedding_type": "alibi",
        "torch_dtype": "float16", "feed_forward_type": "geglu", "emb_pooler": "mean",
        "attn_implementation": "torch", "use_cache": true,
    });
    let mpnet = json!({
        "model_type": "mpnet", "architectures": ["MPNetForMaskedLM"], "bos_token_id": 0,
        "eos_token_id": 2, "pad_token_id": 1, "max_position_embeddings": 514,
        "relative_attention_num_buckets": 32, "_name_or_path": "microsoft/mpnet-base",
        "layer_norm_eps": 1e-5, "type_vocab_size": null, "vocab_size": 30527,
    });
    let electra = json!({
        "model_type": "electra", "architectures": ["ElectraForSequenceClassification"],
        "embedding_size": 768, "hidden_size": 768, "summary_activation": "gelu", "summary_last_dropout": 0.1,
        "summary_type": "first", "summary_use_proj": true, "position_embedding_type": "absolute",
        "sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity",
    });
    let distilbert = json!({
        "_name_or_path": "old_models/distiluse-base-multilingual-cased-v1/0_Transformer",
        "model_type": "distilbert", "activation": "gelu", "architectures": ["DistilBertModel"],
        "attention_dropout": 0.1, "dim": 768, "dropout": 0.1, "hidden_dim": 3072,
        "initializer_range": 0.02, "max_position_embeddings": 512, "n_heads": 12,
        "n_layers": 6, "output_hidden_states": true, "output_past": true, "pad_token_id": 0,
        "qa_dropout": 0.1, "seq_classif_dropout": 0.2, "sinusoidal_pos_embds": false,
        "tie_weights_": true, "transformers_version": "4.7.0", "vocab_size": 119547,
    });
    let nomic = json!({
        "activation_function": "swiglu", "architectures": ["NomicBertModel"],
        "attn_pdrop": 0.0, "auto_map": {"AutoConfig": "x"}, "bos_token_id": null,
        "causal": false, "dense_seq_output": true, "embd_pdrop": 0.0, "eos_token_id": null,
        "fused_bias_fc": true, "fused_dropout_add_ln": true, "initializer_range": 0.02,
        "layer_norm_epsilon": 1e-12, "max_trained_positions": 2048, "mlp_fc1_bias": false,
        "mlp_fc2_bias": false, "model_type": "nomic_bert", "n_embd": 768, "n_head": 12,
        "n_inner": 3072, "n_layer": 12, "n_positions": 8192, "pad_vocab_size_multiple": 64,
        "parallel_block": false, "parallel_block_tied_norm": false, "prenorm": false,
        "qkv_proj_bias": false, "reorder_and_upcast_attn": false, "resid_pdrop": 0.0,
        "rotary_emb_base": 1000, "rotary_emb_fraction": 1.0, "rotary_emb_interleaved": false,
        "rotary_emb_scale_base": null, "rotary_scaling_factor": 2,
        "scale_attn_by_inverse_layer_idx": false, "scale_attn_weights": true,
        "summary_activation": null, "summary_first_dropout": 0.0,
        "summary_proj_to_labels": true, "summary_type": "cls_index", "summary_use_proj": true,
        "torch_dtype": "float32", "transformers_version": "4.37.2", "type_vocab_size": 2,
        "use_cache": true, "use_flash_attn": true, "use_rms_norm": false,
        "use_xentropy": true, "vocab_size": 30528,
    });
    for (name, config, family) in [
        ("MiniLM", bert(json!({})), Architecture::Bert),
        ("LaBSE", bert(pooler), Architecture::Bert),
        ("RoBERTa", bert(roberta), Architecture::Roberta),
        ("an early one", bert(old), Architecture::Bert),
        ("a tiny one", bert(tiny), Architecture::Bert),
        ("a reranker", bert(reranker), Architecture::Bert),
        ("Jina", bert(jina), Architecture::JinaBert),
        ("MPNet", bert(mpnet), Architecture::MpNet),
        ("ELECTRA", bert(electra), Architecture::Electra),
        ("distiluse", distilbert, Architecture::DistilBert),
        ("Nomic", nomic, Architecture::NomicBert),
    ] {
        let parsed = EncoderConfig::parse(Path::new("config.json"), &config.to_string());
        let parsed = parsed.unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(parsed.architecture, family, "{name}");
    }
}

#[test]
fn an_unknown_key_is_refused_with_its_value() {
    let config = bert(json!({"rope_scaling": 2.5}));
    let error = EncoderConfig::parse(Path::new("config.json"), &config.to_string());
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("config.json: `rope_scaling` is 2.5"),
        "{error}"
    );
}
