//! What every part of the crate may use and that knows none of them.

pub(crate) mod atomic;
pub mod content_hash;
pub(crate) mod interned;
pub mod machine;
pub(crate) mod observer;
pub(crate) mod tensor_writer;
pub mod tensorboard;
pub(crate) mod text_table;
pub mod words;

pub use atomic::{Unfinished, remove_unfinished};
pub use observer::{Observer, Silent, Transfer, check_cancelled};
