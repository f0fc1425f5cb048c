//! Parameters of an objective, which works on the host.

use gradus_kernels::cpu::{Arena, Cpu};
use gradus_kernels::{AdamWArenas, AdamWSegment, AdamWStep, Backend, Clip};

/// From so many values on an update takes all threads.
const MANY: usize = 1 << 17;

/// Values on the host with their gradients and moments.
pub(super) struct HostSet {
    /// What the objective sees, the same as those of the arena.
    values: Vec<f32>,
    gradients: Vec<f32>,
    arenas: [Arena; 4],
    /// Does the arithmetic.
    cpu: Cpu,
}

impl HostSet {
    /// With gradients and moments of zero.
    pub fn new(values: Vec<f32>) -> Self {
        let cpu = Cpu::new(match values.len() < MANY {
            true => 1,
            false => rayon::current_num_threads(),
        });
        let zeros = || vec![0.0; values.len()];
        Self {
            arenas: [values.clone(), zeros(), zeros(), zeros()].map(|values| cpu.arena(values)),
            gradients: zeros(),
            values,
            cpu,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The values, and the gradients to be added to.
    pub fn both_mut(&mut self) -> (&[f32], &mut [f32]) {
        (&self.values, &mut self.gradients)
    }

    /// Other values; `false` where there are not as many.
    pub fn set_values(&mut self, values: &[f32]) -> bool {
        let fits = values.len() == self.values.len();
        if fits {
            self.values.copy_from_slice(values);
            self.cpu.write_arena(&mut self.arenas[0], 0, values);
        }
        fits
    }

    /// Values, first and second moments.
    pub fn read(&self) -> [Vec<f32>; 3] {
        let [values, _, first, second] = &self.arenas;
        [values, first, second].map(|arena| arena.values().into_owned())
    }

    /// Puts them back; `false` where there are not as many.
    pub fn write(&mut self, [values, first, second]: [Vec<f32>; 3]) -> bool {
        let fits = [&first, &second].map(Vec::len) == [self.values.len(); 2];
        if !fits || !self.set_values(&values) {
            return false;
        }
        self.cpu.write_arena(&mut self.arenas[2], 0, &first);
        self.cpu.write_arena(&mut self.arenas[3], 0, &second);
        true
    }

    pub fn clear_gradients(&mut self) {
        self.gradients.fill(0.0);
    }

    /// The sum of the gradients' squares, in parts that are added in order.
    pub fn sum_of_squares(&self) -> f64 {
        const PARTS: usize = 16;
        let mut parts = [0f64; PARTS];
        for some in self.gradients.chunks(PARTS) {
            for (part, g) in parts.iter_mut().zip(some) {
                *part += f64::from(*g) * f64::from(*g);
            }
        }
        parts.iter().sum()
    }

    /// Whether all gradients are numbers.
    pub fn is_finite(&self) -> bool {
        self.gradients.iter().all(|g| g.is_finite())
    }

    /// One step of AdamW, clipped to a norm of at most `most`.
    pub fn update(
        &mut self,
        segments: &[AdamWSegment],
        step: &AdamWStep,
        (norm, most): (f64, Option<f64>),
    ) {
        let Self {
            values,
            gradients,
            arenas: [params, grads, first, second],
            cpu,
        } = self;
        cpu.write_arena(grads, 0, gradients);
        let arenas = AdamWArenas {
            params,
            grads,
            first,
            second,
        };
        let clip = Clip { norm: &norm, most };
        cpu.adamw(arenas, segments, step, clip);
        values.copy_from_slice(&params.values());
    }
}
