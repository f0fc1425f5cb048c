//! A stream of work on a card, with its memory.

use crate::blas::{Blas, Product};
use crate::context::{Context, lock};
use crate::functions::Address;
use crate::modules::Module;
use crate::stream::list::{Job, number};
use crate::stream::memory::{Buffer, Coming, Pool, Staging};
use crate::stream::plain::{Plain, bytes};
use crate::stream::queue::Queue;
use std::sync::{Arc, Mutex};

/// What is done in order: kernels and copies.
pub(crate) struct Lane {
    pub context: Arc<Context>,
    queue: Queue,
    pool: Arc<Pool>,
    staging: Arc<Staging>,
    /// What masks of dropout are drawn from, in memory, so that work that differs in nothing else is the same
    /// in every step.
    key: Mutex<Option<(u64, Buffer)>>,
}

impl Lane {
    /// A stream of its own.
    pub fn new(context: &Arc<Context>, blas: Option<Arc<Blas>>) -> Arc<Self> {
        let pool = Pool::new(Arc::clone(context));
        Arc::new(Self {
            context: Arc::clone(context),
            queue: Queue::new(context, &pool, blas),
            pool,
            staging: Arc::new(Staging::new(Arc::clone(context))),
            key: Mutex::default(),
        })
    }

    /// Memory for so many values of a type.
    pub fn room<T>(&self, count: usize) -> Buffer {
        // Memory that goes back to the driver is of use no more for what was held back.
        self.pool
            .take(count * size_of::<T>(), || self.queue.hand_over())
    }

    /// Bytes that were taken from the driver.
    pub fn held(&self) -> usize {
        self.pool.held()
    }

    /// How many times work was queued as a graph.
    pub fn graphs_launched(&self) -> u64 {
        self.queue.graphs_launched()
    }

    /// Values on the card.
    pub fn put<T: Plain>(&self, values: &[T]) -> Buffer {
        let buffer = self.room::<T>(values.len());
        self.write(buffer.address(), values);
        buffer
    }

    /// Copies values to a place on the card.
    pub fn write<T: Plain>(&self, to: Address, values: &[T]) {
        self.context.enter();
        self.staging.up(self.queue.stream(), to, bytes(values));
    }

    /// Copies values from the card, when all that was queued is done.
    pub fn read<T: Plain + Default>(&self, from: Address, count: usize) -> Vec<T> {
        self.context.enter();
        self.staging.down(self.queue.stream(), from, count)
    }

    /// Queues a copy of values from the card, to be waited for when they are wanted.
    pub fn send<T: Plain + Default>(&self, from: Address, count: usize) -> Coming<T> {
        self.context.enter();
        Coming::send(&self.staging, self.queue.stream(), from, count)
    }

    /// Sets bytes to zero.
    pub fn clear(&self, place: Address, bytes: usize) {
        self.fill(place, 0, bytes);
    }

    /// Sets bytes to a value.
    pub fn fill(&self, place: Address, value: u8, bytes: usize) {
        if bytes > 0 && place != 0 {
            let job = Job::Fill {
                place,
                value,
                bytes,
            };
            self.queue.add(job, &[]);
        }
    }

    /// Copies bytes from one place on the card to another.
    pub fn duplicate(&self, to: Address, from: Address, bytes: usize) {
        if bytes > 0 && to != 0 && from != 0 {
            self.queue.add(Job::Duplicate { to, from, bytes }, &[]);
        }
    }

    /// Waits until all is done that was queued.
    pub fn wait(&self) {
        self.queue.wait();
    }

    /// Queues a product of the library's.
    pub fn multiply(&self, product: Product) {
        self.queue.add(Job::Product(product), &[]);
    }

    /// Queues a kernel on `grid` blocks of so many threads, with the bytes of its arguments.
    pub fn launch(
        &self,
        (module, name): (Module, &'static str),
        grid: [usize; 2],
        threads: usize,
        arguments: &[&[u8]],
    ) {
        if grid.contains(&0) || self.context.has_failed() {
            return;
        }
        self.context.enter();
        let Some(kernel) = self.context.kernel(module, name) else {
            return;
        };
        let job = Job::Kernel {
            kernel: number(kernel),
            name,
            grid: grid.map(|n| u32::try_from(n).unwrap_or(u32::MAX)),
            threads: threads as u32,
        };
        self.queue.add(job, arguments);
    }

    /// Where a step's key of dropout lies.
    pub fn key(&self, key: u64) -> Address {
        let mut own = lock(&self.key);
        let (_, buffer) = match own.take_if(|own| own.0 != key) {
            // What reads the last one was queued before.
            Some((_, buffer)) => {
                self.write(buffer.address(), &[key]);
                own.insert((key, buffer))
            }
            None => own.get_or_insert_with(|| (key, self.put(&[key]))),
        };
        buffer.address()
    }
}

/// Queues a kernel: `launch!(lane, (module, "name"), [blocks, blocks], threads; arguments)`.
macro_rules! launch {
    ($lane:expr, $kernel:expr, $grid:expr, $threads:expr; $($argument:expr),* $(,)?) => {
        $lane.launch($kernel, $grid, $threads, &[$($crate::stream::plain::of(&$argument)),*])
    };
}
pub(crate) use launch;
