//! The `gradus` command from outside, on the tiny stored models.

mod bench;
mod buffer;
mod calibrate;
mod cards;
mod chat_server;
mod contrastive;
mod cross_encoders;
mod data;
mod devices;
mod difference;
mod distill;
mod encode;
mod encode_parts;
mod encodings;
mod eval;
mod failures;
mod groups;
mod index;
mod info;
mod kills;
mod learnable;
mod mine_negatives;
mod negatives;
mod old_runs;
mod outputs;
mod precision;
mod pretrain;
mod prompts;
mod pull;
mod quantize;
mod report;
mod rerank;
mod road;
mod rows;
mod score;
mod self_distill;
mod serve;
#[allow(dead_code, reason = "the library's tests use the rest")]
#[path = "../../../gradus/tests/hub/server.rs"]
mod server;
#[allow(dead_code, reason = "the library's tests use the rest")]
#[path = "../../../gradus/tests/hub/shapes.rs"]
mod shapes;
mod signals;
mod support;
mod sweep;
mod train;
mod unknown;
