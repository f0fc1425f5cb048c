//! The files of a graph.

use super::manifest::{GRAPH_FILES, GraphFiles};
use super::map::Map;
use super::writer::write_files;
use crate::graph::{Graph, GraphView};
use crate::{IndexError, Result};
use gradus_kernels::cpu::search::ByteRowsView;
use std::path::Path;

/// A graph in files.
pub(super) struct OpenGraph {
    rows: Map,
    bytes: Map,
    scales: Map,
    edges: Map,
}

impl OpenGraph {
    pub fn open(folder: &Path, files: &GraphFiles) -> Result<Self> {
        let open = |file: usize| {
            let path = folder.join(&files.name).join(GRAPH_FILES[file]);
            Map::open(&path, files.files[file].bytes)
        };
        Ok(Self {
            rows: open(0)?,
            bytes: open(1)?,
            scales: open(2)?,
            edges: open(3)?,
        })
    }

    /// As it is searched.
    pub fn view(&self, dim: usize) -> Result<GraphView<'_>> {
        let bytes = ByteRowsView::stored(self.bytes.values()?, self.scales.values()?, dim);
        let bytes = bytes.ok_or_else(|| {
            IndexError::damaged(self.bytes.path(), "rows and scales do not fit each other")
        });
        Ok(GraphView {
            rows: self.rows.values()?,
            bytes: bytes?,
            edges: self.edges.values()?,
        })
    }
}

impl GraphFiles {
    /// Writes a graph of the first `rows` rows into a new folder.
    pub(super) fn write(folder: &Path, name: String, graph: &Graph, rows: usize) -> Result<Self> {
        let view = graph.view();
        let parts: [&[u8]; 4] = [
            bytemuck::cast_slice(view.rows),
            bytemuck::cast_slice(view.bytes.bytes()),
            bytemuck::cast_slice(view.bytes.scales()),
            bytemuck::cast_slice(view.edges),
        ];
        let files = write_files(&folder.join(&name), GRAPH_FILES, parts)?;
        Ok(Self {
            name,
            rows,
            nodes: view.rows.len(),
            files,
            recall: vec![],
        })
    }
}
