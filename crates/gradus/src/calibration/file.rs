//! `calibration.json` in a model's folder.

use super::Calibration;
use crate::format::ModelError;
use crate::format::files::{is_there, read_json};
use crate::util::atomic::write_bytes;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Written<'a> {
    format: u32,
    #[serde(flatten)]
    calibration: &'a Calibration,
}

#[derive(Deserialize)]
struct Format {
    format: u32,
}

impl Calibration {
    /// Where a model's calibration is.
    pub fn path(model: &Path) -> PathBuf {
        model.join("calibration.json")
    }

    /// Writes it into a model's folder; one that is there is replaced.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn save(&self, model: &Path) -> Result<PathBuf> {
        let path = Self::path(model);
        let written = Written {
            format: FORMAT,
            calibration: self,
        };
        let json = serde_json::to_string_pretty(&written)
            .map_err(|e| Error::Internal(format!("calibration: {e}")))?;
        write_bytes(&path, json.as_bytes())?;
        Ok(path)
    }

    /// Reads the calibration of a model's folder, if it has one.
    ///
    /// # Errors
    /// [`ModelError`] where the file is damaged or of a later format.
    pub fn load(model: &Path) -> Result<Option<Self>> {
        let path = Self::path(model);
        if !is_there(&path)? {
            return Ok(None);
        }
        let config = |problem: String| ModelError::Config {
            path: path.clone(),
            message: format!(
                "{problem}; fit it again with `gradus calibrate --overwrite`, or remove the file to go without"
            ),
        };
        let mut json = read_json(&path)?;
        let Format { format } =
            serde_json::from_value(json.clone()).map_err(|e| config(e.to_string()))?;
        if format != FORMAT {
            return Err(ModelError::Unsupported {
                path,
                what: "format of calibration".into(),
                found: format.to_string(),
                supported: "1".into(),
            }
            .into());
        }
        if let Some(object) = json.as_object_mut() {
            object.remove("format");
        }
        let calibration: Self = serde_json::from_value(json).map_err(|e| config(e.to_string()))?;
        match calibration.problem() {
            Some(problem) => Err(config(problem.to_owned()).into()),
            None => Ok(Some(calibration)),
        }
    }

    /// Whether the file at `path` is a calibration that this program wrote, of
    /// any version.
    pub fn is_own(path: &Path) -> bool {
        let json = read_json(path).unwrap_or_default();
        let mut keys = ["format", "bands", "map"].iter();
        keys.all(|key| !json[key].is_null())
    }

    fn problem(&self) -> Option<&'static str> {
        let (low, high) = self.scale;
        let from: Vec<Option<f64>> = self.bands.iter().map(|band| band.from).collect();
        let ends = self.bands.iter().flat_map(|band| [band.low, band.high]);
        if !(low.is_finite() && high.is_finite() && low < high) {
            Some("`scale` needs the lowest and the highest grade, which differ")
        } else if !(self.coverage > 0.0 && self.coverage < 1.0) {
            Some("`coverage` does not lie between 0 and 1")
        } else if from.first() != Some(&None) || !from.windows(2).all(|w| w[0] < w[1]) {
            Some("the `bands` do not follow each other")
        } else if ends.flatten().any(|end| !end.is_finite()) {
            Some("a band holds a value that is not finite")
        } else if let Some(problem) = self.map.problem() {
            Some(problem)
        } else if self.map.level().is_some() {
            Some("`map` gives every pair the same grade, as it was fitted on one value")
        } else {
            None
        }
    }
}
