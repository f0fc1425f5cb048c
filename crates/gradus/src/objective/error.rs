/// Settings that an objective refuses.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectiveError {
    /// A buffer wider than half the distance between labels, or negative.
    #[error(
        "x0 = {x0}: the buffer must satisfy 0 <= x0 <= {most} (half the label spacing), so that a rounded prediction inside it is the label"
    )]
    Buffer {
        /// The value given.
        x0: f64,
        /// Half the spacing.
        most: f64,
    },
    /// A slope that is not positive.
    #[error("k = {0}: must be a positive number")]
    Slope(f64),
    /// A label spacing that is not positive.
    #[error("spacing = {0}: must be a positive number")]
    Spacing(f64),
    /// A setting that the chosen loss or form does not have.
    #[error("`{setting}` has no meaning for {what}; remove it")]
    Unused {
        /// The setting.
        setting: &'static str,
        /// The loss or form.
        what: &'static str,
    },
    /// Cross-entropy on the cosine.
    #[error("cross-entropy needs the head form: set `form = \"head\"`")]
    ClassesNeedHead,
    /// Labels that are not classes.
    #[error(
        "label {0} is not a class: cross-entropy needs whole numbers; set `rounding = \"nearest\"` in the source's labels"
    )]
    NotAClass(f64),
    /// Fewer than two or too many classes.
    #[error("cross-entropy needs 2 to 1,000 classes, the labels have {0}")]
    ClassCount(usize),
    /// An affine map that is not finite or has slope 0.
    #[error("the cosine's map {scale} * cos + {offset} must be finite and not constant")]
    CosineMap {
        /// Slope.
        scale: f64,
        /// Intercept.
        offset: f64,
    },
    /// A temperature that is not positive.
    #[error("temperature {0}: must be a positive number")]
    Temperature(f64),
    /// A weight of hard negatives that is not positive.
    #[error("negative_weight = {0}: must be a positive number")]
    NegativeWeight(f64),
    /// Teachers' weights.
    #[error("learning from `teachers` needs at least one teacher, each with a positive weight")]
    Teachers,
    /// Matryoshka widths.
    #[error("widths must be at least one, each positive and with a positive weight")]
    Widths,
    /// Matryoshka on a head.
    #[error("a regression head has one width: use `widths` with losses on cosines")]
    WidthsOfHead,
    /// A width beyond the model's.
    #[error("width {width}: the model's vectors have {dim} values; remove it from `widths`")]
    TooWide {
        /// The width asked for.
        width: usize,
        /// The model's.
        dim: usize,
    },
    /// A single view of a text where two are compared.
    #[error("it compares two views of a text: set `views = 2`, or leave it out")]
    OneView,
    /// Objectives that cannot be added up.
    #[error(
        "objectives that are summed must want as many texts an example, and have finite weights"
    )]
    Parts,
}

/// `k > 0` and `0 <= x0 <= spacing / 2`.
pub(super) fn check(k: f64, x0: f64, spacing: f64) -> Result<(), ObjectiveError> {
    if !(k.is_finite() && k > 0.0) {
        return Err(ObjectiveError::Slope(k));
    }
    if !(spacing.is_finite() && spacing > 0.0) {
        return Err(ObjectiveError::Spacing(spacing));
    }
    let most = spacing / 2.0;
    if !(0.0..=most).contains(&x0) {
        return Err(ObjectiveError::Buffer { x0, most });
    }
    Ok(())
}
