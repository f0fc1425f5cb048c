/// How the token vectors of a sentence become one vector. Several modes at
/// once are concatenated in the order given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pooling {
    /// The first token's vector.
    Cls,
    /// The average over tokens.
    Mean,
    /// The largest value of each dimension; ties go to the first token.
    Max,
    /// The sum over tokens divided by the square root of their number.
    MeanSqrtLen,
    /// The average over tokens weighted by position 1, 2, ... (SGPT,
    /// Muennighoff 2022).
    WeightedMean,
    /// The last token's vector.
    LastToken,
    /// The vector of the token that [`Packed::mark`](crate::Packed::mark)
    /// named; the first one's where none was.
    Marked,
}
