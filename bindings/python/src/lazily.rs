//! What is loaded when it is needed first, and again in a process that was forked: threads
//! do not come along.

use std::sync::{Arc, Mutex, PoisonError};

/// A model or an index, and how it is loaded.
pub struct Lazily<T, E> {
    load: Box<dyn Fn() -> Result<T, E> + Send + Sync>,
    held: Mutex<Option<(u32, Arc<T>)>>,
}

impl<T, E> Lazily<T, E> {
    pub fn new(load: impl Fn() -> Result<T, E> + Send + Sync + 'static) -> Self {
        Self {
            load: Box::new(load),
            held: Mutex::new(None),
        }
    }

    /// It, loaded if need be.
    pub fn get(&self) -> Result<Arc<T>, E> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let process = std::process::id();
        if let Some((owner, value)) = &*held
            && *owner == process
        {
            return Ok(Arc::clone(value));
        }
        if let Some((_, value)) = held.take() {
            // The parent's threads are not here to be ended.
            std::mem::forget(value);
        }
        let value = Arc::new((self.load)()?);
        *held = Some((process, Arc::clone(&value)));
        Ok(value)
    }
}
