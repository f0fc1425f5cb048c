//! What lies on a card: matrices and parameters.

use crate::context::lock;
use crate::functions::Address;
use crate::modules::Module;
use crate::stream::lane::{Lane, launch};
use crate::stream::memory::Buffer;
use crate::zeros::Zeros;
use std::sync::{Arc, Mutex};

/// A matrix of activations, in bf16 or f32.
pub struct Tensor {
    pub(crate) buffer: Buffer,
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    pub(crate) half: bool,
    /// Sums of its columns, where whoever made it had them at hand: a bias's gradient.
    pub(crate) sums: Option<Sums>,
}

/// Sums over pieces of rows, `[pieces][kinds][cols]`, of which the last kind are the columns'.
#[derive(Clone)]
pub(crate) struct Sums {
    pub partial: Arc<Buffer>,
    pub pieces: usize,
    pub kinds: usize,
}

impl Tensor {
    pub(crate) fn address(&self) -> Address {
        self.buffer.address()
    }

    pub(crate) fn count(&self) -> usize {
        self.rows * self.cols
    }

    pub(crate) fn bytes(&self) -> usize {
        self.count() * if self.half { 2 } else { 4 }
    }
}

/// A flat arena of f32 values.
pub struct Arena {
    pub(crate) lane: Arc<Lane>,
    pub(crate) values: Buffer,
    pub(crate) len: usize,
    /// The values in bf16, made when a product first asks for them.
    shadow: Mutex<Shadow>,
    pub(crate) zeros: Mutex<Zeros>,
}

#[derive(Default)]
struct Shadow {
    buffer: Option<Buffer>,
    stale: bool,
    /// Whether it is known to be there, not only queued.
    settled: bool,
}

impl Arena {
    pub(crate) fn new(lane: &Arc<Lane>, len: usize) -> Self {
        Self {
            lane: Arc::clone(lane),
            values: lane.room::<f32>(len),
            len,
            shadow: Mutex::default(),
            zeros: Mutex::default(),
        }
    }

    /// Where the value of this index is.
    pub(crate) fn at(&self, index: usize) -> Address {
        self.values.address() + 4 * index as Address
    }

    /// Where its copy in bf16 is, as it is now, for work of a lane.
    pub(crate) fn half(&self, reader: &Lane, index: usize) -> Address {
        let mut shadow = lock(&self.shadow);
        if shadow.buffer.is_none() || shadow.stale {
            let lane = &self.lane;
            let buffer = shadow
                .buffer
                .take()
                .unwrap_or_else(|| lane.room::<u16>(self.len));
            let (from, to, n) = (self.at(0), buffer.address(), self.len as u64);
            let blocks = self.len.div_ceil(4 * 256);
            launch!(lane, (Module::Elementwise(false), "narrow"), [blocks, 1], 256; from, to, n);
            *shadow = Shadow {
                buffer: Some(buffer),
                stale: false,
                settled: false,
            };
        }
        // Its own lane reads what it has queued itself.
        if !shadow.settled && !std::ptr::eq(reader, &*self.lane) {
            self.lane.wait();
            shadow.settled = true;
        }
        shadow.buffer.as_ref().map_or(0, Buffer::address) + 2 * index as Address
    }

    /// Where a step that changes values writes them in bf16 too, if anywhere.
    pub(crate) fn half_if_made(&self) -> Address {
        let shadow = lock(&self.shadow);
        let made = shadow.buffer.as_ref().filter(|_| !shadow.stale);
        made.map_or(0, Buffer::address)
    }

    /// Values changed, and their copy did not.
    pub(crate) fn changed(&self) {
        lock(&self.shadow).stale = true;
    }
}
