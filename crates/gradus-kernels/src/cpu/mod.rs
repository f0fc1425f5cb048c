//! The backend for processors: any instruction set, any thread count; products
//! in f32 or bf16.

mod adamw;
mod aligned;
mod arena;
mod attention;
mod backend;
mod cosine;
mod cross_entropy;
mod deferred_decay;
mod distance;
mod embed;
mod feed_forward;
mod gated;
mod gather;
mod isa;
mod linear;
mod math;
mod matmul;
mod norm;
mod peak;
mod pool;
mod query_key_norm;
mod rotary;
pub mod search;
mod shares;
mod sparse_rows;
mod team;
mod tensor;
mod transpose;

pub use arena::Arena;
pub use feed_forward::FeedForwardSaved;
pub use isa::{ISA_VARIABLE, Isa, Precision, Unavailable};
pub use peak::Peak;
pub use tensor::Tensor;

use crate::Packed;
use std::ops::Range;
use std::sync::{Arc, Mutex};

/// The processor as a [`Backend`](crate::Backend).
///
/// Instruction sets are chosen at run time. Work is split over the calling thread and
/// threads of its own.
pub struct Cpu {
    isa: Isa,
    arch: pulp::Arch,
    /// How products are computed in bf16; `None` means in f32.
    half: Option<matmul::HalfKernel>,
    /// How products of an encoder's layers are computed in bytes for inference; `None`
    /// means as all others.
    bytes: Option<matmul::ByteKernel>,
    threads: Threads,
    buffers: Arc<tensor::Pool>,
    /// Memory for a factor that is laid out for one product only.
    spare: Mutex<Option<matmul::Panels>>,
    /// Memory for results in bf16.
    tiles: Arc<matmul::Spare>,
    /// Memory for rows in bytes.
    spare_bytes: Arc<matmul::SpareBytes>,
}

/// Where parallel work runs.
enum Threads {
    /// On the calling thread alone.
    One,
    /// On several.
    Team {
        team: team::Team,
        /// A backend of one thread for each of them.
        lanes: Vec<Cpu>,
    },
}

impl Cpu {
    /// The instructions that it uses: in f32 the tile registers and pair
    /// products have nothing to do.
    fn used(&self) -> Isa {
        match (self.half, self.bytes) {
            (None, None) => self.isa.min(Isa::Avx512),
            _ => self.isa,
        }
    }

    /// A backend in f32 on `threads` threads, with the best instructions there
    /// are; 0 means one thread per available core.
    pub fn new(threads: usize) -> Self {
        let isa = Isa::best();
        Self::build(threads, isa, None, None)
    }

    /// A backend of the given precision on the given instructions.
    ///
    /// # Errors
    /// Where the processor does not have them, or they do not have the
    /// precision.
    pub fn with(threads: usize, precision: Precision, isa: Isa) -> Result<Self, Unavailable> {
        let isa = isa.require()?;
        let half = match precision {
            Precision::F32 => None,
            Precision::Bf16 => match isa.half_kernel() {
                None => return Err(Unavailable::Precision { isa }),
                kernel => kernel,
            },
            Precision::Int8 => isa.half_kernel(),
        };
        let bytes = (precision == Precision::Int8).then(|| matmul::ByteKernel::best(isa));
        Ok(Self::build(threads, isa, half, bytes))
    }

    fn build(
        threads: usize,
        isa: Isa,
        half: Option<matmul::HalfKernel>,
        bytes: Option<matmul::ByteKernel>,
    ) -> Self {
        let threads = match threads {
            0 => std::thread::available_parallelism().map_or(1, |n| n.get()),
            n => n,
        };
        let threads = match threads {
            1 => Threads::One,
            // A system that will not give more threads still has this one.
            n => {
                let team = team::Team::new(n);
                let lane = |_| Self::build(1, isa, half, bytes);
                let lanes = (0..team.threads()).map(lane).collect();
                Threads::Team { team, lanes }
            }
        };
        Self {
            isa,
            arch: isa.vectors(),
            half,
            bytes,
            threads,
            buffers: Arc::default(),
            spare: Mutex::default(),
            tiles: Arc::default(),
            spare_bytes: Arc::default(),
        }
    }

    /// What products are computed in.
    pub fn precision(&self) -> Precision {
        match (self.half, self.bytes) {
            (_, Some(_)) => Precision::Int8,
            (None, None) => Precision::F32,
            (Some(_), None) => Precision::Bf16,
        }
    }

