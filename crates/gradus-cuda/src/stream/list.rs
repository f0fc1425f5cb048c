//! Work in the order in which a card gets it, as data: to be compared, queued, and queued again.

use crate::blas::Product;
use crate::functions::{Address, Handle};
use std::ffi::c_void;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::ptr;

/// Arguments that a kernel may have.
pub(crate) const ARGUMENTS: usize = 16;

/// A piece of work, but for a kernel's arguments.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Job {
    /// A kernel on blocks of so many threads.
    Kernel {
        /// The driver's handle.
        kernel: usize,
        name: &'static str,
        grid: [u32; 2],
        threads: u32,
    },
    /// A product of the library's.
    Product(Product),
    /// Bytes of one value.
    Fill {
        place: Address,
        value: u8,
        bytes: usize,
    },
    /// A copy within the card.
    Duplicate {
        to: Address,
        from: Address,
        bytes: usize,
    },
}

/// Jobs with their arguments.
#[derive(Clone, Default)]
pub(crate) struct List {
    jobs: Vec<Job>,
    /// Where each job's arguments begin: in `places`, and in `words`.
    bounds: Vec<[usize; 2]>,
    /// Where each argument begins, in words.
    places: Vec<usize>,
    /// The arguments, each filled up with zeros to whole words.
    words: Vec<u64>,
}

impl List {
    pub fn len(&self) -> usize {
        self.jobs.len()
    }

    pub fn clear(&mut self) {
        self.jobs.clear();
        self.bounds.clear();
        self.places.clear();
        self.words.clear();
    }

    /// Adds a job with its arguments' bytes.
    pub fn push(&mut self, job: Job, arguments: &[&[u8]]) {
        assert!(arguments.len() <= ARGUMENTS, "arguments of a kernel");
        self.jobs.push(job);
        self.bounds.push([self.places.len(), self.words.len()]);
        for argument in arguments {
            self.places.push(self.words.len());
            let words = argument.chunks(8).map(|part| {
                let mut word = [0; 8];
                word[..part.len()].copy_from_slice(part);
                u64::from_ne_bytes(word)
            });
            self.words.extend(words);
        }
    }

    fn range(&self, at: usize, which: usize, end: usize) -> Range<usize> {
        let next = self.bounds.get(at + 1);
        self.bounds[at][which]..next.map_or(end, |bounds| bounds[which])
    }

    fn own_words(&self, at: usize) -> &[u64] {
        &self.words[self.range(at, 1, self.words.len())]
    }

    /// A job, and where its arguments lie, as the driver takes them.
    pub fn get(&self, at: usize) -> (Job, [*mut c_void; ARGUMENTS]) {
        let mut all = [ptr::null_mut(); ARGUMENTS];
        let places = &self.places[self.range(at, 0, self.places.len())];
        for (own, &place) in all.iter_mut().zip(places) {
            *own = self.words[place..].as_ptr().cast_mut().cast();
        }
        (self.jobs[at], all)
    }

    /// Whether both have the same job at a place, with the same arguments.
    pub fn agrees(&self, other: &Self, at: usize) -> bool {
        at < other.len()
            && self.jobs[at] == other.jobs[at]
            && self.own_words(at) == other.own_words(at)
    }

    /// A number that lists of the same jobs share, and hardly any others.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = std::hash::DefaultHasher::new();
        self.jobs.hash(&mut hasher);
        self.words.hash(&mut hasher);
        hasher.finish()
    }
}

/// A handle as a number.
pub(crate) fn number(handle: Handle) -> usize {
    handle as usize
}

#[cfg(test)]
mod tests {
    use super::{Job, List};
    use std::ffi::c_void;
    use std::ptr;

    fn fill(place: u64) -> Job {
        Job::Fill {
            place,
            value: 0,
            bytes: 8,
        }
    }

    #[test]
    fn lists_agree_where_jobs_and_arguments_do() {
        let (mut a, mut b) = (List::default(), List::default());
        for list in [&mut a, &mut b] {
            list.push(fill(1), &[]);
            list.push(fill(2), &[&[1, 2, 3], &[0; 12]]);
        }
        assert!((0..2).all(|at| a.agrees(&b, at)));
        assert_eq!(a.fingerprint(), b.fingerprint());
        a.push(fill(3), &[&[7]]);
        assert!(!a.agrees(&b, 2));
        b.push(fill(3), &[&[8]]);
        assert!(!a.agrees(&b, 2));
        assert_ne!(a.fingerprint(), b.fingerprint());
    }

    #[test]
    fn arguments_lie_where_the_driver_looks() {
        let mut list = List::default();
        list.push(fill(1), &[&5u32.to_ne_bytes()]);
        let pair: Vec<u8> = [7u64, 9].iter().flat_map(|x| x.to_ne_bytes()).collect();
        list.push(fill(2), &[&pair, &3u32.to_ne_bytes()]);
        let values = |at| {
            let (job, places) = list.get(at);
            let there = places.into_iter().take_while(|place| !place.is_null());
            let word = |place: *mut c_void| {
                let is = |word: &&u64| ptr::eq(*word, place.cast());
                *list.words.iter().find(is).unwrap()
            };
            (job, there.map(word).collect::<Vec<u64>>())
        };
        assert!(values(0) == (fill(1), vec![5]));
        assert!(values(1) == (fill(2), vec![7, 3]));
    }
}
