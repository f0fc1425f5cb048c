//! Models by name, on the best that this machine has.

use super::{ModelFolder, SentenceEncoder};
use crate::hub::{HubConfig, NoProgress, resolve_model};
use crate::{Device, Result};

impl SentenceEncoder {
    /// Loads a model by the name of a folder, or by its name on the hub (with an
    /// optional `@revision`), from where it is fetched once. It runs on the
    /// device and in the precision that `auto` stands for, on all cores.
    ///
    /// For another device, precision or number of threads:
    /// [`Device::backend`] and [`SentenceEncoder::load`].
    ///
    /// # Errors
    /// Where there is no such model, it cannot be fetched, or it cannot be used;
    /// where `GRADUS_ISA` names instructions that the processor lacks.
    pub fn from_pretrained(name: &str) -> Result<Self> {
        let folder = resolve_model(name, &HubConfig::from_env()?, &mut NoProgress)?;
        let (backend, _) = Device::Auto.backend(ModelFolder::precision(&folder)?, 0)?;
        Self::load(folder, backend)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/models/bert-small"
    );

    #[test]
    fn a_folder_is_a_name() {
        let model = SentenceEncoder::from_pretrained(SMALL).unwrap();
        let texts = ["a dog in the park", "the dog is in a park"];
        let vectors = model.encode(&texts).unwrap();
        assert_eq!((vectors.rows(), vectors.dim()), (2, model.dim()));
        assert!(vectors.cosine(0, 1) > vectors.cosine(0, 0) - 1.0);
    }

    #[test]
    fn what_is_nowhere_is_an_error_that_names_it() {
        let error = SentenceEncoder::from_pretrained("./no-such-model")
            .err()
            .unwrap();
        assert!(error.to_string().contains("no-such-model"), "{error}");
    }
}
