/// Graded pairs that no calibration can be fitted on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CalibrationError {
    /// Too few pairs.
    #[error(
        "{0} graded pairs are too few to calibrate on; at least 2 are needed, and 100 or more for intervals that say something"
    )]
    TooFew(usize),
    /// Grades that do not differ.
    #[error(
        "all {count} grades are {value}: a scale cannot be learned from one value; calibrate on pairs of different grades, and check which column is the grade"
    )]
    EqualGrades {
        /// How many there are.
        count: usize,
        /// The grade of all of them.
        value: f64,
    },
    /// Scores that do not differ.
    #[error(
        "the {what} of all {count} pairs is {value}: a model that gives every pair the same score cannot be calibrated"
    )]
    EqualScores {
        /// The score or the grade of the head.
        what: &'static str,
        /// How many pairs there are.
        count: usize,
        /// The score of all of them.
        value: f64,
    },
    /// Grades that fall with the score, or do not follow it at all.
    #[error(
        "the grades do not rise with the {what}: every pair would get the grade {value:.3}; check that the grades rise with similarity, and which column is the grade"
    )]
    Level {
        /// The score or the grade of the head.
        what: &'static str,
        /// The one grade.
        value: f64,
    },
    /// Not one score for each grade.
    #[error("{scores} scores for {grades} grades; each pair needs both")]
    LengthMismatch {
        /// How many scores there are.
        scores: usize,
        /// How many grades there are.
        grades: usize,
    },
    /// A score or grade that is infinite or not a number.
    #[error("pair {}: its {what} is {value}, which is not finite; calibrate a model whose vectors and scores are sound, on finite grades", .index + 1)]
    NotFinite {
        /// The pair, counted from 0.
        index: usize,
        /// The score or the grade.
        what: &'static str,
        /// What stands there.
        value: f64,
    },
    /// A share that no interval can cover.
    #[error(
        "an interval cannot cover {0} of the pairs; give a share above 0 and below 1, such as 0.8"
    )]
    Coverage(f64),
    /// A grade beyond the ends of the scale.
    #[error("pair {}: the grade {grade} lies outside of the scale {low} to {high}", .index + 1)]
    OutsideScale {
        /// The pair, counted from 0.
        index: usize,
        /// Its grade.
        grade: f64,
        /// The scale's lower end.
        low: f64,
        /// Its upper end.
        high: f64,
    },
}
