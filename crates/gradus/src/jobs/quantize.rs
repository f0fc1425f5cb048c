//! A copy of a model whose weights are bytes: a quarter of its size.

use super::{Environment, JobError, PairModel};
use crate::calibration::Calibration;
use crate::format::quantized;
use crate::models::ModelFolder;
use crate::models::weights::is_spare;
use crate::output::Inputs;
use crate::util::Observer;
use crate::util::atomic::{Unfinished, copy_content};
use crate::{Error, Precision, Result};
use std::path::{Path, PathBuf};

/// What is made smaller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuantizeSettings {
    /// The model: one that makes vectors, or a cross-encoder.
    pub model: String,
    /// The folder written, which does not exist yet.
    pub output: PathBuf,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantized {
    /// Weights that are bytes now.
    pub tensors: usize,
    /// The size of the model's weights as f32.
    pub bytes_before: u64,
    /// Their size now.
    pub bytes: u64,
}

/// Writes a copy of a model with the weights of its layers and its table of words as
/// bytes ([`gradus_kernels::int8`]). Commands and [`from_pretrained`] run it in int8
/// unless another precision is named.
///
/// [`from_pretrained`]: crate::models::SentenceEncoder::from_pretrained
///
/// # Errors
/// Where the model cannot be used or is in int8 already, or something is in the way.
pub fn quantize(
    settings: &QuantizeSettings,
    environment: &Environment,
    observer: &mut dyn Observer,
) -> Result<Quantized> {
    let output = &settings.output;
    if output.symlink_metadata().is_ok() {
        return Err(JobError::Exists(output.clone()).into());
    }
    let inputs = Inputs::new().with("the model", &settings.model);
    inputs.check_folder(output, "--output")?;
    let model = environment.find(&settings.model, observer)?;
    if ModelFolder::precision(&model.folder).map_err(JobError::model)? == Precision::Int8 {
        return Err(JobError::IsQuantized(model.name).into());
    }
    let loaded = environment.load_pair_model_briefly(&model.folder, None, observer)?;
    let fresh = Unfinished::at(beside(output));
    write(&loaded, &model.folder, fresh.path())?;
    let written = quantized::quantize_folder(fresh.path(), is_spare)?;
    fresh.commit(output).map_err(Error::io(output))?;
    Ok(Quantized {
        tensors: written.tensors,
        bytes_before: written.bytes.0,
        bytes: written.bytes.1,
    })
}

/// Where it is written until it is whole.
fn beside(output: &Path) -> PathBuf {
    let name = output.file_name().unwrap_or("model".as_ref());
    output.with_file_name(format!(".{}.new", name.to_string_lossy()))
}

/// The model as it is, its card and its calibration.
fn write(model: &PairModel, from: &Path, to: &Path) -> Result<()> {
    let card = std::fs::read_to_string(from.join("README.md")).unwrap_or_default();
    model.save(to, &card)?;
    let calibration = Calibration::path(from);
    match calibration.is_file() {
        true => copy_content(&calibration, &Calibration::path(to)),
        false => Ok(()),
    }
}
