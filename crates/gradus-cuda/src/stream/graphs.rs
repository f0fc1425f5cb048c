//! Work that comes again and again, as graphs of the driver's, which it queues at once.
//!
//! A list is queued job by job when it first comes, made a graph when it comes a second time, and
//! queued as that graph from then on. Nothing is assumed: a graph stands for the list that it was
//! made of, address by address and number by number.

use crate::context::{Context, Shared};
use crate::stream::list::List;
use std::collections::VecDeque;
use std::ptr;
use std::sync::Arc;

/// Graphs that are kept: those of a training step in a dozen sizes.
const MOST: usize = 64;
/// Lists that are remembered until they come again.
const REMEMBERED: usize = 256;
/// Jobs that a graph saves time with.
const LEAST: usize = 8;

/// A list's graph.
struct Graph {
    list: List,
    ready: Shared,
    /// When it was last of use.
    used: u64,
}

/// The graphs of a lane.
pub(crate) struct Graphs {
    context: Arc<Context>,
    all: Vec<Graph>,
    seen: VecDeque<u64>,
    launches: u64,
    /// Whether there are to be any.
    pub wanted: bool,
}

impl Graphs {
    pub fn new(context: &Arc<Context>, wanted: bool) -> Self {
        Self {
            context: Arc::clone(context),
            all: vec![],
            seen: VecDeque::new(),
            launches: 0,
            wanted,
        }
    }

    /// How many times work was queued as a graph.
    pub fn launches(&self) -> u64 {
        self.launches
    }

    /// Leaves those of `candidates` that go on as `list` does in its last job; with its first one,
    /// looks at all. Whether one of them ends here, while none goes on.
    pub fn follow(&self, candidates: &mut Vec<usize>, list: &List) -> Option<usize> {
        let at = list.len() - 1;
        if at == 0 {
            candidates.clear();
            candidates.extend(0..self.all.len());
        }
        candidates.retain(|&graph| list.agrees(&self.all[graph].list, at));
        let ended = self.ended(candidates, list)?;
        (candidates.len() == 1).then_some(ended)
    }

    /// The one that is `list`.
    pub fn ended(&self, candidates: &[usize], list: &List) -> Option<usize> {
        let ended = |&graph: &usize| self.all[graph].list.len() == list.len();
        candidates.iter().copied().find(ended)
    }

    /// Queues a graph.
    #[allow(unsafe_code, reason = "a foreign function")]
    pub fn launch(&mut self, graph: usize, stream: Shared) {
        self.launches += 1;
        let own = &mut self.all[graph];
        own.used = self.launches;
        // SAFETY: the graph was made in this context; what it reads and writes is what the same jobs
        // would, queued now, as each has the same arguments.
        let status = unsafe { (self.context.functions.launch_graph)(own.ready.0, stream.0) };
        self.context.went_well("queueing a graph", status);
    }

    /// Hears of a list that was queued job by job. One that was seen before becomes a graph;
    /// `queue` queues its jobs once more, to be recorded, and says whether that went well.
    pub fn remember(&mut self, list: &List, stream: Shared, queue: impl FnOnce() -> bool) {
        if !self.wanted || list.len() < LEAST {
            return;
        }
        let fingerprint = list.fingerprint();
        let Some(at) = self.seen.iter().position(|&own| own == fingerprint) else {
            if self.seen.len() == REMEMBERED {
                self.seen.pop_front();
            }
            return self.seen.push_back(fingerprint);
        };
        self.seen.remove(at);
        // A driver that cannot record goes on without graphs.
        let Some(ready) = self.recorded(stream, queue) else {
            self.wanted = false;
            return;
        };
        if self.all.len() == MOST {
            let oldest = (0..MOST).min_by_key(|&graph| self.all[graph].used);
            let old = self.all.swap_remove(oldest.unwrap_or(0));
            self.forget(&old);
        }
        self.all.push(Graph {
            list: list.clone(),
            ready,
            used: self.launches,
        });
    }

    /// What `queue` queues, as a graph; nothing of it is done.
    #[allow(unsafe_code, reason = "foreign functions")]
    fn recorded(&self, stream: Shared, queue: impl FnOnce() -> bool) -> Option<Shared> {
        /// Other threads may do what they like meanwhile.
        const RELAXED: u32 = 2;
        let functions = &self.context.functions;
        let (mut graph, mut ready) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: the stream is alive, and the lane's queue is locked, so that nobody else queues on it;
        // the driver writes handles. The graph itself is not needed once there is one to be queued.
        unsafe {
            if (functions.begin_recording)(stream.0, RELAXED) != 0 {
                return None;
            }
            let queued = queue();
            if (functions.end_recording)(stream.0, &mut graph) != 0 || graph.is_null() {
                return None;
            }
            let made = queued && (functions.make_ready)(&mut ready, graph, 0) == 0;
            (functions.forget_graph)(graph);
            made.then_some(Shared(ready))
        }
    }

    #[allow(unsafe_code, reason = "a foreign function")]
    fn forget(&self, graph: &Graph) {
        // SAFETY: nobody else has it; the driver lets one that is under way end.
        unsafe { (self.context.functions.forget_ready)(graph.ready.0) };
    }
}

impl Drop for Graphs {
    fn drop(&mut self) {
        self.context.enter();
        self.all.iter().for_each(|graph| self.forget(graph));
    }
}
