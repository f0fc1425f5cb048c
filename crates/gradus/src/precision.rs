use gradus_kernels::cpu::{self, Cpu, Isa, Unavailable};
use serde::{Deserialize, Serialize};

/// What numbers a model is multiplied in, as asked for.
///
/// Sums, stored activations, master weights and moments are f32 in any case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// bf16 where the processor multiplies it natively, else f32.
    #[default]
    Auto,
    /// Single precision: the reference.
    F32,
    /// bfloat16; an error where the processor does not have it.
    Bf16,
    /// Inference with bytes in the encoder's layers
    /// ([`gradus_kernels::int8`]), all else as `Auto`. Training is as `Auto`.
    Int8,
}

impl Precision {
    /// A backend of this precision on `threads` threads (0: one per core), on
    /// the instructions that the environment forces or else the best; and why
    /// it is this one where the choice was left to us.
    ///
    /// # Errors
    /// Where the processor has no such instructions.
    pub fn backend(self, threads: usize) -> Result<(Cpu, Option<String>), Unavailable> {
        let isa = Isa::from_env()?;
        let (precision, why) = match self {
            Self::F32 => (cpu::Precision::F32, None),
            Self::Bf16 => (cpu::Precision::Bf16, None),
            Self::Int8 => (cpu::Precision::Int8, None),
            Self::Auto if isa >= Isa::Avx512Bf16 => (
                cpu::Precision::Bf16,
                Some(format!(
                    "bf16, as {isa} multiplies it several times faster; --precision f32 is the reference"
                )),
            ),
            Self::Auto => (
                cpu::Precision::F32,
                Some(format!("f32, as {isa} has nothing faster")),
            ),
        };
        Ok((Cpu::with(threads, precision, isa)?, why))
    }
}

impl From<cpu::Precision> for Precision {
    fn from(precision: cpu::Precision) -> Self {
        match precision {
            cpu::Precision::F32 => Self::F32,
            cpu::Precision::Bf16 => Self::Bf16,
            cpu::Precision::Int8 => Self::Int8,
        }
    }
}
