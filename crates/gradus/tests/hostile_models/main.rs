//! Model folders that are damaged or made to do harm, and texts that are: an
//! error that says where and what, never a panic, an abort, or more memory
//! than the files bear out.

#[path = "../common/mod.rs"]
mod common;

mod config;
mod descriptions;
mod families;
mod folder;
mod head;
mod limits;
mod modules;
mod mutations;
mod shards;
mod tensors;
mod texts;
mod tokenizers;
mod weights;
