//! Writing a folder that sentence-transformers' CrossEncoder loads as it is.

use super::CrossEncoder;
use crate::format::files::read_json;
use crate::format::{Provenance, quantized};
use crate::models::save::{carry_tokenizer, write, write_json, write_weights};
use crate::output::{Replacement, replace_folder};
use crate::{Error, Result};
use gradus_kernels::Backend;
use serde_json::{Map, Value};
use std::path::Path;

impl<B: Backend> CrossEncoder<B> {
    /// Writes the model to `target`, with `card` as its README. A folder already
    /// there is replaced as a whole, but for files that are not a model's.
    ///
    /// # Errors
    /// [`Error::Io`] with the path concerned.
    pub fn save(&self, target: &Path, card: &str) -> Result<()> {
        self.save_as(None, target, card, &Provenance::default())?;
        Ok(())
    }

    /// As [`CrossEncoder::save`], with what is known of the training, noting that the
    /// run `owner` wrote it.
    pub(crate) fn save_as(
        &self,
        owner: Option<&str>,
        target: &Path,
        card: &str,
        provenance: &Provenance,
    ) -> Result<Replacement> {
        replace_folder(target, owner, |fresh| {
            self.write(fresh, card)?;
            match provenance.file()? {
                Some((name, text)) => write(&fresh.join(name), &text),
                None => Ok(()),
            }
        })
    }

    fn write(&self, target: &Path, card: &str) -> Result<()> {
        let folder = &self.folder;
        carry_tokenizer(&folder.encoder, target)?;
        self.write_limit(target)?;
        write_json(target, "config.json", &self.config()?)?;
        let arena = self.backend.read_arena(&self.params, 0..self.layout.len());
        self.backend.check()?;
        write_weights(target, folder, &self.layout, &arena, &[])?;
        write(&target.join("README.md"), card)
    }

    /// The most tokens of an input, where other software looks for it.
    fn write_limit(&self, target: &Path) -> Result<()> {
        const FILE: &str = "tokenizer_config.json";
        let path = target.join(FILE);
        let mut config = match path.is_file() {
            true => read_json(&path)?,
            false => Value::Object(Map::new()),
        };
        config["model_max_length"] = self.tokenizer.max_tokens().into();
        write_json(target, FILE, &config)
    }

    /// `config.json` as transformers has it for sequence classification, with the
    /// activation where sentence-transformers looks for it (4.0 and later, and, by
    /// the older key, before).
    fn config(&self) -> Result<Value> {
        let path = self.folder.encoder.join("config.json");
        let mut config = quantized::without_key(read_json(&path)?);
        let Some(fields) = config.as_object_mut() else {
            return Err(Error::Internal("config.json is no object".into()));
        };
        let name = self.activation.torch_name();
        fields.insert("architectures".into(), vec![self.class()].into());
        let labels = 0..self.labels;
        // Names that a model had of its labels stay.
        let kept = fields
            .get("id2label")
            .and_then(Value::as_object)
            .is_some_and(|names| names.len() == self.labels);
        if !kept {
            let names = labels
                .clone()
                .map(|i| (i.to_string(), format!("LABEL_{i}").into()));
            fields.insert("id2label".into(), Value::Object(names.collect()));
            let ids = labels.map(|i| (format!("LABEL_{i}"), i.into()));
            fields.insert("label2id".into(), Value::Object(ids.collect()));
        }
        fields.remove("num_labels");
        let library = fields
            .entry("sentence_transformers")
            .or_insert_with(|| Value::Object(Map::new()));
        if !library.is_object() {
            *library = Value::Object(Map::new());
        }
        library["activation_fn"] = name.into();
        if fields.contains_key("sbert_ce_default_activation_function") {
            fields.insert("sbert_ce_default_activation_function".into(), name.into());
        }
        Ok(config)
    }

    /// The class of transformers for it.
    fn class(&self) -> String {
        use crate::families::Architecture::*;
        let family = match self.folder.config.architecture {
            Roberta => "Roberta",
            XlmRoberta => "XLMRoberta",
            DistilBert => "DistilBert",
            Electra => "Electra",
            MpNet => "MPNet",
            Bert | NomicBert | JinaBert | JinaBertQkNorm => "Bert",
        };
        let path = self.folder.encoder.join("config.json");
        let camembert = read_json(&path)
            .ok()
            .is_some_and(|config| config["model_type"] == "camembert");
        match camembert {
            true => "CamembertForSequenceClassification".to_owned(),
            false => format!("{family}ForSequenceClassification"),
        }
    }
}
