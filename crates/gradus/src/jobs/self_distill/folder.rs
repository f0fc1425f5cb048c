//! The folder of a run: who has it, and where all lies in it.

use super::{Form, SelfDistillSettings, SelfDistillation};
use crate::jobs::run_folders::{add_model, existing_or_go_on, take};
use crate::output::{Claim, Held, Inputs, RunKind};
use crate::util::Observer;
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// The file that says where relative paths of the settings start.
const BASE: &str = ".base_dir";

/// Where relative paths of the settings start, by the run in the folder `root`.
pub(super) fn base_of_run(root: &Path) -> Result<PathBuf> {
    let path = root.join(BASE);
    let base = std::fs::read_to_string(&path).map_err(Error::io(&path))?;
    Ok(base.into())
}

impl SelfDistillation {
    /// Takes the folder for a new run, or for one that goes on by the same file.
    pub(super) fn begin(&self, overwrite: bool, observer: &mut dyn Observer) -> Result<Held> {
        let mut inputs = self.inputs();
        if let Some(recipe) = &self.recipe {
            inputs.add("the recipe", recipe);
        }
        let data = &self.environment.data;
        let pairs = &self.settings.pairs;
        for source in pairs.sources.iter().chain(&pairs.corpus) {
            inputs.add_source("a file of pairs or texts", source, &self.base, data);
        }
        let existing = existing_or_go_on(overwrite);
        let claim = Claim::check(&self.root, RunKind::SelfDistill, existing, &inputs)?;
        if claim.has_begun() && SelfDistillSettings::read(&self.root)? != self.settings {
            return Err(claim.occupied("a run of other settings"));
        }
        let held = take(claim, &self.environment, observer)?;
        let path = self.root.join(BASE);
        let base = self.base.to_string_lossy();
        crate::util::atomic::write_bytes(&path, base.as_bytes())?;
        self.settings.write(&self.root)?;
        Ok(held)
    }

    /// What the numbers depend on besides the pairs, of which there is a copy.
    pub(super) fn inputs(&self) -> Inputs {
        let mut inputs = Inputs::new();
        for (bi_encoder, plain) in &self.given {
            for model in [bi_encoder, plain] {
                add_model(
                    &mut inputs,
                    "the model",
                    &self.base,
                    &model.to_string_lossy(),
                );
            }
        }
        if let Some(dev) = &self.settings.evaluation.dev {
            inputs.add_source("the dev set", dev, &self.base, &self.environment.data);
        }
        inputs
    }

    /// The file of pairs of this name.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.root.join("pairs").join(format!("{name}.jsonl"))
    }

    /// The folder of a model's form as a cycle trains it.
    pub(super) fn folder(&self, cycle: usize, form: Form, model: usize) -> PathBuf {
        let name = format!("cycle-{cycle}-{}", self.numbered(form, model));
        self.root.join("runs").join(name)
    }

    /// The form's name, with the model's number where there are two.
    pub(super) fn numbered(&self, form: Form, model: usize) -> String {
        match self.given.len() {
            1 => form.name().to_owned(),
            _ => format!("{}-{}", form.name(), model + 1),
        }
    }
}
