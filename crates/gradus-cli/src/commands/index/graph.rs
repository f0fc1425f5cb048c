//! `gradus index graph`.

use crate::context::Context;
use crate::corpus_options::{ReportOptions, texts};
use crate::exit::Failure;
use gradus_index::jobs::make_graph;
use std::path::PathBuf;

const EXAMPLES: &str = "\
A search with --approximate walks from text to text towards those nearest to the \
query, along edges to neighbours (as HNSW does), and compares few of all texts. How \
many candidates it must keep for some recall is measured here, with texts of the \
index as queries.

Texts that are added later are searched beside the graph, exactly, until this is done \
again. The graph takes a quarter of the room of the vectors, and some 144 bytes a text.

Examples:
  gradus index graph corpus.index
  gradus index graph corpus.index --format json";

/// What is made.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The index
    pub index: PathBuf,
    /// The report.
    #[command(flatten)]
    report: ReportOptions,
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let mut console = context.console();
    let made = make_graph(&args.index, &context.environment, &mut console)?;
    let mut lines = vec![
        format!("a graph of {}", texts(made.texts)),
        "   width  of the ten nearest found".into(),
    ];
    for at in &made.recall {
        lines.push(format!("{:>8}  {:.3}", at.width, at.recall));
    }
    args.report.print(&lines.join("\n"), &made)
}
