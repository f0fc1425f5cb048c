//! Every node of a level can be reached from the first one, where searches begin too: what
//! choosing edges has cut off is given one again.

use super::near::NEAREST;
use super::{DEGREE, NONE};

/// The edges of a level, as places in it.
pub(super) struct Connecting<'a> {
    edges: &'a mut [u32],
    /// The nearest of each, best first.
    near: &'a [u32],
    /// Of each the place from which it was reached first: that edge stays.
    from: Vec<u32>,
}

/// Gives edges so that each place can be reached from the first. `edges`, `[places,
/// DEGREE]`, and `near`, `[places, NEAREST]`, are places.
pub(super) fn connect(edges: &mut [u32], near: &[u32]) {
    let places = edges.len() / DEGREE;
    let mut all = Connecting {
        edges,
        near,
        from: vec![NONE; places],
    };
    if places > 0 {
        all.from[0] = 0;
        all.reach(0);
    }
    for place in 0..places as u32 {
        if all.from[place as usize] == NONE {
            let from = all.giver(place);
            all.give(from, place);
            all.reach(place);
        }
    }
}

impl Connecting<'_> {
    /// Marks what can be reached from a place that is.
    fn reach(&mut self, place: u32) {
        let mut left = vec![place];
        while let Some(place) = left.pop() {
            for &end in &self.edges[place as usize * DEGREE..][..DEGREE] {
                if end != NONE && self.from[end as usize] == NONE {
                    self.from[end as usize] = place;
                    left.push(end);
                }
            }
        }
    }

    /// Which place, that can be reached, is to have an edge to this one: the nearest that
    /// has room, or an edge that nothing was reached by.
    fn giver(&self, place: u32) -> u32 {
        let near = self.near[place as usize * NEAREST..][..NEAREST]
            .iter()
            .copied();
        let near = near.take_while(|other| *other != NONE);
        // None near can be reached: one that can, from the nearest in number on.
        let places = self.from.len() as u32;
        let others = (1..places).map(|step| (place + step) % places);
        let mut all = near.chain(others);
        all.find(|other| self.from[*other as usize] != NONE && self.slot(*other).is_some())
            .unwrap_or(0)
    }

    /// Where an edge of a place can be put: the first empty place, else the last edge that
    /// can be done without.
    fn slot(&self, place: u32) -> Option<usize> {
        let own = place as usize * DEGREE..(place as usize + 1) * DEGREE;
        let empty = own.clone().find(|slot| self.edges[*slot] == NONE);
        let spare = |slot: &usize| self.from[self.edges[*slot] as usize] != place;
        empty.or_else(|| own.rev().find(spare))
    }

    fn give(&mut self, from: u32, to: u32) {
        if let Some(slot) = self.slot(from) {
            self.edges[slot] = to;
            self.from[to as usize] = from;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unreached(edges: &[u32]) -> usize {
        let mut copy = edges.to_vec();
        let places = edges.len() / DEGREE;
        let near = vec![NONE; places * NEAREST];
        let mut all = Connecting {
            edges: &mut copy,
            near: &near,
            from: vec![NONE; places],
        };
        all.from[0] = 0;
        all.reach(0);
        all.from.iter().filter(|from| **from == NONE).count()
    }

    #[test]
    fn all_are_reached_even_where_none_near_is() {
        let places = 500;
        let (mut edges, mut near) = (vec![NONE; places * DEGREE], vec![NONE; places * NEAREST]);
        for place in 0..places {
            // Pairs that know each other alone, and some that are full.
            near[place * NEAREST] = place as u32 ^ 1;
            edges[place * DEGREE] = place as u32 ^ 1;
            if place % 64 == 0 {
                (0..DEGREE).for_each(|i| edges[place * DEGREE + i] = (i % 2) as u32);
            }
        }
        assert!(unreached(&edges) > 400);
        connect(&mut edges, &near);
        assert_eq!(unreached(&edges), 0);
        let ordered = |ends: &[u32]| ends.is_sorted_by_key(|end| *end == NONE);
        assert!(edges.chunks(DEGREE).all(ordered));
        let before = edges.clone();
        connect(&mut edges, &near);
        assert_eq!(edges, before);
    }
}
