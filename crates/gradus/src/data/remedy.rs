//! What to do about bad data, as each front end says it.

use std::borrow::Cow;

use super::Format;

/// What would make data readable. A recipe says it by a key, a command by an
/// option; where there is neither, the data has to change.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remedy {
    /// The same in every front end.
    Plain(Cow<'static, str>),
    /// Only in a recipe, where it is this.
    Key(Cow<'static, str>),
    /// Say what stands between cells.
    Delimiter(char),
    /// Say whether quotes enclose cells.
    Quoting(bool),
    /// Say whether the first row holds names.
    Header(bool),
    /// Name the columns of the pair.
    Columns,
    /// Name the column of the label, with those of the pair.
    Label,
    /// Name the three columns of a triplet.
    Triplet,
    /// Name the column of the text.
    Text,
    /// Name the columns of a list: query, documents, labels.
    List,
    /// Say the form of the file.
    Format(Format),
    /// Say which split is read.
    Split,
    /// Do not say which split is read.
    NoSplit,
    /// Leave out pairs with this label.
    Skip(String),
    /// Give classes their numbers.
    Classes,
    /// Say the scale of the labels.
    Range,
    /// Numbers are written with a decimal comma.
    DecimalComma,
    /// Numbers are written with a decimal point.
    DecimalPoint,
}

impl From<&'static str> for Remedy {
    fn from(text: &'static str) -> Self {
        Self::Plain(text.into())
    }
}

impl Remedy {
    /// One of each kind, for checks of front ends.
    pub fn examples() -> Vec<Self> {
        let mut all = vec![
            Self::from("fill it in"),
            Self::Key("set `rows`".into()),
            Self::Columns,
            Self::Label,
            Self::Triplet,
            Self::Text,
            Self::List,
            Self::Split,
            Self::NoSplit,
            Self::Skip("-".into()),
            Self::Classes,
            Self::Range,
            Self::DecimalComma,
            Self::DecimalPoint,
        ];
        all.extend([';', '\t', ','].map(Self::Delimiter));
        all.extend([true, false].map(Self::Quoting));
        all.extend([true, false].map(Self::Header));
        let formats = [Format::Tsv, Format::Csv, Format::Jsonl, Format::Parquet];
        all.extend(formats.map(Self::Format));
        all
    }

    /// As a recipe says it.
    pub fn as_key(&self) -> String {
        match self {
            Self::Plain(text) | Self::Key(text) => text.to_string(),
            Self::Delimiter(c) => format!("set `delimiter = {}`", toml_char(*c)),
            Self::Quoting(true) => "set `quoting = true` if quotes enclose cells".into(),
            Self::Quoting(false) => "set `quoting = false` if quotes are text".into(),
            Self::Header(true) => "set `header = true` if the first row holds names".into(),
            Self::Header(false) => "set `header = false` if the first row is data".into(),
            Self::Columns => "set `first` and `second` to the columns of the two texts".into(),
            Self::Label => "set `label` to its column (with `first` and `second`)".into(),
            Self::Triplet => "set `first`, `second` and `negative`".into(),
            Self::Text => "set `text` to the column of the texts".into(),
            Self::List => "set `first` to the column of the query, `second` to that of the documents or the positive, and `label` to that of the labels".into(),
            Self::Format(format) => format!("set `format = \"{}\"`", format.name()),
            Self::Split => "set `split` to train, dev or test".into(),
            Self::NoSplit => "remove `split`: such a file is one split".into(),
            Self::Skip(label) => {
                format!("to leave such rows out set `labels.skip = [{label:?}]`")
            }
            Self::Classes => "for classes set `labels.classes`".into(),
            Self::Range => "set `labels.from` to the scale of the file".into(),
            Self::DecimalComma => "set `decimal = \"comma\"` if that is a decimal comma".into(),
            Self::DecimalPoint => "set `decimal = \"point\"` if that is a decimal point".into(),
        }
    }

    /// What to do to the data where there is neither key nor option.
    pub fn without_option(&self) -> Option<String> {
        let text = match self {
            Self::Plain(text) => return Some(text.to_string()),
            Self::Key(_) | Self::Header(false) | Self::NoSplit | Self::Range => return None,
            Self::Delimiter(_) => "write the rows with tabs between cells, as .tsv",
            Self::Quoting(_) => "write the rows as JSON Lines, where quotes are plain",
            Self::Header(true) | Self::Columns => {
                "name the columns sentence1 and sentence2 in the first row of a .csv file"
            }
            Self::Label => "name the column of the label score in the first row",
            Self::Triplet => "name the columns anchor, positive and negative in the first row",
            Self::Text => "name the column text in the first row",
            Self::List => "name the columns query, docs and labels, or query, positive, negative_1",
            Self::Format(format) => {
                return Some(format!("give the file the extension .{}", format.name()));
            }
            Self::Split => "write the rows of one split to a file of their own",
            Self::Skip(_) => "remove such rows",
            Self::Classes => "write numbers in place of classes",
            Self::DecimalComma | Self::DecimalPoint => "write numbers as 3.5, with a point",
        };
        Some(text.into())
    }
}

fn toml_char(c: char) -> String {
    match c {
        '\t' => r#""\t""#.into(),
        c => format!("\"{c}\""),
    }
}

/// Remedies in one sentence: what `say` has no words for is left out.
pub(super) fn sentence(remedies: &[Remedy], say: &dyn Fn(&Remedy) -> Option<String>) -> String {
    let mut said: Vec<String> = Vec::new();
    for text in remedies.iter().filter_map(say) {
        if !said.contains(&text) {
            said.push(text);
        }
    }
    debug_assert!(said.iter().all(|text| !text.starts_with("or ")));
    said.join(", or ")
}
