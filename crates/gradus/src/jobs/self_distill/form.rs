/// The two forms of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One vector a text.
    BiEncoder,
    /// One score a pair.
    CrossEncoder,
}

impl Form {
    /// Its name in folders and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::BiEncoder => "bi-encoder",
            Self::CrossEncoder => "cross-encoder",
        }
    }
}
