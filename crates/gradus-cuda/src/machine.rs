//! The cards of this machine.

use crate::driver::{Attribute, Driver};
use crate::libraries::{all, folders, named};
use crate::{CudaError, Library};
use std::path::PathBuf;

/// The oldest driver, by its version of CUDA: kernels are kept in a form of that.
const DRIVER: i32 = 12000;

/// The oldest compute capability: that of A100.
const CAPABILITY: (i32, i32) = (8, 0);

/// A card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// Its number: N of `cuda:N`.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Its memory in bytes.
    pub memory: usize,
    /// Its compute capability, major and minor.
    pub capability: (i32, i32),
    /// How many multiprocessors it has.
    pub multiprocessors: i32,
}

impl Card {
    /// Whether kernels can run on it.
    ///
    /// # Errors
    /// [`CudaError::OldCard`].
    pub fn check(&self) -> Result<(), CudaError> {
        match self.capability >= CAPABILITY {
            true => Ok(()),
            false => Err(CudaError::OldCard {
                index: self.index,
                name: self.name.clone(),
                capability: self.capability,
            }),
        }
    }
}

/// What a machine has of NVIDIA's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// The driver's version of CUDA: 12040 for 12.4.
    pub driver: i32,
    /// Where the driver's library is.
    pub path: PathBuf,
    /// The cards that the driver sees.
    pub cards: Vec<Card>,
}

impl Machine {
    /// Asks the driver. `CUDA_VISIBLE_DEVICES` counts; nothing is allocated on a card.
    ///
    /// # Errors
    /// [`CudaError`] with what is missing.
    pub fn find() -> Result<Self, CudaError> {
        let driver = Driver::open(&named())?;
        let version = driver.version()?;
        if version < DRIVER {
            return Err(CudaError::OldDriver {
                found: version,
                needed: DRIVER,
            });
        }
        let count = driver.count()?;
        if count == 0 {
            return Err(CudaError::NoCard(String::new()));
        }
        let card = |index| {
            let card = driver.card(index)?;
            Ok(Card {
                index,
                name: driver.name(card)?,
                memory: driver.memory(card)?,
                capability: (
                    driver.attribute(Attribute::Major, card)?,
                    driver.attribute(Attribute::Minor, card)?,
                ),
                multiprocessors: driver.attribute(Attribute::Multiprocessors, card)?,
            })
        };
        Ok(Self {
            driver: version,
            path: driver.path().to_path_buf(),
            cards: (0..count).map(card).collect::<Result<_, CudaError>>()?,
        })
    }

    /// The card of a number, where kernels can run on it.
    ///
    /// # Errors
    /// [`CudaError::NoSuchCard`]; [`CudaError::OldCard`].
    pub fn card(&self, index: usize) -> Result<&Card, CudaError> {
        let count = self.cards.len();
        let card = self.cards.get(index);
        let card = card.ok_or(CudaError::NoSuchCard { index, count })?;
        card.check()?;
        Ok(card)
    }

    /// NVIDIA's libraries, where they are; no driver is needed to find them.
    pub fn libraries() -> Vec<Library> {
        all(&folders())
    }
}