    /// The instructions in use.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    fn spare_panels(&self) -> Option<matmul::Panels> {
        self.spare.lock().unwrap_or_else(|e| e.into_inner()).take()
    }

    fn keep_panels(&self, panels: matmul::Panels) {
        *self.spare.lock().unwrap_or_else(|e| e.into_inner()) = Some(panels);
    }

    /// How many threads work is split over.
    pub fn threads(&self) -> usize {
        match &self.threads {
            Threads::One => 1,
            Threads::Team { team, .. } => team.threads(),
        }
    }

    fn uninit(&self, rows: usize, cols: usize) -> Tensor {
        Tensor::uninit(&self.buffers, rows, cols)
    }

    /// Runs `job` with every instruction the processor has. Only what is
    /// inlined into it is compiled so: mark the closure, and what it calls,
    /// `#[inline(always)]`.
    #[inline(always)]
    fn simd<R>(&self, job: impl FnOnce() -> R) -> R {
        self.arch.dispatch(job)
    }

    /// As [`Cpu::simd`] where there is a bf16 kernel, all of which come with
    /// AVX-512: nothing is compiled for less.
    #[inline(always)]
    fn simd_half<R>(&self, job: impl FnOnce() -> R) -> R {
        #[cfg(target_arch = "x86_64")]
        if let pulp::Arch::V4(simd) = self.arch {
            return simd.vectorize(job);
        }
        drop(job);
        unreachable!("a bf16 kernel without its vectors")
    }

    /// Calls `job` on every item, in parallel where there are threads.
    pub fn each<I: Send>(&self, items: Vec<I>, job: impl Fn(I) + Sync) {
        match &self.threads {
            Threads::One => items.into_iter().for_each(job),
            Threads::Team { .. } if items.len() < 2 => items.into_iter().for_each(job),
            Threads::Team { team, .. } => {
                let items: Vec<_> = items.into_iter().map(|i| Mutex::new(Some(i))).collect();
                team.run(items.len(), &|item, _| {
                    let item = items[item].lock().unwrap_or_else(|e| e.into_inner()).take();
                    item.into_iter().for_each(&job);
                });
            }
        }
    }

    /// Does independent jobs, as many at a time as there are threads, each with the number of the
    /// thread that does it alone; of fewer jobs each has all threads in turn, and no number. Results
    /// come in the jobs' order.
    pub fn share_out<I: Send, R: Send>(
        &self,
        jobs: Vec<I>,
        job: impl Fn(Option<usize>, I) -> R + Send + Sync,
    ) -> Vec<R> {
        let Threads::Team { team, .. } = &self.threads else {
            return jobs.into_iter().map(|own| job(None, own)).collect();
        };
        if jobs.len() < self.threads() {
            return jobs.into_iter().map(|own| job(None, own)).collect();
        }
        let jobs: Vec<_> = jobs.into_iter().map(|own| Mutex::new(Some(own))).collect();
        let results: Vec<_> = jobs.iter().map(|_| Mutex::new(None)).collect();
        team.run(jobs.len(), &|i, who| {
            let own = jobs[i].lock().unwrap_or_else(|e| e.into_inner()).take();
            let result = own.map(|own| job(Some(who), own));
            *results[i].lock().unwrap_or_else(|e| e.into_inner()) = result;
        });
        let results = results.into_iter();
        results
            .filter_map(|r| r.into_inner().unwrap_or_else(|e| e.into_inner()))
            .collect()
    }

    /// A backend of one thread, else the same.
    pub fn of_one_thread(&self) -> Self {
        Self::build(1, self.isa, self.half, self.bytes)
    }

    /// Calls `job`, which is to be marked `#[inline(always)]`, on some rows of
    /// `matrix` at a time and their numbers, with every instruction the
    /// processor has. A task has at least `grain` rows if there are as many.
    fn rows_mut(
        &self,
        matrix: &mut Tensor,
        grain: usize,
        job: impl Fn(&mut [f32], Range<usize>) + Send + Sync,
    ) {
        let cols = matrix.cols();
        let ranges = self.split(matrix.rows(), grain);
        let parts = cut(matrix.values_mut(), &ranges, cols);
        self.each(parts.into_iter().zip(ranges).collect(), |(rows, range)| {
            self.simd(
                #[inline(always)]
                || job(rows, range),
            );
        });
    }

    /// Cuts `0..rows` into parts for the threads, each of at least `grain` rows.
    pub fn split(&self, rows: usize, grain: usize) -> Vec<Range<usize>> {
        shares::shares(rows, grain, self.threads())
    }

    /// Columns per task where each column is summed down the rows: as wide as
    /// may be, so that rows are read along. The sums do not depend on it.
    fn column_strip(&self, cols: usize) -> usize {
        cols.div_ceil(self.threads()).next_multiple_of(16).max(16)
    }

    /// Like [`Cpu::split`] over sequences, by their tokens.
    fn split_sequences(&self, batch: &Packed, grain: usize) -> Vec<Range<usize>> {
        let offsets = batch.offsets();
        let mut start = 0;
        let mut ranges = Vec::new();
        for tokens in self.split(batch.tokens(), grain) {
            let end = offsets
                .partition_point(|&o| o < tokens.end)
                .min(batch.sequences());
            if end > start {
                ranges.push(start..end);
                start = end;
            }
        }
        ranges
    }
}

/// Cuts `values` at the bounds of consecutive `ranges` of rows of `width`.
fn cut<'a, T>(mut values: &'a mut [T], ranges: &[Range<usize>], width: usize) -> Vec<&'a mut [T]> {
    ranges
        .iter()
        .map(|range| {
            let (part, rest) = std::mem::take(&mut values).split_at_mut(range.len() * width);
            values = rest;
            part
        })
        .collect()
}

/// Rows a thread should have at least before a pointwise operation is split.
const ROW_GRAIN: usize = 32;
