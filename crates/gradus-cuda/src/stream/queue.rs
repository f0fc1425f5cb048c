//! What is queued on a stream: at once, or as one graph where it came before.

use crate::blas::{Blas, Plans, Product};
use crate::context::{Context, Shared, lock};
use crate::functions::Status;
use crate::stream::graphs::Graphs;
use crate::stream::list::{Job, List};
use crate::stream::memory::{Buffer, Pool};
use crate::stream::profile::Profile;
use std::ffi::c_void;
use std::ptr;
use std::sync::{Arc, Mutex};

/// Jobs that are remembered between two waits.
const MOST: usize = 2048;

/// A stream, and what is on the way to it.
///
/// While jobs are those that a graph begins with, they are held back; where they go on otherwise, all
/// are queued. Whoever needs the stream for anything else ([`Queue::stream`]) finds all on it.
pub(crate) struct Queue {
    context: Arc<Context>,
    stream: Shared,
    blas: Option<Arc<Blas>>,
    /// Memory for the library's sums in parts.
    workspace: Option<Buffer>,
    /// Where the time goes, if that is asked.
    profile: Option<Profile>,
    state: Mutex<State>,
}

struct State {
    /// Jobs since somebody last needed the stream; none where they are too many.
    run: List,
    few: bool,
    /// How many of them the driver has.
    queued: usize,
    /// Whether it got all of them as one graph.
    whole: bool,
    /// Graphs that begin with `run`, while the driver has nothing of it.
    candidates: Vec<usize>,
    graphs: Graphs,
    plans: Plans,
}

impl State {
    /// Begins anew.
    fn forget(&mut self) {
        self.run.clear();
        self.candidates.clear();
        (self.queued, self.whole) = (0, false);
    }
}

/// What went wrong with a job.
enum Failure {
    Driver(&'static str, Status),
    Library(Product),
}

impl Queue {
    /// On a stream of its own.
    #[allow(unsafe_code, reason = "a foreign function")]
    pub fn new(context: &Arc<Context>, pool: &Arc<Pool>, blas: Option<Arc<Blas>>) -> Self {
        context.enter();
        let mut stream = ptr::null_mut();
        /// A stream that does not wait for the one that programs share.
        const ALONE: u32 = 1;
        // SAFETY: the driver writes a handle.
        let status = unsafe { (context.functions.create_stream)(&mut stream, ALONE) };
        context.went_well("making a stream", status);
        let profile = Profile::wanted(context);
        // What is measured kernel by kernel is queued so.
        let graphs =
            profile.is_none() && std::env::var_os("GRADUS_CUDA_GRAPHS").is_none_or(|v| v != "0");
        Self {
            context: Arc::clone(context),
            stream: Shared(stream),
            workspace: blas.as_ref().map(|_| pool.take(Blas::WORKSPACE, || ())),
            blas,
            profile,
            state: Mutex::new(State {
                run: List::default(),
                few: true,
                queued: 0,
                whole: false,
                candidates: vec![],
                graphs: Graphs::new(context, graphs),
                plans: Plans::default(),
            }),
        }
    }

    /// How many times work was queued as a graph.
    pub fn graphs_launched(&self) -> u64 {
        lock(&self.state).graphs.launches()
    }

    /// Queues a job, or holds it back.
    pub fn add(&self, job: Job, arguments: &[&[u8]]) {
        if self.context.has_failed() {
            return;
        }
        self.context.enter();
        let state = &mut *lock(&self.state);
        state.run.push(job, arguments);
        if !(state.graphs.wanted && state.few) {
            self.queue_rest(state);
            return state.forget();
        }
        if state.queued == 0 {
            let State {
                graphs,
                candidates,
                run,
                ..
            } = state;
            if let Some(graph) = graphs.follow(candidates, run) {
                return self.queue_graph(state, graph);
            }
        }
        if state.candidates.is_empty() {
            self.queue_rest(state);
        }
        if state.run.len() == MOST {
            self.queue_rest(state);
            state.forget();
            state.few = false;
        }
    }

    /// The stream, with all on it.
    pub fn stream(&self) -> Shared {
        self.hand_over();
        self.stream
    }

