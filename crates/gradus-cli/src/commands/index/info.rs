//! `gradus index info`.

use crate::corpus_options::{ReportOptions, texts};
use crate::exit::Failure;
use gradus_index::store::Index;
use serde_json::json;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  gradus index info texts.index
  gradus index info texts.index --format json";

/// What is described.
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
pub fn run(args: Args) -> Result<(), Failure> {
    let index = Index::open(&args.index)?;
    let (manifest, there) = (index.manifest(), index.rows().count());
    let files = manifest.files(index.folder());
    let bytes: u64 = files.iter().map(|(_, written)| written.bytes).sum();
    let model = &manifest.model;
    let removed = manifest.rows() - there;
    let mut lines = vec![
        format!("texts      {}", texts(there)),
        format!("removed    {removed}"),
        format!("model      {} ({:.12})", model.name, model.hash),
        format!(
            "vectors    {} values, of {}",
            model.dimension, model.precision
        ),
        format!("prompt     {:?}", model.prompt),
        format!("segments   {}", manifest.segments.len()),
        format!("size       {:.1} MB", bytes as f64 / 1e6),
    ];
    if let Some(graph) = &manifest.graph {
        let later = texts(manifest.rows() - graph.rows);
        let best = graph.recall.last().map_or(0.0, |at| at.recall);
        lines.push(format!(
            "graph      of all but {later}; recall up to {best:.3}"
        ));
    }
    if manifest.words {
        lines.push("words      kept".into());
    }
    if let Some(made) = &manifest.unfinished {
        lines.push(format!(
            "unfinished after row {} of {}; the same command goes on",
            made.rows, made.from
        ));
    }
    let json = json!({
        "index": args.index.display().to_string(),
        "texts": there,
        "removed": removed,
        "model": model,
        "segments": manifest.segments.len(),
        "bytes": bytes,
        "graph": manifest.graph.as_ref().map(|graph| json!({"texts": graph.nodes, "recall": graph.recall})),
        "words": manifest.words,
        "unfinished": manifest.unfinished,
    });
    args.report.print(&lines.join("\n"), &json)
}
