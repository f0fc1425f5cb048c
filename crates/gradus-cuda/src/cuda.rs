//! The backend: a card, a precision, a lane.

use crate::blas::{Blas, without};
use crate::context::{Context, lock};
use crate::modules::Module;
use crate::stream::lane::{Lane, launch};
use crate::stream::memory::Buffer;
use crate::stream::plain::plain;
use crate::tensor::Tensor;
use crate::{Card, CudaError};
use gradus_kernels::dropout::Dropout;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// What products are made in, and activations kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// f32 throughout: the reference.
    F32,
    /// Products, weights and activations in bf16; sums, norms, softmax, master weights and moments in f32.
    Bf16,
}

/// A card of NVIDIA's as a [`Backend`](gradus_kernels::Backend). A clone works on the same lane.
#[derive(Clone)]
pub struct Cuda {
    pub(crate) shared: Arc<Shared>,
    pub(crate) lane: Arc<Lane>,
}

/// So many positions' cosines and sines.
pub(crate) type Turns = (usize, Arc<Buffer>);

/// What the lanes of a backend share.
pub(crate) struct Shared {
    pub context: Arc<Context>,
    pub precision: Precision,
    /// Values of the host become bf16 on the card: tests reach all kernels so.
    pub uploads_half: bool,
    pub blas: Option<Arc<Blas>>,
    /// Why there is none.
    pub without: Option<String>,
    /// Lanes that nobody works on.
    pub lanes: Mutex<Vec<Arc<Lane>>>,
    /// Cosines and sines by a base's bits and pairs of a head, of so many positions.
    pub turns: Mutex<HashMap<(u32, usize), Turns>>,
    /// Blocks over ranges of parameters.
    pub steps: Mutex<Vec<Ranges>>,
}

/// Blocks of a kernel over ranges of an arena, as the card knows them.
#[derive(Clone)]
pub(crate) struct Ranges {
    pub ranges: Vec<std::ops::Range<usize>>,
    pub block: usize,
    /// Which range a block belongs to, and each range's first block.
    pub of: Arc<Buffer>,
    pub begins: Arc<Buffer>,
    pub blocks: usize,
}

plain! {
    /// As kernels take it.
    pub(crate) struct DropoutArgument {
        key: u64,
        site: u32,
        threshold: u32,
        scale: f32,
        unused: u32,
    }

    /// Streams and places of rows, as kernels take them.
    pub(crate) struct RowsArgument {
        pub streams: u64,
        pub places: u64,
    }
}

impl Cuda {
    /// The card of this number, in a precision.
    ///
    /// # Errors
    /// [`CudaError`] with what is missing.
    pub fn new(index: usize, precision: Precision) -> Result<Self, CudaError> {
        Self::with(index, precision, false)
    }

    /// The same with values of the host in bf16 on the card, for tests of the kernels on those.
    #[doc(hidden)]
    pub fn with(index: usize, precision: Precision, uploads_half: bool) -> Result<Self, CudaError> {
        let context = Arc::new(Context::new(index)?);
        let (blas, without) = match precision {
            Precision::F32 => (None, None),
            Precision::Bf16 => match Blas::open(&context) {
                Ok(blas) => (Some(Arc::new(blas)), None),
                Err(why) => (None, Some(without(why))),
            },
        };
        let lane = Lane::new(&context, blas.clone());
        Ok(Self {
            shared: Arc::new(Shared {
                context,
                precision,
                uploads_half,
                blas,
                without,
                lanes: Mutex::default(),
                turns: Mutex::default(),
                steps: Mutex::default(),
            }),
            lane,
        })
    }

    /// The card.
    pub fn card(&self) -> &Card {
        &self.shared.context.card
    }

    /// What products are made in.
    pub fn precision(&self) -> Precision {
        self.shared.precision
    }

    /// Waits until all is done that was queued.
    pub fn finish(&self) {
        self.lane.wait();
    }

