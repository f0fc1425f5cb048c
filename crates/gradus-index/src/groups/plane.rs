//! Vectors on a plane, to be looked at: the two directions in which the means of groups
//! differ most, or rows where there are not three groups (principal components).

/// Two directions, and what is in their middle.
pub struct Plane {
    mean: Vec<f64>,
    directions: [Vec<f64>; 2],
}

/// More rounds change nothing that can be seen.
const ROUNDS: usize = 100;

impl Plane {
    /// The principal components of `points`, `[points, dim]`, each counted as often as its
    /// weight says.
    pub fn of(points: &[f32], dim: usize, weights: &[f64]) -> Self {
        let dim = dim.max(1);
        let rows = || points.chunks_exact(dim).zip(weights);
        let all: f64 = weights.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        let mut mean = vec![0f64; dim];
        for (row, weight) in rows() {
            for (mean, x) in mean.iter_mut().zip(row) {
                *mean += weight * f64::from(*x) / all;
            }
        }
        let mut directions: [Vec<f64>; 2] = [vec![], vec![]];
        for which in 0..2 {
            // A beginning that nothing is at right angles to, but for bad luck.
            let mut direction: Vec<f64> = (0..dim)
                .map(|i| ((i * 7 + which * 3 + 1) as f64).sin())
                .collect();
            for _ in 0..ROUNDS {
                let mut next = vec![0f64; dim];
                for (row, weight) in rows() {
                    let pairs = row.iter().zip(&mean).zip(&direction);
                    let along: f64 = pairs.map(|((x, m), d)| (f64::from(*x) - m) * d).sum();
                    for ((next, x), m) in next.iter_mut().zip(row).zip(&mean) {
                        *next += weight * along * (f64::from(*x) - m);
                    }
                }
                if which == 1 {
                    let first = &directions[0];
                    let along: f64 = next.iter().zip(first).map(|(x, d)| x * d).sum();
                    next.iter_mut()
                        .zip(first)
                        .for_each(|(x, d)| *x -= along * d);
                }
                let length = next.iter().map(|x| x * x).sum::<f64>().sqrt();
                if length < 1e-12 {
                    next = vec![0.0; dim];
                    direction = next;
                    break;
                }
                next.iter_mut().for_each(|x| *x /= length);
                let moved: f64 = next
                    .iter()
                    .zip(&direction)
                    .map(|(a, b)| (a - b).abs())
                    .sum();
                direction = next;
                if moved < 1e-9 {
                    break;
                }
            }
            directions[which] = direction;
        }
        Self { mean, directions }
    }

    /// Where a vector lies.
    pub fn place(&self, vector: &[f32]) -> [f64; 2] {
        let along = |direction: &Vec<f64>| {
            let pairs = vector.iter().zip(&self.mean).zip(direction);
            pairs.map(|((x, m), d)| (f64::from(*x) - m) * d).sum()
        };
        [along(&self.directions[0]), along(&self.directions[1])]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_direction_is_that_of_the_largest_spread() {
        // Along (1, 1, 0) far, along (1, -1, 0) less, along z hardly.
        let mut points = vec![];
        for (a, b, z) in [
            (3.0, 0.5, 0.01),
            (-3.0, -0.5, 0.01),
            (2.0, -1.0, 0.0),
            (-2.0, 1.0, 0.0),
        ] {
            points.extend([5.0 + a + b, a - b, z]);
        }
        let plane = Plane::of(&points, 3, &[1.0; 4]);
        let [first, second] = &plane.directions;
        let half = std::f64::consts::FRAC_1_SQRT_2;
        assert!((first[0].abs() - half).abs() < 0.05 && (first[0] - first[1]).abs() < 0.1);
        let across: f64 = first.iter().zip(second).map(|(a, b)| a * b).sum();
        assert!(across.abs() < 1e-6, "{across}");
        let places: Vec<[f64; 2]> = points.chunks(3).map(|p| plane.place(p)).collect();
        let middle: f64 = places.iter().map(|p| p[0]).sum();
        assert!(middle.abs() < 1e-4 && places[0][0].abs() > 3.0);
    }

    #[test]
    fn equal_points_lie_together() {
        let plane = Plane::of(&[1.0, 2.0, 1.0, 2.0], 2, &[1.0, 5.0]);
        assert_eq!(plane.place(&[1.0, 2.0]), [0.0, 0.0]);
        let none = Plane::of(&[], 2, &[]);
        assert!(none.place(&[1.0, 2.0]).iter().all(|x| x.is_finite()));
    }
}
