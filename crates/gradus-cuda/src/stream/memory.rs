//! Memory: a card's, by the size, used again in the order of a stream; and the host's that copies go through.

use crate::context::{Context, Shared, lock};
use crate::functions::Address;
use crate::stream::plain::Plain;
use std::collections::{BTreeSet, HashMap};
use std::ffi::c_void;
use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A card's memory for the work of one stream.
///
/// What is given back is used again at once: work that still reads it was queued before what will write it.
/// The lowest address goes first, so that the same work in the same order has the same addresses.
pub(crate) struct Pool {
    context: Arc<Context>,
    free: Mutex<HashMap<usize, BTreeSet<Address>>>,
    held: AtomicUsize,
}

/// Some of a pool's memory.
pub(crate) struct Buffer {
    pool: Arc<Pool>,
    address: Address,
    size: usize,
}

/// Sizes that are handed out: at most a quarter more than what was asked for.
fn rounded(bytes: usize) -> usize {
    let bytes = bytes.max(512);
    let step = (bytes.next_power_of_two() / 8).max(512);
    bytes.next_multiple_of(step)
}

impl Pool {
    pub fn new(context: Arc<Context>) -> Arc<Self> {
        Arc::new(Self {
            context,
            free: Mutex::default(),
            held: AtomicUsize::new(0),
        })
    }

    /// At least so many bytes, whatever they hold. Calls `settle` before what is unused goes back to
    /// the driver.
    pub fn take(self: &Arc<Self>, bytes: usize, settle: impl FnOnce()) -> Buffer {
        let size = rounded(bytes);
        let again = lock(&self.free)
            .get_mut(&size)
            .and_then(BTreeSet::pop_first);
        let address = again.unwrap_or_else(|| self.more(size, settle));
        Buffer {
            pool: Arc::clone(self),
            address,
            size,
        }
    }

    /// From the driver; what lies unused goes back to it where it has no more.
    #[allow(unsafe_code, reason = "a foreign function")]
    fn more(&self, size: usize, settle: impl FnOnce()) -> Address {
        if self.context.has_failed() {
            return 0;
        }
        self.context.enter();
        let mut address = 0;
        // SAFETY: the driver writes an address.
        let mut allocate = || unsafe { (self.context.functions.allocate)(&mut address, size) };
        let mut status = allocate();
        if status != 0 {
            settle();
            self.trim();
            status = allocate();
        }
        if status == 2 {
            let message = format!(
                "the card's memory is used up: {} MB are in use here, and {} MB more cannot be had; \
                 smaller batches, chunks (chunk_tokens) or fewer tokens (max_tokens) need less",
                self.held.load(Ordering::Relaxed) >> 20,
                size >> 20
            );
            self.context.fail("taking memory", message);
            return 0;
        }
        if !self.context.went_well("taking memory", status) {
            return 0;
        }
        self.held.fetch_add(size, Ordering::Relaxed);
        address
    }

    /// Gives what is unused back to the driver, which waits for the card.
    #[allow(unsafe_code, reason = "a foreign function")]
    fn trim(&self) {
        for (size, addresses) in lock(&self.free).drain() {
            for address in addresses {
                // SAFETY: nobody has this buffer, and the driver waits for work that was queued.
                unsafe { (self.context.functions.free)(address) };
                self.held.fetch_sub(size, Ordering::Relaxed);
            }
        }
    }

    /// Bytes that were taken from the driver.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.context.enter();
        self.trim();
    }
}

impl Buffer {
    /// Where it is.
    pub fn address(&self) -> Address {
        self.address
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.address != 0 {
            let mut free = lock(&self.pool.free);
            free.entry(self.size).or_default().insert(self.address);
        }
    }
}

/// The host's memory that copies go through, so that they need not wait.
pub(crate) struct Staging {
    context: Arc<Context>,
    blocks: Mutex<Vec<Block>>,
}

struct Block {
    place: Shared,
    size: usize,
    /// Recorded behind the last copy from it.
    event: Shared,
}

impl Staging {
    pub fn new(context: Arc<Context>) -> Self {
        Self {
            context,
            blocks: Mutex::default(),
        }
    }

    /// A block of so many bytes that no copy reads any more.
    #[allow(unsafe_code, reason = "foreign functions")]
    fn block(&self, bytes: usize) -> Option<Block> {
        let size = rounded(bytes);
        let functions = &self.context.functions;
        let mut blocks = lock(&self.blocks);
        // SAFETY: events are alive as long as their blocks.
        let free = |block: &Block| {
            block.size == size && unsafe { (functions.query_event)(block.event.0) == 0 }
        };
        if let Some(at) = blocks.iter().position(free) {
            return Some(blocks.swap_remove(at));
        }
        drop(blocks);
        let (mut place, mut event) = (ptr::null_mut(), ptr::null_mut());
        /// Events that are asked whether they came, not when.
        const UNTIMED: u32 = 2;
        // SAFETY: the driver writes an address and a handle.
        let status = unsafe { (functions.allocate_host)(&mut place, size, 0) };
        if !self.context.went_well("taking memory of the host", status) {
            return None;
        }
        // SAFETY: as above.
        let status = unsafe { (functions.create_event)(&mut event, UNTIMED) };
        let block = Block {
            place: Shared(place),
            size,
            event: Shared(event),
        };
        self.context
            .went_well("making an event", status)
            .then_some(block)
    }

