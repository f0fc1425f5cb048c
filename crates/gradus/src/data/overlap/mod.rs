//! Which pairs and sentences of one set are those of another.
//!
//! STS-B was made from the STS tasks of 2012 to 2017: whoever trains on its
//! training split has seen a third of the STS12-16 *test* pairs. How many
//! depends on what counts as the same pair. Of the 5,749 training pairs,
//! 4,446 have the very bytes of a test pair, 4,757 the text without blanks at
//! its ends ([`Matching::Exact`]), and 4,759 the words
//! ([`Matching::Normalised`]); of dev 1,131 and of test 1,007 by either.
//!
//! [`PairIndex`] filters training data. [`HeldOut`] holds the test sets of a
//! report: it finds the pairs and sentences that a training row shares with
//! them, also those that are only [near](Likeness::Near); a [`Tally`] counts
//! the rows and gives a [`Finding`].

mod clean;
mod finding;
mod held_out;
mod matching;
mod near;
mod pair_index;
mod set;
mod tally;

pub use clean::clean;
pub use finding::{Count, Example, Finding, SetFinding, Shared};
pub use held_out::{HeldOut, Hit, Hits, Likeness};
pub use matching::Matching;
pub use near::NearIndex;
pub use pair_index::PairIndex;
pub use set::{RowWatch, TestSet, TrainSet, parse_test, parse_train};
pub use tally::Tally;
