//! A copy of a stored model to be damaged.

use crate::common::{copy_of, json};
use gradus::Error;
use gradus::format::ModelError;
use gradus::models::SentenceEncoder;
use gradus_kernels::cpu::Cpu;
use serde_json::Value;
use std::path::PathBuf;

pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn of(model: &str) -> Self {
        Self(copy_of(model))
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    pub fn write(&self, file: &str, bytes: impl AsRef<[u8]>) -> &Self {
        std::fs::write(self.path(file), bytes).unwrap();
        self
    }

    pub fn read(&self, file: &str) -> Vec<u8> {
        std::fs::read(self.path(file)).unwrap()
    }

    pub fn remove(&self, file: &str) -> &Self {
        std::fs::remove_file(self.path(file)).unwrap();
        self
    }

    pub fn edit(&self, file: &str, change: impl FnOnce(&mut Value)) -> &Self {
        let mut value = json(self.path(file));
        change(&mut value);
        self.write(file, value.to_string())
    }

    /// Sets a field of a description.
    pub fn set(&self, file: &str, key: &str, value: Value) -> &Self {
        self.edit(file, |description| description[key] = value)
    }

    /// Makes `file` one of 64 GiB without a byte on the disk.
    pub fn inflate(&self, file: &str) -> &Self {
        let file = std::fs::OpenOptions::new()
            .write(true)
            .open(self.path(file));
        file.unwrap().set_len(64 << 30).unwrap();
        self
    }

    pub fn load(&self) -> gradus::Result<SentenceEncoder<Cpu>> {
        SentenceEncoder::load(self.0.path(), Cpu::new(1))
    }

    /// Loads it, which must fail with the variant `kind` and a message that
    /// begins with `file` and has all of `parts`.
    #[track_caller]
    pub fn refuses(&self, kind: &str, file: &str, parts: &[&str]) {
        match self.load() {
            Ok(_) => panic!("loaded, expected {kind} {parts:?}"),
            Err(error) => self.check(&error, kind, file, parts),
        }
    }

    #[track_caller]
    pub fn check(&self, error: &Error, kind: &str, file: &str, parts: &[&str]) {
        let message = error.to_string();
        assert_eq!(kind_of(error), kind, "{message}");
        // Joining an empty name would end the path in a slash.
        let path = if file.is_empty() {
            self.0.path().to_path_buf()
        } else {
            self.path(file)
        };
        let rest = message.strip_prefix(&format!("{}: ", path.display()));
        let rest = rest.unwrap_or_else(|| panic!("{file} is not named first: {message}"));
        for part in parts {
            assert!(rest.contains(part), "{part:?} is not in: {message}");
        }
        assert!(message.len() < 1000, "a message of {} bytes", message.len());
    }
}

/// The name of an error's variant.
fn kind_of(error: &Error) -> &'static str {
    match error {
        Error::Io { .. } => "Io",
        Error::Model(error) => match error {
            ModelError::NotAModel(_) => "NotAModel",
            ModelError::MissingFile { .. } => "MissingFile",
            ModelError::NotAFile(_) => "NotAFile",
            ModelError::Config { .. } => "Config",
            ModelError::Unsupported { .. } => "Unsupported",
            ModelError::UnknownKey { .. } => "UnknownKey",
            ModelError::Weights { .. } => "Weights",
            ModelError::MissingTensor { .. } => "MissingTensor",
            ModelError::UnknownTensor { .. } => "UnknownTensor",
            ModelError::RepeatedTensor { .. } => "RepeatedTensor",
            ModelError::TooLarge { .. } => "TooLarge",
            ModelError::Shape { .. } => "Shape",
            ModelError::TensorType { .. } => "TensorType",
            ModelError::NotFinite { .. } => "NotFinite",
            ModelError::Tokenizer { .. } => "Tokenizer",
            _ => "unknown model error",
        },
        _ => "error of another kind",
    }
}
