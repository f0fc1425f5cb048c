//! What is measured: each kernel at a shape, with the work that it has to do.

mod memory;
mod products;

use crate::shapes::Shape;
use gradus_kernels::cpu::Cpu;

/// What a kernel would be limited by on a perfect machine.
#[derive(Clone, Copy)]
pub enum Bound {
    /// Multiplications and additions in the backend's precision.
    Products,
    /// Those in f32, whatever the precision of products.
    F32,
    /// Reading from memory.
    Read,
    /// Reading from and writing to memory.
    Update,
}

/// A call to measure.
pub type Run<'a> = Box<dyn FnMut() + 'a>;

pub struct Case {
    pub kernel: &'static str,
    pub shape: String,
    pub bound: Bound,
    /// Operations, or bytes if each value is moved once.
    pub work: f64,
    /// Knows no precision.
    pub f32_only: bool,
    pub make: Box<dyn for<'a> Fn(&'a Cpu) -> Run<'a>>,
}

impl Case {
    pub fn all(shape: &Shape) -> Vec<Self> {
        let mut cases = products::all(shape);
        cases.extend(memory::all(shape));
        cases
    }

    fn new(
        kernel: &'static str,
        shape: String,
        bound: Bound,
        work: usize,
        make: impl for<'a> Fn(&'a Cpu) -> Run<'a> + 'static,
    ) -> Self {
        Self {
            kernel,
            shape,
            bound,
            work: work as f64,
            f32_only: false,
            make: Box::new(make),
        }
    }
}
