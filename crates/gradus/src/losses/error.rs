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
        setting: String,
        /// The loss or form.
        what: String,
    },
    /// The scale of sentence-transformers' losses.
    #[error("`scale = {scale}` is `temperature = {temperature}` here, one over it")]
    ScaleOfSimilarities {
        /// What was set.
        scale: f64,
        /// One over it.
        temperature: f64,
    },
    /// Cross-entropy on the cosine.
    #[error("cross-entropy needs the head form: set `form = \"head\"`")]
    ClassesNeedHead,
    /// Labels that are not classes.
    #[error(
        "label {0} is not a class: cross-entropy needs whole numbers; set `rounding = \"nearest\"` in the source's labels"
    )]
    NotAClass(f64),
    /// A label that is not the number of one of so many classes.
    #[error(
        "label {label} is not the number of a class: cross-entropy needs whole numbers from 0 to {last}; number the classes by `classes` in the source's labels", last = .classes - 1
    )]
    NotAClassNumber {
        /// The label.
        label: f64,
        /// How many classes there are.
        classes: usize,
    },
    /// A setting that is not positive.
    #[error("{setting} = {value}: must be a positive number")]
    NotPositive {
        /// The setting.
        setting: &'static str,
        /// Its value.
        value: f64,
    },
    /// Ends of labels that are not a scale.
    #[error("the labels' ends [{low}, {high}] must be two numbers, the lower first")]
    LabelScale {
        /// The lower end.
        low: f64,
        /// The higher end.
        high: f64,
    },
    /// Targets that do not differ.
    #[error(
        "all {count} training labels are {value}, so that there is nothing to learn from them; check the sources' `label` column and their `labels` map"
    )]
    EqualLabels {
        /// How many rows there are.
        count: usize,
        /// The label of all of them.
        value: f64,
    },
    /// A list without documents, counted from 1.
    #[error("list {0} of the training set has no documents; remove it")]
    EmptyList(usize),
    /// Lists none of which can be learned from.
    #[error(
        "none of the {count} training lists has {wanted} and a weight, so that there is nothing to learn from them; give each query several documents, or train on pairs: `loss = \"bce\"`"
    )]
    NoListToLearn {
        /// How many lists there are.
        count: usize,
        /// What one of them must have.
        wanted: &'static str,
    },
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
    /// A temperature so low that one text alone has all the weight, or so high that
    /// all have the same, or no number.
    #[error("temperature {0}: must lie in [{COLDEST}, {WARMEST}]; 0.05 is usual")]
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
    /// Grades that do not differ.
    #[error(
        "all {count} training grades are {value}, so that there is nothing to learn from them; check the sources' `label` column and their `labels` map, or train without grades: `loss = \"info_nce\"` with `rows = \"pairs\"`"
    )]
    EqualGrades {
        /// How many examples there are.
        count: usize,
        /// The grade of all of them.
        value: f64,
    },
    /// Examples without weight.
    #[error(
        "the weight of all {0} training pairs is 0, so that nothing is learned; check the sources' `weight` column"
    )]
    NoWeight(usize),
    /// Examples none of which has a negative.
    #[error(
        "none of the {0} examples has a negative: all texts are the same as its own; give it different texts"
    )]
    NoNegatives(usize),
    /// Objectives none of which counts.
    #[error("the `weight` of every objective is 0, so that nothing is learned")]
    NoPart,
    /// Objectives that cannot be added up.
    #[error("objectives that are summed must have finite weights, and there must be one at least")]
    Parts,
}

impl ObjectiveError {
    pub(crate) fn unused(setting: impl Into<String>, what: impl Into<String>) -> Self {
        let (setting, what) = (setting.into(), what.into());
        Self::Unused { setting, what }
    }
}

/// `k > 0` and `0 <= x0 <= spacing / 2`.
pub(crate) fn check(k: f64, x0: f64, spacing: f64) -> Result<(), ObjectiveError> {
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

/// The lowest temperature, at which cosines that differ by 0.001 differ by a
/// factor of `e^10` in probability.
const COLDEST: f64 = 1e-4;
/// The highest, at which all cosines are as good as equal.
const WARMEST: f64 = 1e4;

/// Whether a temperature leaves something to learn.
pub(crate) fn temperature(value: f64) -> Result<(), ObjectiveError> {
    match (COLDEST..=WARMEST).contains(&value) {
        true => Ok(()),
        false => Err(ObjectiveError::Temperature(value)),
    }
}
