//! Telling a caller how a fetch gets on.

/// Hears how a fetch gets on, so that a command can draw bars. All methods have
/// a silent default.
pub trait Progress {
    /// The transfer of `name` begins, `already` of its `total` bytes being here
    /// from an earlier attempt. Called again when a dropped connection is taken
    /// up anew.
    fn start(&mut self, _name: &str, _total: Option<u64>, _already: u64) {}

    /// So many more bytes arrived.
    fn advance(&mut self, _bytes: u64) {}

    /// The file is complete and its checksum is right.
    fn finish(&mut self) {}

    /// Something a person waiting would like to know, such as whom we wait for.
    fn note(&mut self, _message: &str) {}
}

/// Reports nothing.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoProgress;

impl Progress for NoProgress {}
