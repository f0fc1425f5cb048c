use std::borrow::Cow;
use std::path::PathBuf;

/// A model folder that cannot be loaded, or text that a model cannot take.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A folder that holds no model.
    #[error(
        "{}: no model here: `config.json` is missing; point to a Hugging Face or sentence-transformers folder",
        .0.display()
    )]
    NotAModel(PathBuf),
    /// A file that the model needs.
    #[error("{}: missing; {remedy}", path.display())]
    MissingFile {
        /// The file.
        path: PathBuf,
        /// What to do.
        remedy: &'static str,
    },
    /// A folder, a pipe or a dangling link where a file is expected.
    #[error("{}: not a file; fetch the whole model again", .0.display())]
    NotAFile(PathBuf),
    /// A configuration that is not valid JSON or lacks a field.
    #[error("{}: {message}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        message: String,
    },
    /// Something that this version cannot do.
    #[error("{}: unsupported {what}: {found}; supported: {supported}", path.display())]
    Unsupported {
        /// The file that asks for it.
        path: PathBuf,
        /// The kind of thing.
        what: Cow<'static, str>,
        /// What was asked for.
        found: String,
        /// What there is.
        supported: Cow<'static, str>,
    },
    /// A key of a description that no list has.
    #[error(
        "{}: `{key}` is {value}; this version does not know the key, so neither whether it changes vectors; where it does not, take it out of the file",
        path.display()
    )]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// Its value.
        value: String,
    },
    /// A prompt that a model does not have.
    #[error("{}: {message}", folder.display())]
    Prompt {
        /// The model's folder.
        folder: PathBuf,
        /// What is wrong, and what there is.
        message: String,
    },
    /// A template that the model's texts cannot be put into.
    #[error("template {template:?}: {message}")]
    Template {
        /// The template.
        template: String,
        /// What is wrong, and what to do.
        message: String,
    },
    /// A weights file that is damaged.
    #[error("{}: not a sound safetensors file: {message}; fetch it again", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        message: String,
    },
    /// A tensor that the configuration calls for.
    #[error("{}: tensor `{tensor}` is missing", path.display())]
    MissingTensor {
        /// The file or folder searched.
        path: PathBuf,
        /// The tensor's name.
        tensor: String,
    },
    /// A tensor that does not belong to the model.
    #[error("{}: tensor `{tensor}` does not belong to {owner}; is its configuration the right one?", path.display())]
    UnknownTensor {
        /// The file.
        path: PathBuf,
        /// The tensor's name.
        tensor: String,
        /// What the configuration describes.
        owner: String,
    },
    /// A parameter that the weights give twice, under one name or two.
    #[error("{}: tensor `{tensor}` gives a parameter that the weights already give", path.display())]
    RepeatedTensor {
        /// The file.
        path: PathBuf,
        /// The tensor's name.
        tensor: String,
    },
    /// More parameters than there is memory for.
    #[error("{}: no memory for its {parameters} parameters", path.display())]
    TooLarge {
        /// The model's folder.
        path: PathBuf,
        /// How many there are.
        parameters: usize,
    },
    /// A tensor whose shape contradicts the configuration.
    #[error("{}: tensor `{tensor}` has shape {found:?}, the configuration says {expected:?}", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// The tensor's name.
        tensor: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape it should have.
        expected: Vec<usize>,
    },
    /// A tensor that holds something else than floating-point numbers.
    #[error("{}: tensor `{tensor}` has type {found}; supported are F32, F16 and BF16", path.display())]
    TensorType {
        /// The file.
        path: PathBuf,
        /// The tensor's name.
        tensor: String,
        /// Its type.
        found: String,
    },
    /// A tensor with a value that is infinite or not a number.
    #[error("{}: tensor `{tensor}` holds a value that is not finite, at index {index}", path.display())]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The tensor's name.
        tensor: String,
        /// The value's index.
        index: usize,
    },
    /// A student that a teacher cannot have.
    #[error("student of {}: {message}", teacher.display())]
    Student {
        /// The teacher's folder.
        teacher: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A tokenizer that cannot be loaded or applied.
    #[error("{}: tokenizer: {message}", path.display())]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
}
