//! Where things are computed: outside of the interpreter, and in a process that was forked
//! on threads of its own. The library works on rayon's global pool, whose threads do not
//! come along.

use pyo3::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The process that computed first.
static FIRST: OnceLock<u32> = OnceLock::new();

/// Threads of a process that was forked from it.
static OWN: Mutex<Option<(u32, Arc<ThreadPool>)>> = Mutex::new(None);

/// Calls `job` with the interpreter released. In a forked process it runs on another
/// thread, so that signals are seen only when it has ended.
pub fn compute<T: Send>(py: Python<'_>, job: impl FnOnce() -> T + Send) -> T {
    let process = std::process::id();
    if *FIRST.get_or_init(|| process) == process {
        return py.detach(job);
    }
    match own(process) {
        Some(pool) => py.detach(|| pool.install(job)),
        None => py.detach(job),
    }
}

fn own(process: u32) -> Option<Arc<ThreadPool>> {
    let mut own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((owner, pool)) = &*own
        && *owner == process
    {
        return Some(Arc::clone(pool));
    }
    if let Some((_, pool)) = own.take() {
        // A parent's threads are not here to be ended.
        std::mem::forget(pool);
    }
    let pool = Arc::new(ThreadPoolBuilder::new().build().ok()?);
    *own = Some((process, Arc::clone(&pool)));
    Some(pool)
}
