//! Threads for work of microseconds: between two jobs they wait busily for a moment, as
//! waking a thread takes longer than many operations do.

#![allow(unsafe_code)]

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;

/// Looks for work, a pause of some 50 ns after each, before a thread sleeps: about 0.1
/// ms, more than lies between two operations of a pass.
const LOOKS: u32 = 2_000;

/// Some threads that work for whoever calls them.
pub(super) struct Team {
    shared: Arc<Shared>,
    members: Vec<JoinHandle<()>>,
    /// One caller at a time has the members.
    turn: Mutex<()>,
}

/// Calls the job behind the pointer with an item's number and the thread's.
type Call = unsafe fn(*const (), usize, usize);

struct Shared {
    /// The job's number in the upper half; in the lower the next item that nobody has,
    /// or [`CLOSED`].
    state: AtomicU64,
    /// Of the job that `state` is about. Who reads them while a new job is written takes
    /// no item: `state` is another by then.
    count: AtomicUsize,
    job: AtomicPtr<()>,
    call: AtomicPtr<()>,
    /// Items that are done.
    done: AtomicUsize,
    sleeping: AtomicUsize,
    stop: AtomicBool,
    sleep: Mutex<()>,
    wake: Condvar,
    /// What a job's item panicked with.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// An item's number that no job has.
const CLOSED: u64 = u32::MAX as u64;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

impl Team {
    /// A team of the caller and as many others as the system gives, at most `threads`
    /// in all.
    pub fn new(threads: usize) -> Self {
        let shared = Arc::new(Shared {
            state: AtomicU64::new(CLOSED),
            count: AtomicUsize::new(0),
            job: AtomicPtr::default(),
            call: AtomicPtr::default(),
            done: AtomicUsize::new(0),
            sleeping: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            sleep: Mutex::default(),
            wake: Condvar::new(),
            panic: Mutex::default(),
        });
        let member = |who: usize| {
            let shared = Arc::clone(&shared);
            let named = std::thread::Builder::new().name(format!("gradus-cpu-{who}"));
            named.spawn(move || shared.work(who))
        };
        let members = (1..threads).map_while(|who| member(who).ok()).collect();
        Self {
            shared,
            members,
            turn: Mutex::default(),
        }
    }

    /// The caller and the others.
    pub fn threads(&self) -> usize {
        self.members.len() + 1
    }

    /// Calls `job(item, thread)` for every item below `count`, the caller being thread 0.
    /// Where another caller has the others, this one does it all.
    ///
    /// # Panics
    /// Where the job does, when all items are done.
    pub fn run<F: Fn(usize, usize) + Sync>(&self, count: usize, job: &F) {
        let free = match count {
            0 | 1 => None,
            // A panic under it left nothing half done.
            _ => match self.turn.try_lock() {
                Ok(turn) => Some(turn),
                Err(std::sync::TryLockError::Poisoned(turn)) => Some(turn.into_inner()),
                Err(std::sync::TryLockError::WouldBlock) => None,
            },
        };
        if free.is_none() || self.members.is_empty() || count as u64 >= CLOSED {
            return (0..count).for_each(|item| job(item, 0));
        }
        self.shared.publish(count, job);
        self.shared.take_items(0);
        self.shared.finish(count);
        let panic = lock(&self.shared.panic).take();
        drop(free);
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }
}

/// # Safety
/// `job` points to an `F`.
unsafe fn call<F: Fn(usize, usize)>(job: *const (), item: usize, who: usize) {
    // SAFETY: by this function's contract.
    let job = unsafe { &*job.cast::<F>() };
    job(item, who);
}

impl Shared {
    /// Offers a job. Nobody works on the one before, and its state is closed.
    fn publish<F: Fn(usize, usize) + Sync>(&self, count: usize, job: &F) {
        let call: Call = call::<F>;
        self.count.store(count, Ordering::Relaxed);
        self.job
            .store(std::ptr::from_ref(job).cast_mut().cast(), Ordering::Relaxed);
        self.call.store(call as *mut (), Ordering::Relaxed);
        self.done.store(0, Ordering::Relaxed);
        let number = (self.state.load(Ordering::Relaxed) >> 32).wrapping_add(1);
        // Who sees this sees all that was written before. In one order with `sleeping`:
        // a thread that goes to sleep sees the job, or is seen sleeping here.
        self.state.store(number << 32, Ordering::SeqCst);
        if self.sleeping.load(Ordering::SeqCst) > 0 {
            let _sleep = lock(&self.sleep);
            self.wake.notify_all();
        }
    }

