//! The page with the map: one file that asks for nothing else.

use super::Clustering;
use crate::jobs::folder::ResultFolder;
use crate::store::Index;
use crate::{IndexError, Result, groups};
use serde::Serialize;
use serde_json::{Value, json};
use std::io::Write;
use std::path::PathBuf;

const PAGE: &str = include_str!("page/map.html");
const STYLE: &str = include_str!("page/map.css");
const SCRIPT: &str = include_str!("page/map.js");

/// Letters of a text that are shown.
const SHOWN: usize = 240;

/// A text on the map: place, cluster or -1, id, text.
#[derive(Serialize)]
struct Point(f32, f32, i64, String, String);

/// What the page shows.
#[derive(Serialize)]
struct Data<'a> {
    method: &'a str,
    model: &'a str,
    texts: usize,
    alone: usize,
    clusters: Vec<Value>,
    points: Vec<Point>,
}

pub(super) fn write(
    folder: &ResultFolder,
    index: &Index,
    clustering: &Clustering,
    drawn: usize,
) -> Result<PathBuf> {
    let matrix = index.matrix()?;
    let live = matrix.live();
    let some = groups::evenly(&live, drawn);
    let mut points = vec![];
    for rows in some.chunks(1024) {
        let vectors = matrix.gather(rows);
        for (row, vector) in rows.iter().zip(vectors.chunks_exact(matrix.dim())) {
            let record = index.record(*row)?;
            let [x, y] = clustering.plane.place(vector).map(|x| x as f32);
            let cluster = clustering.of[*row].map_or(-1, i64::from);
            let text = shortened(&record.text);
            points.push(Point(x, y, cluster, record.id, text));
        }
    }
    let clusters = clustering.clusters.iter();
    let clusters = clusters.map(|c| json!({"size": c.size, "keywords": c.keywords}));
    let data = Data {
        method: clustering.method,
        model: &index.manifest().model.name,
        texts: live.len(),
        alone: clustering.alone,
        clusters: clusters.collect(),
        points,
    };
    let data = serde_json::to_string(&data);
    let data = data.map_err(|e| IndexError::damaged(folder.path(), e.to_string()))?;
    // Within a script `<` might end it.
    let data = data.replace('<', "\\u003c");
    let page = PAGE.replace("/*style*/", STYLE);
    let page = page.replace("/*script*/", SCRIPT);
    let (before, behind) = page.split_once("/*data*/").unwrap_or((&page, ""));
    folder.file("map.html", |file| {
        let path = folder.path().join("map.html");
        let parts = [before, &data, behind];
        let written = parts
            .iter()
            .try_for_each(|part| file.write_all(part.as_bytes()));
        written.map_err(IndexError::io(&path))
    })
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
