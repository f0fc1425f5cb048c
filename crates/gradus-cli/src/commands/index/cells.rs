//! `gradus index cells`.

use crate::context::Context;
use crate::corpus_options::{ReportOptions, texts};
use crate::exit::Failure;
use gradus_index::jobs::lay_out;
use serde_json::json;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Texts are put into cells around means (an inverted file, IVF). A search with \
--approximate looks into the cells nearest to a query alone. How many it must \
look into for some recall is measured here, with texts of the index as queries.

Texts that are added later are searched beside the cells, exactly, until this is \
done again. Cells take as much room as the vectors.

Examples:
  gradus index cells corpus.index
  gradus index cells corpus.index --cells 4096";

/// What is laid out.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The index
    pub index: PathBuf,
    /// So many cells; by default four times the root of the number of texts
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub cells: Option<u32>,
    /// The report.
    #[command(flatten)]
    report: ReportOptions,
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let mut console = context.console();
    let wanted = args.cells.map(|n| n as usize);
    let made = lay_out(&args.index, wanted, &context.environment, &mut console)?;
    let mut lines = vec![
        format!("{} in {} cells", texts(made.texts), made.cells),
        "cells looked into; of the ten nearest found".into(),
    ];
    for at in &made.recall {
        lines.push(format!("{:>8}  {:.3}", at.probes, at.recall));
    }
    let json = json!({"texts": made.texts, "cells": made.cells, "recall": made.recall});
    args.report.print(&lines.join("\n"), &json)
}
