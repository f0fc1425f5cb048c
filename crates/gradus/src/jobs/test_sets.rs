//! The public test sets that models are compared on.

use super::Environment;
use crate::data::{Known, TextVariant};
use crate::eval::Suite;
use crate::util::Observer;

/// Which of the seven STS tasks models are scored on that something else chose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum TestSets {
    /// All, where they are at hand.
    #[default]
    All,
    /// These; the average is over them.
    Only(Vec<Known>),
    /// None.
    None,
}

impl TestSets {
    /// The tasks in their original text. Where they are not at hand a note says so
    /// and there is none.
    pub(super) fn at_hand(
        &self,
        environment: &Environment,
        observer: &mut dyn Observer,
    ) -> Option<Suite> {
        let tasks = match self {
            Self::All => &Known::SUITE[..],
            Self::Only(tasks) => tasks,
            Self::None => return None,
        };
        match Suite::load_some(&environment.data, TextVariant::Original, tasks) {
            Ok(suite) => Some(suite),
            Err(error) => {
                observer.note(&format!(
                    "no test scores ({error}); `gradus pull sts` fetches the test sets, --no-tests does without"
                ));
                None
            }
        }
    }
}
