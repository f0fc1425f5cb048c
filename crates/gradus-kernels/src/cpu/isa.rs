//! Which instructions and which precision a backend computes with.

use super::matmul::HalfKernel;

/// A set of instructions that kernels are written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isa {
    /// What every processor of the architecture has.
    Portable,
    /// 128-bit vectors of ARM.
    Neon,
    /// 256-bit vectors of x86-64, with fused multiply-add.
    Avx2,
    /// 512-bit vectors.
    Avx512,
    /// 512-bit vectors with dot products of bf16 pairs.
    Avx512Bf16,
    /// The above with tile registers for bf16.
    Amx,
}

/// The environment variable that forces an instruction set.
pub const ISA_VARIABLE: &str = "GRADUS_ISA";

/// What numbers are multiplied in. Sums, stored activations and master weights
/// are f32 in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// Single precision: the reference.
    F32,
    /// bfloat16, where the processor has instructions for it.
    Bf16,
    /// Inference with the encoder's weights and what they meet in bytes
    /// ([`crate::int8`]), all else in bf16 where the processor has that, else in
    /// f32. Training is what it is in those.
    Int8,
}

impl std::fmt::Display for Precision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        })
    }
}

/// Why a backend cannot be had on this processor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unavailable {
    /// The instruction set asked for is missing.
    Isa {
        /// What was asked for.
        wanted: Isa,
        /// The best there is.
        best: Isa,
    },
    /// The precision needs instructions that are missing or were ruled out.
    Precision {
        /// The best, or the one forced.
        isa: Isa,
    },
    /// No instruction set has this name.
    Name(String),
}

impl std::error::Error for Unavailable {}

impl std::fmt::Display for Unavailable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Isa { wanted, best } => write!(
                f,
                "{ISA_VARIABLE}={}: this processor does not have {wanted}; the best it has is {}",
                wanted.name(),
                best.name()
            ),
            Self::Precision { isa } => write!(
                f,
                "bf16 needs AMX or AVX-512 with BF16, and this runs on {isa}; use f32"
            ),
            Self::Name(name) => {
                let names: Vec<_> = Isa::ALL.iter().map(|i| i.name()).collect();
                write!(
                    f,
                    "{ISA_VARIABLE}={name}: no such instruction set; there are {}",
                    names.join(", ")
                )
            }
        }
    }
}

impl std::fmt::Display for Isa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Portable => "portable code",
            Self::Neon => "NEON",
            Self::Avx2 => "AVX2",
            Self::Avx512 => "AVX-512",
            Self::Avx512Bf16 => "AVX-512 with BF16",
            Self::Amx => "AMX",
        })
    }
}

impl Isa {
    /// All of them, the simplest first.
    pub const ALL: [Self; 6] = [
        Self::Portable,
        Self::Neon,
        Self::Avx2,
        Self::Avx512,
        Self::Avx512Bf16,
        Self::Amx,
    ];

    /// Its name in [`ISA_VARIABLE`].
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Neon => "neon",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Avx512Bf16 => "avx512-bf16",
            Self::Amx => "amx",
        }
    }

    /// The best that this processor has.
    pub fn best() -> Self {
        let mut best = Self::Portable;
        for isa in Self::ALL {
            if isa.is_available() {
                best = isa;
            }
        }
        best
    }

    /// The one that [`ISA_VARIABLE`] names, or else the best.
    ///
    /// # Errors
    /// Where there is no such instruction set or the processor lacks it.
    pub fn from_env() -> Result<Self, Unavailable> {
        let Some(name) = std::env::var_os(ISA_VARIABLE) else {
            return Ok(Self::best());
        };
        let wanted = Self::ALL.into_iter().find(|i| name == i.name());
        let wanted = wanted.ok_or_else(|| Unavailable::Name(name.to_string_lossy().into()))?;
        wanted.require()
    }

    /// This one, if the processor has it.
    ///
    /// # Errors
    /// If not.
    pub fn require(self) -> Result<Self, Unavailable> {
        match self.is_available() {
            true => Ok(self),
            false => Err(Unavailable::Isa {
                wanted: self,
                best: Self::best(),
            }),
        }
    }

    /// Whether this processor has it.
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => pulp::x86::V3::is_available(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => pulp::x86::V4::is_available(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Bf16 => Self::Avx512.is_available() && super::matmul::dot_bf16::available(),
            #[cfg(target_arch = "x86_64")]
            Self::Amx => Self::Avx512Bf16.is_available() && super::matmul::amx::available(),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => pulp::aarch64::Neon::is_available(),
            _ => false,
        }
    }

    /// Its vectors, for pointwise work.
    pub(super) fn vectors(self) -> pulp::Arch {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => pulp::x86::V3::try_new().map_or(pulp::Arch::Scalar, pulp::Arch::V3),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 | Self::Avx512Bf16 | Self::Amx => {
                pulp::x86::V4::try_new().map_or(pulp::Arch::Scalar, pulp::Arch::V4)
            }
            #[cfg(target_arch = "aarch64")]
            Self::Neon => {
                pulp::aarch64::Neon::try_new().map_or(pulp::Arch::Scalar, pulp::Arch::Neon)
            }
            _ => pulp::Arch::Scalar,
        }
    }

    /// Its kernel for products in bf16.
    pub(super) fn half_kernel(self) -> Option<HalfKernel> {
        match self {
            Self::Amx => Some(HalfKernel::Amx),
            Self::Avx512Bf16 => Some(HalfKernel::Dot),
            _ => None,
        }
    }
}
