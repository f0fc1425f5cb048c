//! What models run on.

use crate::errors::raised;
use gradus::hub::HubConfig;
use gradus::jobs::{Environment, Model};
use gradus::util::Silent;
use gradus::{Device, Precision};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// How a model is loaded.
#[derive(Clone)]
pub struct Options {
    environment: Environment,
    model: Model,
}

impl Options {
    /// Finds a model by its folder or name.
    pub fn new(
        name: &str,
        precision: Option<&str>,
        device: Option<&str>,
        threads: usize,
    ) -> PyResult<Self> {
        let environment = environment(precision, device, threads)?;
        let model = environment.find(name, &mut Silent).map_err(raised)?;
        Ok(Self { environment, model })
    }

    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    pub fn model(&self) -> &Model {
        &self.model
    }
}

/// The environment's settings, with those of a call before them.
pub fn environment(
    precision: Option<&str>,
    device: Option<&str>,
    threads: usize,
) -> PyResult<Environment> {
    let precision = match precision {
        None => None,
        Some("auto") => Some(Precision::Auto),
        Some("f32") => Some(Precision::F32),
        Some("bf16") => Some(Precision::Bf16),
        Some("int8") => Some(Precision::Int8),
        Some(other) => {
            let why = format!("compute {other:?}: expected auto, f32, bf16 or int8");
            return Err(PyValueError::new_err(why));
        }
    };
    let device: Option<Device> = device.map(str::parse).transpose().map_err(raised)?;
    let mut environment = Environment::default();
    environment.precision = precision;
    environment.device = device.unwrap_or(Device::Auto);
    environment.threads = threads;
    environment.hub = Some(HubConfig::from_env().map_err(raised)?);
    Ok(environment)
}
