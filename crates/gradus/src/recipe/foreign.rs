//! What sentence-transformers and the trainer of transformers call a setting, and
//! what it is called here.

use toml::{Table, Value};

/// What becomes of the value.
enum Turned {
    /// It stays.
    Same,
    /// One over it.
    Inverse,
    /// The share of the steps that it is.
    OfSteps,
    /// Something else is written.
    Said(&'static str),
}

use Turned::{Inverse, OfSteps, Said, Same};

/// A foreign key, ours, and where ours stands.
const KEYS: &[(&str, &str, &str, Turned)] = &[
    ("batch_size", "batch", STAGE, Same),
    ("train_batch_size", "batch", STAGE, Same),
    ("per_device_train_batch_size", "batch", STAGE, Same),
    ("per_gpu_train_batch_size", "batch", STAGE, Same),
    (
        "mini_batch_size",
        "chunk_tokens",
        STAGE,
        Said("`chunk_tokens`, counted in tokens"),
    ),
    ("gradient_accumulation_steps", "accumulate", STAGE, Same),
    ("num_train_epochs", "epochs", STAGE, Same),
    ("num_epochs", "epochs", STAGE, Same),
    ("n_epochs", "epochs", STAGE, Same),
    ("max_steps", "steps", STAGE, Same),
    ("num_steps", "steps", STAGE, Same),
    (
        "steps_per_epoch",
        "steps",
        STAGE,
        Said("`steps`, the optimizer steps of a stage in all"),
    ),
    ("lr", "learning_rate", STAGE, Same),
    ("warmup_ratio", "warmup", STAGE, Same),
    ("warmup_proportion", "warmup", STAGE, Same),
    ("warmup_steps", "warmup", STAGE, OfSteps),
    ("num_warmup_steps", "warmup", STAGE, OfSteps),
    ("lr_scheduler_type", "schedule", STAGE, Same),
    ("lr_scheduler", "schedule", STAGE, Same),
    ("scheduler", "schedule", STAGE, Same),
    ("max_grad_norm", "clip", STAGE, Same),
    (
        "adam_beta1",
        "adamw",
        STAGE,
        Said("`adamw = { beta1 = ... }`"),
    ),
    (
        "adam_beta2",
        "adamw",
        STAGE,
        Said("`adamw = { beta2 = ... }`"),
    ),
    (
        "adam_epsilon",
        "adamw",
        STAGE,
        Said("`adamw = { eps = ... }`"),
    ),
    ("hidden_dropout_prob", "dropout", STAGE, Same),
    (
        "train_dataset",
        "train",
        STAGE,
        Said("`train = [{ path = \"...\" }]`"),
    ),
    (
        "train_file",
        "train",
        STAGE,
        Said("`train = [{ path = \"...\" }]`"),
    ),
    (
        "loss",
        "objective",
        STAGE,
        Said("`objective = { loss = \"...\" }`"),
    ),
    ("loss_type", "loss", OBJECTIVE, Said("`loss`")),
    (
        "teacher",
        "teachers",
        STAGE,
        Said("`teachers = [{ model = \"...\" }]`"),
    ),
    (
        "teacher_model",
        "teachers",
        STAGE,
        Said("`teachers = [{ model = \"...\" }]`"),
    ),
    ("max_seq_length", "max_tokens", RECIPE, Same),
    ("max_length", "max_tokens", RECIPE, Same),
    ("max_len", "max_tokens", RECIPE, Same),
    ("model_name", "model", RECIPE, Same),
    ("model_name_or_path", "model", RECIPE, Same),
    ("base_model", "model", RECIPE, Same),
    ("output_dir", "output", RECIPE, Same),
    ("output_path", "output", RECIPE, Same),
    ("random_state", "seed", RECIPE, Same),
    ("random_seed", "seed", RECIPE, Same),
    ("data_seed", "seed", RECIPE, Same),
    ("pooling_mode", "pooling", RECIPE, Same),
    ("normalize_embeddings", "normalize", RECIPE, Same),
    (
        "fp16",
        "precision",
        RECIPE,
        Said("`precision = \"auto\"`; half precision is bf16 here"),
    ),
    ("bf16", "precision", RECIPE, Said("`precision = \"bf16\"`")),
    (
        "use_amp",
        "precision",
        RECIPE,
        Said("`precision = \"auto\"`"),
    ),
    ("logging_steps", "log_every", RECIPE, Same),
    ("save_steps", "checkpoint_steps", RECIPE, Same),
    ("checkpoint_save_steps", "checkpoint_steps", RECIPE, Same),
    ("eval_steps", "every", EVALUATION, Same),
    ("evaluation_steps", "every", EVALUATION, Same),
    ("early_stopping_patience", "patience", EVALUATION, Same),
    (
        "eval_dataset",
        "dev",
        EVALUATION,
        Said("`dev = { path = \"...\" }`"),
    ),
    (
        "evaluator",
        "dev",
        EVALUATION,
        Said("`dev = { path = \"...\" }`"),
    ),
    ("scale", "temperature", OBJECTIVE, Inverse),
    ("tau", "temperature", OBJECTIVE, Same),
    ("temp", "temperature", OBJECTIVE, Same),
    ("matryoshka_dims", "widths", OBJECTIVE, Same),
    (
        "matryoshka_weights",
        "widths",
        OBJECTIVE,
        Said("`widths`, all of weight 1"),
    ),
];

const RECIPE: &str = "at the top of the recipe";
const EVALUATION: &str = "in `[evaluation]`";
const STAGE: &str = "in `[[stage]]`";
const OBJECTIVE: &str = "in `objective`";

/// sentence-transformers' losses without their last word, as ours.
const LOSSES: &[(&str, &str)] = &[
    (
        "multiplenegativesranking",
        "`loss = \"info_nce\"`, with `temperature = 0.05` for `scale = 20`",
    ),
    (
        "cachedmultiplenegativesranking",
        "`loss = \"info_nce\"`, with `chunk_tokens` in the stage for its mini-batches",
    ),
    (
        "multiplenegativessymmetricranking",
        "`loss = \"info_nce\", symmetric = true`",
    ),
    (
        "cachedmultiplenegativessymmetricranking",
        "`loss = \"info_nce\", symmetric = true`, with `chunk_tokens` in the stage for its mini-batches",
    ),
    ("cosinesimilarity", "`loss = \"mse\", form = \"cosine\"`"),
    (
        "cosent",
        "`loss = \"cosent\"`, with `temperature = 0.05` for `scale = 20`",
    ),
    (
        "angle",
        "`loss = \"angle\"`, with `temperature = 0.05` for `scale = 20`",
    ),
    ("softmax", "`loss = \"cross_entropy\"`"),
    (
        "matryoshka",
        "`widths = [...]` beside the `loss` that it wraps",
    ),
    (
        "triplet",
        "`loss = \"info_nce\"` with `rows = \"triplets\"` of the sources; there is no margin",
    ),
    (
        "mse",
        "`loss = \"mse\"` for grades, `loss = \"embedding_mse\"` with `teachers` for vectors of a teacher",
    ),
    ("distillkldiv", "`loss = \"list_net\"` with `teachers`"),
    (
        "contrastive",
        "`loss = \"info_nce\"` on the positive pairs; there is no margin",
    ),
    (
        "onlinecontrastive",
        "`loss = \"info_nce\"` on the positive pairs; there is no margin",
    ),
    (
        "marginmse",
        "`loss = \"list_net\"` with `teachers`, which follows a teacher's similarities in a batch",
    ),
    (
        "denoisingautoencoder",
        "`gradus pretrain --from MODEL`, which goes on with masked tokens",
    ),
    (
        "contrastivetension",
        "`loss = \"info_nce\"` with `rows = \"texts\"` of the sources (SimCSE)",
    ),
    (
        "simcse",
        "`loss = \"info_nce\"` with `rows = \"texts\"` of the sources",
    ),
    ("infonce", "`loss = \"info_nce\"`"),
    ("ntxent", "`loss = \"info_nce\", symmetric = true`"),
    ("mnrl", "`loss = \"info_nce\"`"),
    ("listnet", "`loss = \"list_net\"`"),
    ("listmle", "`loss = \"list_mle\"`"),
    ("l2", "`loss = \"mse\"`"),
    ("mae", "`loss = \"l1\"`"),
    ("meansquarederror", "`loss = \"mse\"`"),
];

/// What an unknown key of a recipe is called here, with its value turned into
/// ours where the recipe has one.
pub(crate) fn key(name: &str, recipe: Option<&Table>) -> Option<String> {
    let (_, ours, place, turned) = KEYS.iter().find(|(foreign, ..)| *foreign == name)?;
    let found = recipe.and_then(|recipe| find(recipe, name));
    let number = |value: &Value| match value {
        Value::Integer(i) => Some(*i as f64),
        Value::Float(f) => Some(*f),
        _ => None,
    };
    let said = match (turned, found) {
        (Said(what), _) => (*what).to_owned(),
        (Same, Some((_, value))) if !matches!(value, Value::Table(_) | Value::Array(_)) => {
            format!("`{ours} = {value}`")
        }
        (Inverse, Some((_, value))) => match number(value).filter(|scale| *scale > 0.0) {
            Some(scale) => format!("`{ours} = {}` (1 / {scale})", 1.0 / scale),
            None => format!("`{ours}`, one over it"),
        },
        (OfSteps, Some((beside, value))) => {
            let steps = beside.get("steps").or_else(|| beside.get("max_steps"));
            match (number(value), steps.and_then(number)) {
                (Some(warmup), Some(steps)) if steps > 0.0 => {
                    format!("`{ours} = {}`, the share of the steps", warmup / steps)
                }
                _ => format!("`{ours}`, the share of the steps from 0 to 1, such as 0.1"),
            }
        }
        (OfSteps, None) => format!("`{ours}`, the share of the steps from 0 to 1, such as 0.1"),
        (Inverse, None) => format!("`{ours}`, one over it"),
        _ => format!("`{ours}`"),
    };
    Some(format!("Did you mean {said}, {place}?"))
}

/// What a loss of another program is here.
pub(crate) fn loss(name: &str) -> Option<String> {
    let plain: String = name.chars().filter(|c| c.is_alphanumeric()).collect();
    let plain = plain.to_ascii_lowercase();
    let plain = plain.strip_suffix("loss").unwrap_or(&plain);
    let (_, ours) = LOSSES.iter().find(|(foreign, _)| *foreign == plain)?;
    Some(format!("Did you mean {ours}?"))
}

/// A key anywhere in a recipe, with the table that has it.
fn find<'a>(table: &'a Table, name: &str) -> Option<(&'a Table, &'a Value)> {
    if let Some(value) = table.get(name) {
        return Some((table, value));
    }
    fn below<'a>(value: &'a Value, name: &str) -> Option<(&'a Table, &'a Value)> {
        match value {
            Value::Table(table) => find(table, name),
            Value::Array(list) => list.iter().find_map(|value| below(value, name)),
            _ => None,
        }
    }
    table.values().find_map(|value| below(value, name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::{Recipe, Stage};

    /// What is suggested exists: each of our keys is known where it is said to be.
    #[test]
    fn suggested_keys_exist() {
        for (foreign, ours, place, _) in KEYS {
            let says = match *place {
                RECIPE => toml::from_str::<Recipe>(&format!("{ours} = 3")).err(),
                EVALUATION => {
                    toml::from_str::<crate::recipe::EvaluationSettings>(&format!("{ours} = 3"))
                        .err()
                }
                STAGE => toml::from_str::<Stage>(&format!("{ours} = 3")).err(),
                _ => {
                    let text = format!("loss = 'mse'\n{ours} = 3");
                    toml::from_str::<crate::losses::ObjectiveConfig>(&text).err()
                }
            };
            let says = says.map_or(String::new(), |e| e.to_string());
            assert!(!says.contains("unknown field"), "{foreign}: {says}");
        }
    }

    #[test]
    fn values_are_turned_into_ours() {
        let recipe = "batch_size = 32\nscale = 20\nlr = 2e-5\n[[stage]]\nsteps = 200\nwarmup_steps = 50\nmax_seq_length = 'x'";
        let recipe: Table = toml::from_str(recipe).unwrap();
        let says = |name: &str| key(name, Some(&recipe)).unwrap();
        assert_eq!(
            says("batch_size"),
            "Did you mean `batch = 32`, in `[[stage]]`?"
        );
        assert!(says("scale").contains("`temperature = 0.05` (1 / 20)"));
        assert!(says("lr").contains("`learning_rate = 0.00002`") || says("lr").contains("2e-5"));
        assert!(says("warmup_steps").contains("`warmup = 0.25`"));
        assert!(
            key("warmup_steps", None)
                .unwrap()
                .contains("share of the steps")
        );
        assert_eq!(key("colour", None), None);
        assert!(
            loss("MultipleNegativesRankingLoss")
                .unwrap()
                .contains("info_nce")
        );
        assert!(loss("CoSENTLoss").unwrap().contains("\"cosent\""));
        assert!(
            loss("multiple_negatives_ranking")
                .unwrap()
                .contains("info_nce")
        );
        assert_eq!(loss("FooLoss"), None);
    }
}
