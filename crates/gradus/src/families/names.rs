use super::encoder_config::Architecture;

/// The table of biases on the scores of all layers.
pub(crate) const RELATIVE_BIAS: &str = "encoder.relative_attention_bias.weight";

/// What a family's checkpoints call the parts of the encoder, and which of the
/// layers have a bias. Parts of a layer follow its number.
pub(crate) struct TensorNames {
    pub embedding_norm: &'static str,
    /// What stands before a layer's number.
    pub layers: &'static str,
    /// Queries, keys and values: three weights, or one with all rows.
    pub qkv: &'static [&'static str],
    pub query_key_norms: Option<[&'static str; 2]>,
    pub attention_out: &'static str,
    pub attention_bias: bool,
    pub attention_norm: &'static str,
    pub second_attention_norm: Option<&'static str>,
    /// The first feed-forward matrix; gate and up may be two.
    pub up: &'static [&'static str],
    pub up_bias: bool,
    pub down: &'static str,
    pub down_bias: bool,
    pub out_norm: &'static str,
}

const BERT: TensorNames = TensorNames {
    embedding_norm: "embeddings.LayerNorm",
    layers: "encoder.layer",
    qkv: &[
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
    ],
    query_key_norms: None,
    attention_out: "attention.output.dense",
    attention_bias: true,
    attention_norm: "attention.output.LayerNorm",
    second_attention_norm: None,
    up: &["intermediate.dense"],
    up_bias: true,
    down: "output.dense",
    down_bias: true,
    out_norm: "output.LayerNorm",
};

const DISTILBERT: TensorNames = TensorNames {
    layers: "transformer.layer",
    qkv: &["attention.q_lin", "attention.k_lin", "attention.v_lin"],
    attention_out: "attention.out_lin",
    attention_norm: "sa_layer_norm",
    up: &["ffn.lin1"],
    down: "ffn.lin2",
    out_norm: "output_layer_norm",
    ..BERT
};

const NOMIC_BERT: TensorNames = TensorNames {
    embedding_norm: "emb_ln",
    layers: "encoder.layers",
    qkv: &["attn.Wqkv"],
    query_key_norms: None,
    attention_out: "attn.out_proj",
    attention_bias: false,
    attention_norm: "norm1",
    second_attention_norm: None,
    up: &["mlp.fc11", "mlp.fc12"],
    up_bias: false,
    down: "mlp.fc2",
    down_bias: false,
    out_norm: "norm2",
};

const JINA_BERT: TensorNames = TensorNames {
    up: &["mlp.gated_layers"],
    up_bias: false,
    down: "mlp.wo",
    out_norm: "mlp.layernorm",
    ..BERT
};

const JINA_BERT_QK_NORM: TensorNames = TensorNames {
    query_key_norms: Some(["attention.self.layer_norm_q", "attention.self.layer_norm_k"]),
    second_attention_norm: Some("layer_norm_1"),
    up: &["mlp.up_gated_layer"],
    up_bias: false,
    down: "mlp.down_layer",
    out_norm: "layer_norm_2",
    ..BERT
};

const MPNET: TensorNames = TensorNames {
    qkv: &["attention.attn.q", "attention.attn.k", "attention.attn.v"],
    attention_out: "attention.attn.o",
    attention_norm: "attention.LayerNorm",
    ..BERT
};

impl TensorNames {
    pub fn of(architecture: Architecture) -> &'static Self {
        match architecture {
            Architecture::Bert
            | Architecture::Roberta
            | Architecture::XlmRoberta
            | Architecture::Electra => &BERT,
            Architecture::DistilBert => &DISTILBERT,
            Architecture::NomicBert => &NOMIC_BERT,
            Architecture::JinaBert => &JINA_BERT,
            Architecture::JinaBertQkNorm => &JINA_BERT_QK_NORM,
            Architecture::MpNet => &MPNET,
        }
    }
}
