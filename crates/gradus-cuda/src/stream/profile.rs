//! Where a card's time goes: with `GRADUS_CUDA_PROFILE=1` each kernel's is summed by its name, and printed to
//! standard error when the lane ends.

use crate::context::{Context, Shared, lock};
use crate::functions::Handle;
use std::collections::HashMap;
use std::fmt::Write;
use std::ptr;
use std::sync::{Arc, Mutex};

/// Events before and behind everything that was queued.
pub(crate) struct Profile {
    context: Arc<Context>,
    spans: Mutex<Vec<(String, Shared, Shared)>>,
}

impl Profile {
    /// One where the environment asks for it.
    pub fn wanted(context: &Arc<Context>) -> Option<Self> {
        std::env::var_os("GRADUS_CUDA_PROFILE").filter(|v| v != "0" && !v.is_empty())?;
        Some(Self {
            context: Arc::clone(context),
            spans: Mutex::default(),
        })
    }

    #[allow(unsafe_code, reason = "foreign functions")]
    fn event(&self, stream: Handle) -> Shared {
        let mut event = ptr::null_mut();
        // SAFETY: the driver writes a handle, which is then recorded.
        unsafe {
            (self.context.functions.create_event)(&mut event, 0);
            (self.context.functions.record_event)(event, stream);
        }
        Shared(event)
    }

    /// Times what `work` queues.
    pub fn span<R>(&self, stream: Handle, name: impl Into<String>, work: impl FnOnce() -> R) -> R {
        let begin = self.event(stream);
        let result = work();
        let end = self.event(stream);
        lock(&self.spans).push((name.into(), begin, end));
        result
    }
}

impl Drop for Profile {
    #[allow(unsafe_code, reason = "foreign functions")]
    fn drop(&mut self) {
        self.context.enter();
        let mut sums: HashMap<String, (usize, f64)> = HashMap::new();
        for (name, begin, end) in lock(&self.spans).drain(..) {
            let mut milliseconds = 0f32;
            // SAFETY: both events were recorded and are waited for; nobody else has them.
            unsafe {
                (self.context.functions.synchronize_event)(end.0);
                (self.context.functions.elapsed)(&mut milliseconds, begin.0, end.0);
                (self.context.functions.destroy_event)(begin.0);
                (self.context.functions.destroy_event)(end.0);
            }
            let own = sums.entry(name).or_default();
            own.0 += 1;
            own.1 += f64::from(milliseconds);
        }
        let total: f64 = sums
            .values()
            .map(|own| own.1)
            .sum::<f64>()
            .max(f64::MIN_POSITIVE);
        let mut rows: Vec<_> = sums.into_iter().collect();
        rows.sort_by(|a, b| b.1.1.total_cmp(&a.1.1));
        let mut text = format!("card: {total:.1} ms\n");
        for (name, (count, sum)) in rows {
            let (share, each) = (100.0 * sum / total, 1000.0 * sum / count as f64);
            let _ = writeln!(
                text,
                "{share:5.1} % {sum:9.2} ms {count:7} x {each:9.1} us  {name}"
            );
        }
        eprint!("{text}");
    }
}