    /// The values in bf16.
    pub fn to_half(&self, x: Tensor) -> Tensor {
        self.typed(x, true)
    }

    /// Bytes of the card's memory that nobody has taken.
    pub fn memory_left(&self) -> usize {
        self.shared.context.memory_left()
    }

    /// What is amiss though the card can be used, for people.
    pub fn note(&self) -> Option<&str> {
        self.shared.without.as_deref()
    }

    /// Bytes of the card's memory that this lane has taken from the driver.
    pub fn memory_held(&self) -> usize {
        self.lane.held()
    }

    /// How many times work of this lane was queued as a graph, in place of job by job.
    pub fn graphs_launched(&self) -> u64 {
        self.lane.graphs_launched()
    }

    /// The same backend on a lane of its own.
    pub(crate) fn other_lane(&self) -> Self {
        let again = lock(&self.shared.lanes).pop();
        let shared = Arc::clone(&self.shared);
        let new = || Lane::new(&shared.context, shared.blas.clone());
        let lane = again.unwrap_or_else(new);
        Self { shared, lane }
    }

    /// Gives the lane of [`Cuda::other_lane`] back.
    pub(crate) fn retire(self) {
        self.lane.wait();
        lock(&self.shared.lanes).push(self.lane);
    }

    /// A matrix of whatever its memory holds.
    pub(crate) fn fresh(&self, rows: usize, cols: usize, half: bool) -> Tensor {
        let count = rows * cols;
        let buffer = match half {
            true => self.lane.room::<u16>(count),
            false => self.lane.room::<f32>(count),
        };
        Tensor {
            buffer,
            rows,
            cols,
            half,
            sums: None,
        }
    }

    pub(crate) fn zeroed(&self, rows: usize, cols: usize, half: bool) -> Tensor {
        let tensor = self.fresh(rows, cols, half);
        self.lane.clear(tensor.address(), tensor.bytes());
        tensor
    }

    pub(crate) fn duplicate(&self, x: &Tensor) -> Tensor {
        let copy = self.fresh(x.rows, x.cols, x.half);
        self.lane.duplicate(copy.address(), x.address(), x.bytes());
        copy
    }

    /// The same values in the other type.
    fn converted(&self, x: &Tensor) -> Tensor {
        let y = self.fresh(x.rows, x.cols, !x.half);
        let (kernel, at_once) = match x.half {
            true => ((Module::Elementwise(true), "widen"), 1),
            false => ((Module::Elementwise(false), "narrow"), 4),
        };
        let blocks = x.count().div_ceil(256 * at_once);
        launch!(self.lane, kernel, [blocks, 1], 256; x.address(), y.address(), x.count() as u64);
        y
    }

    /// `x` in a type: itself, or a copy that is kept in `place`.
    pub(crate) fn as_type<'a>(
        &self,
        x: &'a Tensor,
        half: bool,
        place: &'a mut Option<Tensor>,
    ) -> &'a Tensor {
        match x.half == half {
            true => x,
            false => place.insert(self.converted(x)),
        }
    }

    /// `x` in a type.
    pub(crate) fn typed(&self, x: Tensor, half: bool) -> Tensor {
        match x.half == half {
            true => x,
            false => self.converted(&x),
        }
    }

    /// As kernels take it.
    pub(crate) fn drops(&self, dropout: Option<Dropout>) -> DropoutArgument {
        let of = |d: Dropout| DropoutArgument {
            key: self.lane.key(d.key),
            site: d.site,
            threshold: d.threshold(),
            scale: d.scale(),
            unused: 0,
        };
        let none = DropoutArgument {
            scale: 1.0,
            ..Default::default()
        };
        dropout.map_or(none, of)
    }

    /// Blocks of 256 threads, one a value.
    pub(crate) fn each(count: usize) -> [usize; 2] {
        [count.div_ceil(256), 1]
    }
}