    /// Queues what was held back.
    pub fn hand_over(&self) {
        let state = &mut *lock(&self.state);
        if state.run.len() > 0 && !self.context.has_failed() {
            self.context.enter();
            match state.graphs.ended(&state.candidates, &state.run) {
                Some(graph) => self.queue_graph(state, graph),
                None => self.queue_rest(state),
            }
            if !state.whole && !self.context.has_failed() {
                let State {
                    graphs, run, plans, ..
                } = state;
                graphs.remember(run, self.stream, || {
                    (0..run.len()).all(|at| self.queue(run, at, plans).is_ok())
                });
            }
        }
        state.forget();
        state.few = true;
    }

    fn queue_graph(&self, state: &mut State, graph: usize) {
        state.graphs.launch(graph, self.stream);
        state.candidates.clear();
        (state.queued, state.whole) = (state.run.len(), true);
    }

    /// Queues what the driver does not have.
    fn queue_rest(&self, state: &mut State) {
        let State { run, plans, .. } = state;
        for at in state.queued..run.len() {
            match self.queue(run, at, plans) {
                Ok(()) => {}
                Err(Failure::Driver(operation, status)) => {
                    self.context.went_well(operation, status);
                }
                Err(Failure::Library(product)) => {
                    let Product { kind, m, n, k, .. } = product;
                    let sizes = format!("cuBLASLt does not do {kind:?} of {m} x {n} x {k}");
                    self.context.fail("a product", sizes);
                }
            }
        }
        state.candidates.clear();
        (state.queued, state.whole) = (run.len(), false);
    }

    /// Gives a job to the driver.
    #[allow(unsafe_code, reason = "foreign functions")]
    fn queue(&self, list: &List, at: usize, plans: &mut Plans) -> Result<(), Failure> {
        let (functions, stream) = (&self.context.functions, self.stream.0);
        let (job, mut places) = list.get(at);
        let went = |operation, status| match status {
            0 => Ok(()),
            _ => Err(Failure::Driver(operation, status)),
        };
        match job {
            Job::Kernel {
                kernel,
                name,
                grid: [x, y],
                threads,
            } => {
                let kernel = kernel as *mut c_void;
                // SAFETY: callers give as many values as the kernel has parameters, each of its type,
                // and the list keeps them; addresses are of buffers of the sizes that the kernel gets.
                let queue = || unsafe {
                    let (arguments, none) = (places.as_mut_ptr(), ptr::null_mut());
                    (functions.launch)(kernel, x, y, 1, threads, 1, 1, 0, stream, arguments, none)
                };
                went(name, self.timed(|| name.to_owned(), queue))
            }
            Job::Product(product) => {
                let none = || Failure::Library(product);
                let blas = self.blas.as_ref().ok_or_else(none)?;
                let room = self.workspace.as_ref().map_or(0, Buffer::address);
                let queue = || blas.multiply(self.stream, room, plans, &product);
                self.timed(|| product.name(), queue).ok_or_else(none)
            }
            Job::Fill {
                place,
                value,
                bytes,
            } => {
                // SAFETY: the place has as many bytes.
                went("filling memory", unsafe {
                    (functions.fill)(place, value, bytes, stream)
                })
            }
            Job::Duplicate { to, from, bytes } => {
                // SAFETY: both places have as many bytes, and do not overlap.
                went("copying on the card", unsafe {
                    (functions.copy_within)(to, from, bytes, stream)
                })
            }
        }
    }

    fn timed<R>(&self, name: impl FnOnce() -> String, work: impl FnOnce() -> R) -> R {
        match &self.profile {
            Some(profile) => profile.span(self.stream.0, name(), work),
            None => work(),
        }
    }

    /// Waits until all is done.
    #[allow(unsafe_code, reason = "a foreign function")]
    pub fn wait(&self) {
        self.context.enter();
        // SAFETY: the stream is alive.
        let status = unsafe { (self.context.functions.synchronize)(self.stream().0) };
        self.context.went_well("waiting for the card", status);
    }
}

impl Drop for Queue {
    #[allow(unsafe_code, reason = "a foreign function")]
    fn drop(&mut self) {
        self.wait();
        self.profile = None;
        // SAFETY: nothing is queued, and nobody has the stream.
        unsafe { (self.context.functions.destroy_stream)(self.stream.0) };
    }
}
