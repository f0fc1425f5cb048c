//! Graded pairs: reading, known data sets, label maps, overlap.
//!
//! A [`Source`] describes where pairs come from and how to read them; it is
//! what a recipe's stages hold under `train`. [`Source::load`] turns it into
//! [`GradedPair`]s. Underneath, [`PairFile`] reads one file row by row
//! ([`DelimitedReader`] or [`JsonReader`]), [`LabelMap`] turns what stands in
//! the label column into a number, and [`PairIndex`] filters out the pairs of
//! a test set. [`Source::lists`] reads queries with several documents each,
//! [`LabelledList`]s. [`PairFile::triplets`] reads [`Triplet`]s as they are, which a
//! source takes for two pairs each. [`Known`] names the public data sets and says where a
//! [`DataRoot`] holds them.

mod catalogue;
mod columns;
mod decimal;
mod delimited;
mod error;
mod file;
mod foreign;
mod graded;
mod input;
mod json_array;
mod json_row;
mod jsonl;
mod known;
mod labels;
mod lines;
mod lists;
mod locate;
pub mod negatives;
pub mod overlap;
mod pair;
mod parquet;
mod published;
mod quoting;
mod raw_row;
mod remedy;
mod root;
mod rows;
mod source;
mod text_ids;
mod text_rows;
mod texts;
mod triplet;
mod unlabelled;

pub use self::parquet::{ParquetFile, ParquetRows};
pub use catalogue::{HubRows, HubSet, HubSplit};
pub use columns::{Column, Columns};
pub use decimal::Decimal;
pub use delimited::{DelimitedReader, Dialect, Row};
pub use error::{DataError, Place, nearest};
pub use file::{Format, PairFile};
pub use foreign::Foreign;
pub use graded::{Graded, GradedRows};
pub use input::Packing;
pub use json_row::JsonRow;
pub use jsonl::JsonReader;
pub use known::{Known, Split, TextVariant};
pub use labels::{LabelMap, Rounding};
pub use lines::{Lines, MAX_LINE};
pub use lists::{LabelledList, LabelledLists};
pub use locate::{Located, SetLayout, Subset};
pub use overlap::{Matching, PairIndex};
pub use pair::GradedPair;
pub use quoting::Quoting;
pub use raw_row::RawPair;
pub use remedy::Remedy;
pub use root::{DataRoot, RootOrigin};
pub use rows::{PairRows, Step};
pub use source::{Loaded, Source};
pub use text_ids::IdColumn;
pub use text_rows::{TextRow, TextRows};
pub use texts::TextFile;
pub use triplet::{Triplet, TripletRows};
pub use unlabelled::{RowKind, Unlabelled};
