//! From the spanning tree to clusters: joins of single linkage, of which only those
//! between clusters of the least size count (the condensed tree), and the clusters that
//! last longest, or the smallest ones.

use super::{Density, Edge};

/// Which clusters of the hierarchy are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Select {
    /// Those that last longest ("excess of mass").
    Stable,
    /// The smallest ones ("leaf"): more and finer ones.
    Finest,
}

/// Of each place its cluster and membership.
pub(super) struct Found {
    pub of: Vec<Option<u32>>,
    pub membership: Vec<f32>,
    pub clusters: usize,
}

/// A join of single linkage.
struct Join {
    parts: [usize; 2],
    size: usize,
    /// The inverse distance at which it falls apart.
    density: f64,
}

/// Distances of unit vectors in f32 that are smaller mean nothing.
const LEAST: f64 = 1e-4;

/// Joins of `count` rows: those behind the rows are numbered on from `count`.
fn joins(count: usize, edges: &[Edge]) -> Vec<Join> {
    let mut above: Vec<usize> = (0..2 * count).collect();
    fn root(above: &mut [usize], from: usize) -> usize {
        let mut top = from;
        while above[top] != top {
            top = above[top];
        }
        let mut at = from;
        while at != top {
            at = std::mem::replace(&mut above[at], top);
        }
        top
    }
    let mut joins: Vec<Join> = vec![];
    for edge in edges {
        let mut parts = [edge.a, edge.b].map(|row| root(&mut above, row as usize));
        parts.sort_unstable();
        let size = parts.map(|part| size_of(&joins, count, part)).iter().sum();
        let own = count + joins.len();
        parts.iter().for_each(|part| above[*part] = own);
        joins.push(Join {
            parts,
            size,
            density: 1.0 / edge.distance().max(LEAST),
        });
    }
    joins
}

fn size_of(joins: &[Join], count: usize, node: usize) -> usize {
    match node.checked_sub(count) {
        None => 1,
        Some(join) => joins[join].size,
    }
}

/// A cluster of at least the least size.
struct Cluster {
    parent: usize,
    children: Vec<usize>,
    /// The density at which it comes apart from its parent.
    born: f64,
    /// How many rows, each as long as it stays.
    stability: f64,
    /// The largest density that anything reaches in it.
    last: f64,
}

impl Cluster {
    fn new(parent: usize, born: f64) -> Self {
        Self {
            parent,
            children: vec![],
            born,
            stability: 0.0,
            last: born,
        }
    }
}

/// The condensed tree: its clusters, parents first, and of each row the cluster that it
/// falls out of and the density at which it does.
fn condense(count: usize, joins: &[Join], smallest: usize) -> (Vec<Cluster>, Vec<(usize, f64)>) {
    let mut clusters = vec![Cluster::new(0, 0.0)];
    let mut fallen = vec![(0, 0.0); count];
    let mut open = vec![(count + joins.len().saturating_sub(1), 0)];
    while let Some((node, cluster)) = open.pop() {
        let Some(join) = node.checked_sub(count).and_then(|join| joins.get(join)) else {
            continue;
        };
        let density = join.density;
        let large = join
            .parts
            .map(|part| size_of(joins, count, part) >= smallest);
        for (part, large_part) in join.parts.into_iter().zip(large) {
            let size = size_of(joins, count, part) as f64;
            if large == [true, true] {
                let child = clusters.len();
                clusters.push(Cluster::new(cluster, density));
                clusters[cluster].children.push(child);
                open.push((part, child));
            } else if large_part {
                open.push((part, cluster));
                continue;
            } else {
                fall(count, joins, part, |row| fallen[row] = (cluster, density));
            }
            let own = &mut clusters[cluster];
            own.stability += size * (density - own.born);
            own.last = own.last.max(density);
        }
    }
    (clusters, fallen)
}

/// Calls `each` with the rows below a node.
fn fall(count: usize, joins: &[Join], node: usize, mut each: impl FnMut(usize)) {
    let mut open = vec![node];
    while let Some(node) = open.pop() {
        match node.checked_sub(count) {
            None => each(node),
            Some(join) => open.extend(joins[join].parts),
        }
    }
}

/// Which clusters are taken; never the one of all rows.
fn chosen(clusters: &[Cluster], select: Select) -> Vec<bool> {
    let mut taken: Vec<bool> = clusters.iter().map(|c| c.children.is_empty()).collect();
    if select == Select::Stable {
        let mut worth: Vec<f64> = clusters.iter().map(|c| c.stability).collect();
        for cluster in (0..clusters.len()).rev() {
            let below: f64 = clusters[cluster].children.iter().map(|c| worth[*c]).sum();
            taken[cluster] = worth[cluster] >= below;
            worth[cluster] = worth[cluster].max(below);
        }
    }
    taken[0] = false;
    // Parents come first.
    let mut inside = vec![false; clusters.len()];
    for cluster in 1..clusters.len() {
        let parent = clusters[cluster].parent;
        inside[cluster] = inside[parent] || taken[parent];
        taken[cluster] &= !inside[cluster];
    }
    taken
}

/// The clusters of `count` rows; the edges of their spanning tree come shortest first.
pub(super) fn clusters(count: usize, edges: Vec<Edge>, settings: &Density) -> Found {
    let joins = joins(count, &edges);
    drop(edges);
    let (tree, fallen) = condense(count, &joins, settings.smallest.max(2));
    let taken = chosen(&tree, settings.select);
    // Of each cluster the one taken that it is, or lies in.
    let mut of_cluster: Vec<Option<usize>> = vec![None; tree.len()];
    for cluster in 1..tree.len() {
        let parent = of_cluster[tree[cluster].parent];
        of_cluster[cluster] = parent.or(taken[cluster].then_some(cluster));
    }
    let mut sizes = vec![(0usize, usize::MAX); tree.len()];
    for (row, (cluster, _)) in fallen.iter().enumerate() {
        if let Some(own) = of_cluster[*cluster] {
            let (size, first) = &mut sizes[own];
            (*size, *first) = (*size + 1, row.min(*first));
        }
    }
    let mut by_size: Vec<usize> = (0..tree.len()).filter(|c| taken[*c]).collect();
    by_size.sort_by_key(|c| (std::cmp::Reverse(sizes[*c].0), sizes[*c].1));
    let mut numbers = vec![0; tree.len()];
    for (number, cluster) in by_size.iter().enumerate() {
        numbers[*cluster] = number as u32;
    }
    let found = fallen.iter().map(|(cluster, density)| {
        let own = of_cluster[*cluster]?;
        let last = tree[own].last;
        Some((numbers[own], (density.min(last) / last) as f32))
    });
    let found: Vec<Option<(u32, f32)>> = found.collect();
    Found {
        of: found.iter().map(|f| f.map(|(number, _)| number)).collect(),
        membership: found.iter().map(|f| f.map_or(0.0, |(_, m)| m)).collect(),
        clusters: by_size.len(),
    }
}
