use gradus_kernels::{AdamWArenas, AdamWSegment, AdamWStep, Backend, Clip};
use serde::{Deserialize, Serialize};

/// AdamW's constants.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdamW {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
}

impl Default for AdamW {
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
        }
    }
}

/// AdamW over an encoder's arena and an objective's own parameters, with one
/// gradient norm for both.
pub struct Optimizer<B: Backend> {
    settings: AdamW,
    clip: Option<f64>,
    pub(crate) first: B::Arena,
    pub(crate) second: B::Arena,
    pub(crate) head_first: Vec<f32>,
    pub(crate) head_second: Vec<f32>,
    pub(crate) steps: u64,
    /// The head's arithmetic is the backend's own, on this one.
    host: gradus_kernels::cpu::Cpu,
}

/// What a step changes, and by which gradients.
pub struct Updated<'a, B: Backend> {
    /// The encoder's parameters.
    pub params: &'a mut B::Arena,
    /// Their gradients.
    pub grads: &'a B::Arena,
    /// The head's parameters.
    pub head: &'a mut Vec<f32>,
    /// Their gradients.
    pub head_grads: &'a [f32],
}

/// One step's rates.
pub struct Rates<'a> {
    /// The encoder's segments; empty leaves it alone.
    pub encoder: &'a [AdamWSegment],
    /// The head's segments.
    pub head: &'a [AdamWSegment],
}

impl<B: Backend> Optimizer<B> {
    /// Fresh moments for `parameters` and `head` values. `clip` bounds the norm
    /// of all gradients together.
    pub fn new(
        backend: &B,
        settings: AdamW,
        clip: Option<f64>,
        parameters: usize,
        head: usize,
    ) -> Self {
        Self {
            settings,
            clip,
            first: backend.arena(vec![0.0; parameters]),
            second: backend.arena(vec![0.0; parameters]),
            head_first: vec![0.0; head],
            head_second: vec![0.0; head],
            steps: 0,
            host: gradus_kernels::cpu::Cpu::new(1),
        }
    }

    /// The norm of the gradients that the segments cover, on the device.
    pub fn gradient_norm(
        &self,
        backend: &B,
        grads: &B::Arena,
        head_grads: &[f32],
        rates: &Rates<'_>,
    ) -> B::GradientNorm {
        let ranges: Vec<_> = rates.encoder.iter().map(|s| s.range.clone()).collect();
        let head: f64 = head_grads
            .iter()
            .map(|&g| f64::from(g) * f64::from(g))
            .sum();
        backend.gradient_norm(grads, &ranges, head)
    }

    /// Clips as PyTorch's `clip_grad_norm_` does and updates both sets of
    /// parameters; leaves them alone where the norm is no finite number. The
    /// host waits for the norm where there is a head, whose parameters it holds.
    pub fn step(
        &mut self,
        backend: &B,
        updated: Updated<'_, B>,
        rates: &Rates<'_>,
        norm: &B::GradientNorm,
    ) {
        let Updated {
            params,
            grads,
            head,
            head_grads,
        } = updated;
        self.steps += 1;
        let step = AdamWStep {
            beta1: self.settings.beta1,
            beta2: self.settings.beta2,
            eps: self.settings.eps,
            step: self.steps,
        };
        let (first, second, most) = (&mut self.first, &mut self.second, self.clip);
        let arenas = AdamWArenas {
            params,
            grads,
            first,
            second,
        };
        backend.adamw(arenas, rates.encoder, &step, Clip { norm, most });
        if head.is_empty() {
            return;
        }
        let (host, norm) = (&self.host, &backend.norm(norm));
        let grads = &host.arena(head_grads.to_vec());
        let mut values = host.arena(std::mem::take(head));
        let mut first = host.arena(std::mem::take(&mut self.head_first));
        let mut second = host.arena(std::mem::take(&mut self.head_second));
        let arenas = AdamWArenas {
            params: &mut values,
            grads,
            first: &mut first,
            second: &mut second,
        };
        host.adamw(arenas, rates.head, &step, Clip { norm, most });
        *head = values.values().to_vec();
        self.head_first = first.values().to_vec();
        self.head_second = second.values().to_vec();
    }
}
