//! What all routes see.

use super::error::{ApiError, Kind};
use crate::indexes::ServedIndex;
use crate::model::ServedModel;
use crate::work::Workshop;
use gradus_kernels::cpu::Cpu;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// A model's place; empty while it is being loaded.
pub(crate) struct At {
    pub name: String,
    pub model: Arc<OnceLock<Arc<ServedModel>>>,
}

/// What all routes see.
pub(crate) struct State {
    pub models: Vec<At>,
    pub indexes: Vec<Arc<ServedIndex>>,
    /// What compares queries with the rows of indexes.
    pub comparer: Cpu,
    pub workshop: Workshop,
    /// Set when the server is told to stop.
    pub stopping: AtomicBool,
}

impl State {
    /// The model of a name that can do something, or the first that can where there is no
    /// name; `what` it is that it must do.
    pub fn find(
        &self,
        name: Option<&str>,
        can: impl Fn(&ServedModel) -> bool,
        what: &str,
    ) -> Result<(usize, &Arc<ServedModel>), ApiError> {
        let loading = |at: &At| {
            let message = format!("the model {} is being loaded", at.name);
            ApiError::new(Kind::Loading, message)
        };
        if let Some(name) = name {
            let place = self.models.iter().position(|at| at.name == name);
            let Some(place) = place else {
                let names: Vec<&str> = self.models.iter().map(|at| at.name.as_str()).collect();
                let message = format!(
                    "there is no model `{name}`; this server has {}",
                    names.join(", ")
                );
                return Err(ApiError::new(Kind::NoModel, message).of("model"));
            };
            let at = &self.models[place];
            let model = at.model.get().ok_or_else(|| loading(at))?;
            if !can(model) {
                let message = format!("the model `{name}` does not {what}");
                return Err(ApiError::new(Kind::WrongModel, message).of("model"));
            }
            return Ok((place, model));
        }
        for (place, at) in self.models.iter().enumerate() {
            let model = at.model.get().ok_or_else(|| loading(at))?;
            if can(model) {
                return Ok((place, model));
            }
        }
        let message = format!("no model of this server does {what}");
        Err(ApiError::new(Kind::WrongModel, message))
    }

    /// Whether all models are there, and requests are taken.
    pub fn is_ready(&self) -> bool {
        let there = self.models.iter().all(|at| at.model.get().is_some());
        there && !self.stopping.load(Ordering::Relaxed)
    }
}
