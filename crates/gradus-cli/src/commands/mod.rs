//! One file a subcommand: its arguments and its work.

pub mod bench;
pub mod calibrate;
pub mod cluster;
pub mod data;
pub mod dedupe;
pub mod distill;
pub mod encode;
pub mod eval;
pub mod index;
pub mod info;
pub mod label;
pub mod mine;
pub mod mine_negatives;
pub mod negatives;
pub mod pretrain;
pub mod pull;
pub mod quantize;
pub mod quickstart;
pub mod report;
pub mod rerank;
pub mod score;
pub mod search;
pub mod self_distill;
pub mod serve;
pub mod sweep;
pub mod train;

use crate::args::{Cli, Command};
use crate::context::Context;
use crate::exit::Failure;

/// Does what was typed.
pub fn run(cli: Cli) -> Result<(), Failure> {
    let context = Context::new(&cli.global);
    match cli.command {
        Command::Quickstart(args) => quickstart::run(args, &context),
        Command::Pretrain(args) => pretrain::run(*args, &context),
        Command::Distill(args) => distill::run(*args, &context),
        Command::SelfDistill(args) => self_distill::run(args, &context),
        Command::Train(args) => train::run(args, &context),
        Command::Sweep(args) => sweep::run(args, &context),
        Command::Eval(args) => eval::run(args, &context),
        Command::Report(args) => report::run(args, &context),
        Command::Score(args) => score::run(args, &context),
        Command::Index(args) => index::run(args, &context),
        Command::Search(args) => search::run(*args, &context),
        Command::Cluster(args) => cluster::run(*args, &context),
        Command::Dedupe(args) => dedupe::run(*args, &context),
        Command::Mine(args) => mine::run(*args, &context),
        Command::Serve(args) => serve::run(*args, &context),
        Command::Rerank(args) => rerank::run(args, &context),
        Command::Calibrate(args) => calibrate::run(args, &context),
        Command::Quantize(args) => quantize::run(args, &context),
        Command::Encode(args) => encode::run(args, &context),
        Command::MineNegatives(args) => mine_negatives::run(*args, &context),
        Command::Bench(args) => bench::run(args, &context),
        Command::Info(args) => info::run(args, &context),
        Command::Label(args) => label::run(args, &context),
        Command::Pull(args) => pull::run(args, &context),
        Command::Negatives(args) => negatives::run(*args, &context),
        Command::Data(args) => data::run(args, &context),
    }
}
