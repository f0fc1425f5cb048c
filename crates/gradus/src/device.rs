//! What a model runs on: chosen here and nowhere else.

use crate::Precision;
use gradus_cuda::{CudaError, Machine};
use gradus_kernels::cpu::{Cpu, Unavailable};

/// What a model runs on, as the user names it: `auto`, `cpu`, `cuda` or
/// `cuda:N`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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
    /// This build has no backend for it.
    #[error(
        "this build of gradus runs on the processor only, not on {device} ({name}); give cpu or auto"
    )]
    NotBuilt {
        /// The device.
        device: Device,
        /// What it is.
        name: String,
    },
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
    /// (0: one per core); and why it is this precision where that was left
    /// open.
    ///
    /// # Errors
    /// Where this build or this machine does not have the device.
    pub fn backend(
        self,
        precision: Precision,
        threads: usize,
    ) -> Result<(Cpu, Option<String>), DeviceError> {
        match self {
            Self::Auto | Self::Cpu => Ok(precision.backend(threads)?),
            Self::Cuda { index } => {
                let name = Machine::find()?.card(index)?.name.clone();
                Err(DeviceError::NotBuilt { device: self, name })
            }
        }
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
