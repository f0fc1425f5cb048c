//! A backend of plain loops that sums in f64, on types of its own.

mod attention;
mod backend;
mod norm;
mod optimizer;
mod pointwise;
mod pooling;
mod products;

use gradus_kernels::dropout::Dropout;
use gradus_kernels::{BackendFailure, Packed, ScoredRow, View};
use std::sync::{Mutex, MutexGuard};

/// Plain loops that sum in f64. Slow, and near enough to exact to compare other
/// backends with.
///
/// It keeps a log of its operations, and can be made to fail, for tests of those
/// who call backends.
#[derive(Debug, Default)]
pub struct Plain {
    log: Mutex<Vec<&'static str>>,
    failure: Mutex<Option<BackendFailure>>,
}

impl Plain {
    /// The operations since the last call, by the names they have in
    /// [`Backend`](gradus_kernels::Backend), in order.
    pub fn take_log(&self) -> Vec<&'static str> {
        std::mem::take(&mut *lock(&self.log))
    }

    /// Fails, as a device would.
    pub fn fail(&self, operation: &'static str, message: &str) {
        let message = message.to_owned();
        *lock(&self.failure) = Some(BackendFailure { operation, message });
    }

    fn note(&self, operation: &'static str) {
        lock(&self.log).push(operation);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

/// A matrix.
#[derive(Debug, Clone)]
pub struct Matrix {
    rows: usize,
    cols: usize,
    values: Vec<f64>,
}

impl Matrix {
    fn zeros(rows: usize, cols: usize) -> Self {
        let values = vec![0.0; rows * cols];
        Self { rows, cols, values }
    }

    fn row(&self, i: usize) -> &[f64] {
        &self.values[i * self.cols..(i + 1) * self.cols]
    }

    fn row_mut(&mut self, i: usize) -> &mut [f64] {
        &mut self.values[i * self.cols..(i + 1) * self.cols]
    }

    fn map(mut self, f: impl Fn(f64) -> f64) -> Self {
        for x in &mut self.values {
            *x = f(*x);
        }
        self
    }

    /// Value by value with another of the same shape.
    fn zip(mut self, other: &Self, f: impl Fn(f64, f64) -> f64) -> Self {
        assert_eq!((self.rows, self.cols), (other.rows, other.cols), "shapes");
        for (x, y) in self.values.iter_mut().zip(&other.values) {
            *x = f(*x, *y);
        }
        self
    }
}

/// Parameters, gradients or moments.
#[derive(Debug, Clone)]
pub struct PlainArena(Vec<f32>);

impl PlainArena {
    fn view(&self, view: View) -> Vec<f64> {
        view.of(&self.0).iter().map(|&x| f64::from(x)).collect()
    }

    /// Adds to the value at a place.
    fn add(&mut self, at: usize, x: f64) {
        self.0[at] = (f64::from(self.0[at]) + x) as f32;
    }

    fn add_all(&mut self, view: View, values: &[f64]) {
        for (at, x) in view.range().zip(values) {
            self.add(at, *x);
        }
    }
}

/// A batch, as a device might keep it: for each row its sequence's stream and
/// its place there.
#[derive(Debug, Clone)]
pub struct PlainBatch {
    packed: Packed,
    places: Vec<(u64, usize)>,
}

impl PlainBatch {
    fn new(packed: Packed) -> Self {
        let bounds = packed.offsets().windows(2);
        let sequences = bounds.zip(packed.streams());
        let places = sequences
            .flat_map(|(bounds, &stream)| (0..bounds[1] - bounds[0]).map(move |i| (stream, i)))
            .collect();
        Self { packed, places }
    }

    /// What a row's values are multiplied by.
    fn mask(&self, dropout: Dropout, row: usize, cols: usize) -> Vec<f64> {
        let (stream, place) = self.places[row];
        mask(cols, dropout, dropout.row_key(stream, place))
    }
}

/// Sums in eight lanes, which the compiler keeps in vectors.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    let mut lanes = [0f64; 8];
    for (a, b) in a.iter().zip(b) {
        for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += a * b;
        }
    }
    let rest = a_rest.iter().zip(b_rest).map(|(a, b)| a * b);
    lanes.into_iter().chain(rest).sum()
}

fn mask(cols: usize, dropout: Dropout, key: u32) -> Vec<f64> {
    let mut ones = vec![1f32; cols];
    dropout.apply(&mut ones, key);
    ones.into_iter().map(f64::from).collect()
}

/// The inner values of a feed-forward part, before and behind its activation.
#[derive(Debug)]
pub struct PlainFeedForward {
    pre: Matrix,
    post: Matrix,
}

/// The logarithm of the sum of each row's exponentials, `[tokens, heads]`.
#[derive(Debug)]
pub struct PlainAttended(Matrix);

/// How rows of scores fare.
#[derive(Debug)]
pub struct PlainScored(Vec<ScoredRow>);
