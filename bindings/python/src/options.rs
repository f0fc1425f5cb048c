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
    let precisions = [
        ("auto", Precision::Auto),
        ("f32", Precision::F32),
        ("bf16", Precision::Bf16),
        ("int8", Precision::Int8),
    ];
    let precision = precision.map(|name| one_of("compute", name, precisions));
    let device: Option<Device> = device.map(str::parse).transpose().map_err(raised)?;
    let mut environment = Environment::default();
    environment.precision = precision.transpose()?;
    environment.device = device.unwrap_or(Device::Auto);
    environment.threads = threads;
    environment.hub = Some(HubConfig::from_env().map_err(raised)?);
    Ok(environment)
}

/// The value of a name.
pub fn one_of<T, const N: usize>(what: &str, given: &str, all: [(&str, T); N]) -> PyResult<T> {
    let names = all.each_ref().map(|(name, _)| *name);
    let (last, others) = names.split_last().unwrap_or((&"", &[]));
    let names = format!("{} or {last}", others.join(", "));
    let found = all.into_iter().find(|(name, _)| *name == given);
    let unknown = || PyValueError::new_err(format!("{what} {given:?}: expected {names}"));
    found.map(|(_, value)| value).ok_or_else(unknown)
}
