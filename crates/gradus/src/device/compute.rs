//! The backend of a program that chooses when it runs: the processor or a card.

use crate::Device;
use gradus_cuda::Cuda;
use gradus_kernels::cpu::{Cpu, Precision};

/// What models run on, chosen at run time. [`Device::backend`](crate::Device::backend) makes one.
///
/// It is one type, so that all that is built on a backend is compiled once; the choice costs a
/// comparison an operation.
pub enum Compute {
    /// The processor; with a backend of one thread for each of its lanes.
    Cpu(Cpu, Vec<Compute>),
    /// A card.
    Cuda(Cuda),
}

impl From<Cpu> for Compute {
    fn from(cpu: Cpu) -> Self {
        let lanes = match cpu.threads() {
            1 => vec![],
            n => (0..n)
                .map(|_| Self::Cpu(cpu.of_one_thread(), vec![]))
                .collect(),
        };
        Self::Cpu(cpu, lanes)
    }
}

impl From<Cuda> for Compute {
    fn from(cuda: Cuda) -> Self {
        Self::Cuda(cuda)
    }
}

impl Compute {
    /// What products are made in.
    pub fn precision(&self) -> Precision {
        match self {
            Self::Cpu(cpu, _) => cpu.precision(),
            Self::Cuda(cuda) => match cuda.precision() {
                gradus_cuda::Precision::F32 => Precision::F32,
                gradus_cuda::Precision::Bf16 => Precision::Bf16,
            },
        }
    }

    /// The device.
    pub fn device(&self) -> Device {
        match self {
            Self::Cpu(..) => Device::Cpu,
            Self::Cuda(cuda) => Device::Cuda {
                index: cuda.card().index,
            },
        }
    }

    /// The processor's backend, where this is it.
    pub fn as_cpu(&self) -> Option<&Cpu> {
        match self {
            Self::Cpu(cpu, _) => Some(cpu),
            Self::Cuda(_) => None,
        }
    }
}
