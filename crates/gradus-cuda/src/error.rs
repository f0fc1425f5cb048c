//! Why a card cannot be used, with the remedy.

use std::path::PathBuf;

/// What is missing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CudaError {
    /// No library of the driver.
    #[error(
        "no driver of NVIDIA's: libcuda.so.1 cannot be opened ({0}); install the driver, in a container run it with the cards (docker run --gpus all), or use --device cpu"
    )]
    NoDriver(String),
    /// The driver has no such function.
    #[error("{}: has no {function}; install a driver of version 525 or later", path.display())]
    NoFunction {
        /// The library.
        path: PathBuf,
        /// The function.
        function: &'static str,
    },
    /// The driver is too old.
    #[error(
        "the driver is of CUDA {}.{}, and {}.{} is needed; install a driver of version 525 or later",
        found / 1000, found % 1000 / 10, needed / 1000, needed % 1000 / 10
    )]
    OldDriver {
        /// As CUDA numbers versions: 12040 is 12.4.
        found: i32,
        /// The oldest that will do.
        needed: i32,
    },
    /// The driver refused.
    #[error("the driver refused {call}: {message} (error {code}){hint}")]
    Refused {
        /// What was asked for.
        call: &'static str,
        /// The driver's number.
        code: i32,
        /// Its words.
        message: String,
        /// What to do, where that is known.
        hint: &'static str,
    },
    /// The driver sees no card.
    #[error("the driver sees no card{0}; `nvidia-smi` lists those that there are")]
    NoCard(String),
    /// There is no card of this number.
    #[error(
        "there is no cuda:{index}: this machine has {count} (cuda:0 to cuda:{}); `gradus info --devices` lists them",
        count - 1
    )]
    NoSuchCard {
        /// The number that was asked for.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// The card is too old.
    #[error(
        "cuda:{index} is a {name} of compute capability {}.{}; cards from 8.0 on (A100, RTX 30) are supported",
        capability.0, capability.1
    )]
    OldCard {
        /// Its number.
        index: usize,
        /// Its name.
        name: String,
        /// Major and minor.
        capability: (i32, i32),
    },
}