    /// Does items of the job at hand, until nobody has to begin one.
    fn take_items(&self, who: usize) {
        let mut state = self.state.load(Ordering::Acquire);
        loop {
            let item = (state & CLOSED) as usize;
            let (count, job) = (
                self.count.load(Ordering::Relaxed),
                self.job.load(Ordering::Relaxed),
            );
            let call = self.call.load(Ordering::Relaxed);
            if item >= count || state & CLOSED == CLOSED {
                return;
            }
            let next = state + 1;
            match self
                .state
                .compare_exchange_weak(state, next, Ordering::AcqRel, Ordering::Acquire)
            {
                Err(other) => state = other,
                Ok(_) => {
                    // SAFETY: the state was that of one job since before the three were
                    // read, and while a job is written no state offers an item, so they
                    // are that job's: `call` was made of a `Call` for the type that `job`
                    // points to. It lives until all items are done, and this is not.
                    let work = || unsafe {
                        let call = std::mem::transmute::<*mut (), Call>(call);
                        call(job, item, who);
                    };
                    if let Err(panic) = catch_unwind(AssertUnwindSafe(work)) {
                        lock(&self.panic).get_or_insert(panic);
                    }
                    self.done.fetch_add(1, Ordering::Release);
                    state = self.state.load(Ordering::Acquire);
                }
            }
        }
    }

    /// Waits until all items are done, and closes the job.
    fn finish(&self, count: usize) {
        let mut looks = 0u32;
        while self.done.load(Ordering::Acquire) < count {
            looks += 1;
            match looks < LOOKS {
                true => std::hint::spin_loop(),
                // Somebody else may need this core to get on.
                false => std::thread::yield_now(),
            }
        }
        self.state.fetch_or(CLOSED, Ordering::AcqRel);
    }

    /// What a thread of the team does.
    fn work(&self, who: usize) {
        let mut looks = 0u32;
        loop {
            if self.stop.load(Ordering::Acquire) {
                return;
            }
            if self.offers() {
                self.take_items(who);
                looks = 0;
            } else if looks < LOOKS {
                looks += 1;
                std::hint::spin_loop();
            } else {
                self.doze();
                looks = 0;
            }
        }
    }

    /// Whether there is an item that nobody has.
    fn offers(&self) -> bool {
        let item = self.state.load(Ordering::SeqCst) & CLOSED;
        item != CLOSED && item < self.count.load(Ordering::Relaxed) as u64
    }

    /// Sleeps until there is work.
    fn doze(&self) {
        let mut sleep = lock(&self.sleep);
        self.sleeping.fetch_add(1, Ordering::SeqCst);
        while !self.offers() && !self.stop.load(Ordering::SeqCst) {
            sleep = self.wake.wait(sleep).unwrap_or_else(|e| e.into_inner());
        }
        self.sleeping.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        {
            let _sleep = lock(&self.shared.sleep);
            self.shared.wake.notify_all();
        }
        for member in self.members.drain(..) {
            // It catches what jobs panic with.
            let _ = member.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::time::Duration;

    #[test]
    fn every_item_is_done_once() {
        for threads in [1, 2, 3, 5] {
            let team = Team::new(threads);
            assert_eq!(team.threads(), threads);
            for round in 0..3_000usize {
                let count = round % 7;
                let done: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
                team.run(count, &|item, who| {
                    assert!(who < threads);
                    done[item].fetch_add(1, Ordering::Relaxed);
                });
                assert!(done.iter().all(|d| d.load(Ordering::Relaxed) == 1));
                if round % 1_000 == 999 {
                    // They fall asleep, and wake.
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
        }
    }

    #[test]
    fn all_threads_work_where_there_is_enough() {
        let team = Team::new(3);
        let seen = Mutex::new(BTreeSet::new());
        team.run(60, &|_, who| {
            lock(&seen).insert(who);
            std::thread::sleep(Duration::from_millis(2));
        });
        assert_eq!(lock(&seen).len(), 3);
    }

    #[test]
    fn several_callers_and_jobs_within_jobs_come_to_an_end() {
        let team = Team::new(3);
        let sum = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        team.run(4, &|_, _| {
                            team.run(3, &|item, _| {
                                sum.fetch_add(item, Ordering::Relaxed);
                            });
                        });
                    }
                });
            }
        });
        assert_eq!(sum.into_inner(), 4 * 500 * 4 * 3);
    }

    #[test]
    fn a_panic_comes_to_the_caller_and_the_team_goes_on() {
        let team = Team::new(3);
        for bad in 0..6 {
            let done = AtomicUsize::new(0);
            let run = || {
                team.run(6, &|item, _| {
                    assert!(item != bad, "item {bad}");
                    done.fetch_add(1, Ordering::Relaxed);
                });
            };
            let panic = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
            assert_eq!(*panic.downcast::<String>().unwrap(), format!("item {bad}"));
            assert_eq!(done.into_inner(), 5);
        }
        team.run(6, &|_, _| {});
    }
}
