//! Parts of the rows of a file.

use std::fmt;
use std::str::FromStr;

/// One of several parts of the rows: of `of` rows that follow each other the one in place
/// `number`, counted from 1. Written as `3/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which.
    pub number: u64,
    /// Of how many.
    pub of: u64,
}

impl Shard {
    /// Whether a row is in it, by its place counted from 0.
    pub fn has(self, row: u64) -> bool {
        row % self.of == self.number - 1
    }

    /// How many of the first `rows` rows are in it.
    pub fn rows_of(self, rows: u64) -> u64 {
        (rows + self.of - self.number) / self.of
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse::<u64>().ok();
        let parts = text.split_once('/');
        match parts.and_then(|(n, of)| Some((number(n)?, number(of)?))) {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Self { number, of }),
            _ => Err("expected I/N, such as 1/4: part I of N, counted from 1".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_in_one_part() {
        for of in 1..6 {
            let parts: Vec<Shard> = (1..=of).map(|number| Shard { number, of }).collect();
            for rows in 0..20 {
                let mut all = 0;
                for part in &parts {
                    let own = (0..rows).filter(|row| part.has(*row)).count() as u64;
                    assert_eq!(own, part.rows_of(rows), "{part} of {rows}");
                    all += own;
                }
                assert_eq!(all, rows);
            }
        }
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!("3/8".parse(), Ok(Shard { number: 3, of: 8 }));
        assert_eq!(Shard { number: 3, of: 8 }.to_string(), "3/8");
        for bad in ["", "3", "0/8", "9/8", "3/0", "-1/2", "a/b", "1/2/3"] {
            assert!(bad.parse::<Shard>().is_err(), "{bad}");
        }
    }
}
