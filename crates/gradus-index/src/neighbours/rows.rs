/// Which rows count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    bits: Vec<u64>,
    len: usize,
}

impl Rows {
    /// All of so many.
    pub fn all(len: usize) -> Self {
        let mut rows = Self {
            bits: vec![u64::MAX; len.div_ceil(64)],
            len,
        };
        if let Some(last) = rows.bits.last_mut()
            && !len.is_multiple_of(64)
        {
            *last = (1 << (len % 64)) - 1;
        }
        rows
    }

    /// None of so many.
    pub fn none(len: usize) -> Self {
        Self {
            bits: vec![0; len.div_ceil(64)],
            len,
        }
    }

    /// How many there are, of those that count and those that do not.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many count.
    pub fn count(&self) -> usize {
        self.bits
            .iter()
            .map(|bits| bits.count_ones() as usize)
            .sum()
    }

    /// Leaves a row out.
    ///
    /// # Panics
    /// Where there is no such row.
    pub fn remove(&mut self, row: usize) {
        assert!(row < self.len, "no such row");
        self.bits[row / 64] &= !(1 << (row % 64));
    }

    /// Takes a row in.
    ///
    /// # Panics
    /// Where there is no such row.
    pub fn insert(&mut self, row: usize) {
        assert!(row < self.len, "no such row");
        self.bits[row / 64] |= 1 << (row % 64);
    }

    /// Whether a row counts.
    #[inline(always)]
    pub fn has(&self, row: usize) -> bool {
        let bits = self.bits.get(row / 64).copied().unwrap_or(0);
        bits >> (row % 64) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_there_until_they_are_removed() {
        for len in [0, 1, 63, 64, 65, 200] {
            let mut rows = Rows::all(len);
            assert_eq!((rows.count(), rows.len()), (len, len));
            assert!(!rows.has(len) && !rows.has(len + 1000));
            for row in (0..len).step_by(3) {
                rows.remove(row);
            }
            assert_eq!(rows.count(), len - len.div_ceil(3));
            assert!((0..len).all(|row| rows.has(row) == (row % 3 > 0)));
        }
    }
}
