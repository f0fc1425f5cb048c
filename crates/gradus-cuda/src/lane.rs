//! A stream of work on a card, with its memory.

use crate::context::{Context, Shared};
use crate::functions::Address;
use crate::memory::{Buffer, Coming, Pool, Staging};
use crate::modules::Module;
use crate::profile::Profile;
use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;

/// What is done in order: kernels and copies.
pub(crate) struct Lane {
    pub context: Arc<Context>,
    pub stream: Shared,
    pub pool: Arc<Pool>,
    staging: Arc<Staging>,
    /// Where the time goes, if that is asked.
    pub profile: Option<Profile>,
}

impl Lane {
    /// A stream of its own.
    #[allow(unsafe_code, reason = "a foreign function")]
    pub fn new(context: &Arc<Context>) -> Arc<Self> {
        context.enter();
        let mut stream = ptr::null_mut();
        /// A stream that does not wait for the one that programs share.
        const ALONE: u32 = 1;
        // SAFETY: the driver writes a handle.
        let status = unsafe { (context.functions.create_stream)(&mut stream, ALONE) };
        context.went_well("making a stream", status);
        Arc::new(Self {
            context: Arc::clone(context),
            stream: Shared(stream),
            pool: Pool::new(Arc::clone(context)),
            staging: Arc::new(Staging::new(Arc::clone(context))),
            profile: Profile::wanted(context),
        })
    }

    /// Memory for so many values of a type.
    pub fn room<T>(&self, count: usize) -> Buffer {
        self.pool.take(count * size_of::<T>())
    }

    /// Values on the card. Their type is plain: numbers without gaps.
    pub fn put<T: Copy>(&self, values: &[T]) -> Buffer {
        let buffer = self.room::<T>(values.len());
        self.write(buffer.address(), values);
        buffer
    }

    /// Copies values to a place on the card.
    #[allow(unsafe_code, reason = "values as bytes")]
    pub fn write<T: Copy>(&self, to: Address, values: &[T]) {
        self.context.enter();
        // SAFETY: the types that this is called with are numbers, or structures of them without gaps.
        let bytes = unsafe {
            std::slice::from_raw_parts(values.as_ptr().cast::<u8>(), std::mem::size_of_val(values))
        };
        self.staging.up(self.stream, to, bytes);
    }

    /// Copies values from the card, when all that was queued is done.
    pub fn read<T: Copy + Default>(&self, from: Address, count: usize) -> Vec<T> {
        self.context.enter();
        self.staging.down(self.stream, from, count)
    }

    /// Queues a copy of values from the card, to be waited for when they are wanted.
    pub fn send<T: Copy + Default>(&self, from: Address, count: usize) -> Coming<T> {
        self.context.enter();
        Coming::send(&self.staging, self.stream, from, count)
    }

    /// Sets bytes to zero.
    pub fn clear(&self, place: Address, bytes: usize) {
        self.fill(place, 0, bytes);
    }

    /// Sets bytes to a value.
    #[allow(unsafe_code, reason = "a foreign function")]
    pub fn fill(&self, place: Address, value: u8, bytes: usize) {
        if bytes == 0 || place == 0 {
            return;
        }
        self.context.enter();
        // SAFETY: the place has as many bytes.
        let status = unsafe { (self.context.functions.fill)(place, value, bytes, self.stream.0) };
        self.context.went_well("filling memory", status);
    }

    /// Copies bytes from one place on the card to another.
    #[allow(unsafe_code, reason = "a foreign function")]
    pub fn duplicate(&self, to: Address, from: Address, bytes: usize) {
        if bytes == 0 || to == 0 || from == 0 {
            return;
        }
        self.context.enter();
        // SAFETY: both places have as many bytes, and do not overlap.
        let status =
            unsafe { (self.context.functions.copy_within)(to, from, bytes, self.stream.0) };
        self.context.went_well("copying on the card", status);
    }

    /// Waits until all is done that was queued.
    #[allow(unsafe_code, reason = "a foreign function")]
    pub fn wait(&self) {
        self.context.enter();
        // SAFETY: the stream is alive.
        let status = unsafe { (self.context.functions.synchronize)(self.stream.0) };
        self.context.went_well("waiting for the card", status);
    }

    /// Queues a kernel on `grid` blocks of so many threads. `arguments` are addresses of values of the types
    /// of its parameters.
    #[allow(unsafe_code, reason = "a foreign function")]
    pub fn launch(
        &self,
        (module, name): (Module, &'static str),
        grid: [usize; 2],
        threads: usize,
        arguments: &mut [*mut c_void],
    ) {
        if grid.contains(&0) || self.context.has_failed() {
            return;
        }
        self.context.enter();
        let Some(kernel) = self.context.kernel(module, name) else {
            return;
        };
        let [x, y] = grid.map(|n| u32::try_from(n).unwrap_or(u32::MAX));
        // SAFETY: callers give as many values as the kernel has parameters, each of its type and alive over the
        // call; addresses are of buffers of the sizes that the kernel gets.
        let mut queue = || unsafe {
            (self.context.functions.launch)(
                kernel,
                x,
                y,
                1,
                threads as u32,
                1,
                1,
                0,
                self.stream.0,
                arguments.as_mut_ptr(),
                ptr::null_mut(),
            )
        };
        let status = match &self.profile {
            Some(profile) => profile.span(self.stream.0, name, queue),
            None => queue(),
        };
        self.context.went_well(name, status);
    }
}

impl Drop for Lane {
    #[allow(unsafe_code, reason = "a foreign function")]
    fn drop(&mut self) {
        self.wait();
        self.profile = None;
        // SAFETY: nothing is queued, and nobody has the stream.
        unsafe { (self.context.functions.destroy_stream)(self.stream.0) };
    }
}

/// Queues a kernel: `launch!(lane, (module, "name"), [blocks, blocks], threads; arguments)`.
macro_rules! launch {
    ($lane:expr, $kernel:expr, $grid:expr, $threads:expr; $($argument:expr),* $(,)?) => {
        $lane.launch(
            $kernel,
            $grid,
            $threads,
            &mut [$(std::ptr::from_ref(&$argument).cast_mut().cast()),*],
        )
    };
}
pub(crate) use launch;