    /// Copies bytes to the card; returns as soon as they can be overwritten.
    #[allow(unsafe_code, reason = "foreign functions")]
    pub fn up(&self, stream: Shared, to: Address, bytes: &[u8]) {
        if bytes.is_empty() || to == 0 {
            return;
        }
        let Some(block) = self.block(bytes.len()) else {
            return;
        };
        let functions = &self.context.functions;
        // SAFETY: the block has as many bytes, which no copy reads; the place on the card has as many as well.
        let (copy, record) = unsafe {
            ptr::copy_nonoverlapping(bytes.as_ptr(), block.place.0.cast::<u8>(), bytes.len());
            let copy = (functions.copy_to_card)(to, block.place.0, bytes.len(), stream.0);
            (copy, (functions.record_event)(block.event.0, stream.0))
        };
        self.context.went_well("copying to the card", copy);
        self.context.went_well("recording an event", record);
        self.give_back(block);
    }

    /// Queues a copy of values from the card.
    #[allow(unsafe_code, reason = "foreign functions")]
    fn begin_down(&self, stream: Shared, from: Address, bytes: usize) -> Option<Block> {
        if bytes == 0 || from == 0 || self.context.has_failed() {
            return None;
        }
        let block = self.block(bytes)?;
        let functions = &self.context.functions;
        // SAFETY: both places have as many bytes; the event is the block's own.
        let (copy, record) = unsafe {
            let copy = (functions.copy_to_host)(block.place.0, from, bytes, stream.0);
            (copy, (functions.record_event)(block.event.0, stream.0))
        };
        let copied = self.context.went_well("copying from the card", copy);
        if self.context.went_well("recording an event", record) && copied {
            return Some(block);
        }
        self.give_back(block);
        None
    }

    /// Waits for a copy, and for nothing that was queued behind it.
    #[allow(unsafe_code, reason = "foreign functions")]
    fn end_down<T: Plain + Default>(&self, block: Option<&Block>, count: usize) -> Vec<T> {
        let mut values = vec![T::default(); count];
        let Some(block) = block else {
            return values;
        };
        let bytes = std::mem::size_of_val(&values[..]);
        // SAFETY: the event is alive as long as its block.
        let wait = unsafe { (self.context.functions.synchronize_event)(block.event.0) };
        if self.context.went_well("waiting for the card", wait) {
            // SAFETY: the copy of as many bytes has ended, and any bytes are values.
            unsafe {
                let from = block.place.0.cast::<u8>().cast_const();
                ptr::copy_nonoverlapping(from, values.as_mut_ptr().cast(), bytes);
            }
        }
        values
    }

    /// Copies values from the card, and waits for them.
    pub fn down<T: Plain + Default>(&self, stream: Shared, from: Address, count: usize) -> Vec<T> {
        let block = self.begin_down(stream, from, count * size_of::<T>());
        let values = self.end_down(block.as_ref(), count);
        block.into_iter().for_each(|block| self.give_back(block));
        values
    }

    fn give_back(&self, block: Block) {
        lock(&self.blocks).push(block);
    }
}

/// Values on their way from the card to the host.
pub(crate) struct Coming<T> {
    staging: Arc<Staging>,
    /// None where nothing comes: of no values, or behind a failure.
    block: Option<Block>,
    count: usize,
    of: PhantomData<fn() -> T>,
}

impl<T: Plain + Default> Coming<T> {
    /// Queues their copy.
    pub fn send(staging: &Arc<Staging>, stream: Shared, from: Address, count: usize) -> Self {
        Self {
            block: staging.begin_down(stream, from, count * size_of::<T>()),
            staging: Arc::clone(staging),
            count,
            of: PhantomData,
        }
    }

    /// Waits for them, not for what was queued later.
    pub fn values(&self) -> Vec<T> {
        self.staging.end_down(self.block.as_ref(), self.count)
    }
}

impl<T> Drop for Coming<T> {
    fn drop(&mut self) {
        // Nobody gets the block before its copy has ended.
        let block = self.block.take();
        block.into_iter().for_each(|b| self.staging.give_back(b));
    }
}

impl Drop for Staging {
    #[allow(unsafe_code, reason = "foreign functions")]
    fn drop(&mut self) {
        self.context.enter();
        for block in lock(&self.blocks).drain(..) {
            // SAFETY: the copy that may still read the block is waited for.
            unsafe {
                (self.context.functions.synchronize_event)(block.event.0);
                (self.context.functions.free_host)(block.place.0.cast::<c_void>());
                (self.context.functions.destroy_event)(block.event.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::rounded;

    #[test]
    fn sizes_are_rounded_up_by_a_quarter_at_most() {
        for bytes in (1..100_000).chain([1 << 20, (1 << 20) + 1, (1 << 30) + 7]) {
            let size = rounded(bytes);
            assert!(size >= bytes && (size <= bytes + bytes / 4 || size <= bytes + 512));
            assert_eq!(rounded(size), size);
        }
    }
}
