//! What a model runs on: chosen here and nowhere else.

mod backend;
mod compute;
mod sides;

pub use compute::Compute;

use crate::Precision;
use gradus_cuda::{Cuda, CudaError, Machine};
use gradus_kernels::cpu::Unavailable;
use serde::{Deserialize, Serialize};

/// What a model runs on, as the user names it: `auto`, `cpu`, `cuda` or
/// `cuda:N`; in files too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Device {
    /// The fastest that this build knows and this machine has.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// A GPU of NVIDIA's.
    Cuda {
        /// Which of those there are, counted from 0.
        index: usize,
    },
}

/// Why a device cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// No device has this name.
    #[error("no such device: {0:?}; there are auto, cpu, cuda and cuda:N, with N counted from 0")]
    Name(String),
    /// A card does not compute in bytes.
    #[error("{0} does not compute in int8; give --precision bf16 or f32, or --device cpu")]
    NoInt8(Device),
    /// Something of NVIDIA's is missing, or too old.
    #[error(transparent)]
    Cuda(#[from] CudaError),
    /// The processor lacks the instructions.
    #[error(transparent)]
    Processor(#[from] Unavailable),
}

impl std::fmt::Display for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda { index } => write!(f, "cuda:{index}"),
        }
    }
}

impl From<Device> for String {
    fn from(device: Device) -> Self {
        device.to_string()
    }
}

impl TryFrom<String> for Device {
    type Error = DeviceError;

    fn try_from(name: String) -> Result<Self, DeviceError> {
        name.parse()
    }
}

impl std::str::FromStr for Device {
    type Err = DeviceError;

    fn from_str(name: &str) -> Result<Self, DeviceError> {
        let unknown = || DeviceError::Name(name.to_owned());
        match name {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda { index: 0 }),
            _ => {
                let number = name.strip_prefix("cuda:").ok_or_else(unknown)?;
                let plain = number.bytes().all(|b| b.is_ascii_digit());
                let index = number.parse().ok().filter(|_| plain);
                Ok(Self::Cuda {
                    index: index.ok_or_else(unknown)?,
                })
            }
        }
    }
}

impl Device {
    /// The device's backend in a precision, on `threads` threads of the processor
    /// (0: one per core); and why it is this device and this precision where that was
    /// left open.
    ///
    /// # Errors
    /// Where this machine does not have the device.
    pub fn backend(
        self,
        precision: Precision,
        threads: usize,
    ) -> Result<(Compute, Option<String>), DeviceError> {
        match self {
            Self::Cpu => {
                let (cpu, why) = precision.backend(threads)?;
                Ok((cpu.into(), why))
            }
            Self::Cuda { index } => Self::card(index, precision),
            Self::Auto => Self::fastest(precision, threads),
        }
    }

    /// A card, if there is one that can be used, else the processor.
    fn fastest(
        precision: Precision,
        threads: usize,
    ) -> Result<(Compute, Option<String>), DeviceError> {
        let found = match precision {
            Precision::Int8 => None,
            _ => Machine::find().ok(),
        };
        let usable = found.filter(|machine| machine.card(0).is_ok());
        match usable.map(|_| Self::card(0, precision)) {
            Some(Ok((compute, why))) => {
                let device = "cuda:0, the first card; --device cpu leaves it alone";
                let why = why.map_or(device.to_owned(), |why| format!("{device}; {why}"));
                Ok((compute, Some(why)))
            }
            Some(Err(missing)) => {
                let (compute, why) = Self::Cpu.backend(precision, threads)?;
                let device = format!("the processor, as cuda:0 cannot be used: {missing}");
                let why = why.map_or(device.clone(), |why| format!("{why}; {device}"));
                Ok((compute, Some(why)))
            }
            None => Self::Cpu.backend(precision, threads),
        }
    }

    fn card(index: usize, precision: Precision) -> Result<(Compute, Option<String>), DeviceError> {
        let (own, why) = match precision {
            Precision::F32 => (gradus_cuda::Precision::F32, None),
            Precision::Bf16 => (gradus_cuda::Precision::Bf16, None),
            Precision::Auto => (
                gradus_cuda::Precision::Bf16,
                Some("bf16, which the card multiplies fastest; --precision f32 is the reference"),
            ),
            Precision::Int8 => return Err(DeviceError::NoInt8(Self::Cuda { index })),
        };
        let card = Cuda::new(index, own)?;
        let notes: Vec<&str> = why.into_iter().chain(card.note()).collect();
        let why = (!notes.is_empty()).then(|| notes.join("; "));
        Ok((card.into(), why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written() {
        let cuda = |index| Device::Cuda { index };
        for (name, device) in [
            ("auto", Device::Auto),
            ("cpu", Device::Cpu),
            ("cuda:0", cuda(0)),
            ("cuda:17", cuda(17)),
        ] {
            assert_eq!(name.parse(), Ok(device));
            assert_eq!(device.to_string(), name);
        }
        assert_eq!("cuda".parse(), Ok(cuda(0)));
        for name in [
            "",
            "CPU",
            "gpu",
            "cuda:",
            "cuda:x",
            "cuda:-1",
            "cuda:+1",
            "cuda: 1",
            "cuda:1.0",
            "cuda:99999999999999999999",
            "cpu:0",
        ] {
            let unknown = DeviceError::Name(name.to_owned());
            assert_eq!(name.parse::<Device>(), Err(unknown));
        }
    }

    #[test]
    fn a_card_is_never_replaced_by_the_processor() {
        for device in [Device::Auto, Device::Cpu] {
            assert!(device.backend(Precision::F32, 1).is_ok());
        }
        // Whatever this machine has.
        let cuda = Device::Cuda { index: 2 };
        assert!(cuda.backend(Precision::F32, 1).is_err());
    }
}
