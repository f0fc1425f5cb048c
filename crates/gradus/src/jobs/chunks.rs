//! Input in chunks, read by a thread of its own.

use super::JobError;
use crate::data::DataError;
use crate::{Error, Result};
use std::path::Path;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread::JoinHandle;

/// The most items of a chunk that the host works on. Enough to keep every thread busy, few enough
/// to hold.
pub const CHUNK: usize = 1024;

/// Items in their order, some at a time.
///
/// Of what is at hand each chunk but the last is full. Of a stream a chunk holds what has arrived,
/// up to a limit, so that a person or program that writes one line and waits for the answer gets
/// it. At most one chunk is read ahead.
pub struct Chunks<T> {
    source: Source<T>,
    /// Whether a chunk waits until it is full.
    full: bool,
    failure: Option<Error>,
}

type Items<T> = Box<dyn Iterator<Item = Result<T>>>;

enum Source<T> {
    Unread(Box<dyn FnOnce() -> Result<Items<T>> + Send>),
    Read {
        items: Receiver<Result<T>>,
        reader: Option<JoinHandle<()>>,
    },
    Ended,
}

impl<T: Send + 'static> Chunks<T> {
    /// Reads what `open` opens, a file or a list, until its end or first error, from the first
    /// chunk on. A file without any pair counts as one that has ended.
    pub fn read<I>(open: impl FnOnce() -> Result<I> + Send + 'static) -> Self
    where
        I: Iterator<Item = Result<T>> + 'static,
    {
        let open = || open().map(|items| Box::new(items) as Items<T>);
        Self {
            source: Source::Unread(Box::new(open)),
            full: true,
            failure: None,
        }
    }

    /// The same of a stream, whose writer may wait for answers before it goes on.
    pub fn stream<I>(open: impl FnOnce() -> Result<I> + Send + 'static) -> Self
    where
        I: Iterator<Item = Result<T>> + 'static,
    {
        Self {
            full: false,
            ..Self::read(open)
        }
    }

    /// [`read`](Self::read) of an ordinary file, [`stream`](Self::stream) of a pipe or device.
    pub fn read_file<I>(path: &Path, open: impl FnOnce() -> Result<I> + Send + 'static) -> Self
    where
        I: Iterator<Item = Result<T>> + 'static,
    {
        match std::fs::metadata(path).is_ok_and(|file| file.is_file()) {
            true => Self::read(open),
            false => Self::stream(open),
        }
    }

    /// A thread that reads, at most so many items ahead.
    fn start(&mut self, most: usize) -> Result<()> {
        let open = match std::mem::replace(&mut self.source, Source::Ended) {
            Source::Unread(open) => open,
            started => {
                self.source = started;
                return Ok(());
            }
        };
        let (sender, items) = sync_channel(most);
        let work = move || {
            let rows = match open() {
                Ok(rows) => rows,
                Err(Error::Data(DataError::Empty { .. })) => return,
                Err(e) => {
                    // Nobody listens any more when the job has failed.
                    let _ = sender.send(Err(e));
                    return;
                }
            };
            for row in rows {
                let last = row.is_err();
                if sender.send(row).is_err() || last {
                    return;
                }
            }
        };
        let reader = std::thread::Builder::new()
            .name("gradus-reader".into())
            .spawn(work)
            .map_err(Error::io("a thread to read input"))?;
        self.source = Source::Read {
            items,
            reader: Some(reader),
        };
        Ok(())
    }

    /// The next chunk of at most so many items, never empty; `None` at the end. What was read
    /// before an error comes first.
    pub fn next_chunk(&mut self, most: usize) -> Result<Option<Vec<T>>> {
        self.start(most)?;
        let mut chunk = Vec::new();
        while self.failure.is_none() && chunk.len() < most {
            let Source::Read { items, .. } = &self.source else {
                break;
            };
            let item = if self.full || chunk.is_empty() {
                items.recv().map_err(|_| TryRecvError::Disconnected)
            } else {
                items.try_recv()
            };
            match item {
                Ok(Ok(item)) => chunk.push(item),
                Ok(Err(e)) => self.failure = Some(JobError::input(e)),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    self.join()?;
                    break;
                }
            }
        }
        match self.failure.take() {
            Some(failure) if chunk.is_empty() => Err(failure),
            failure => {
                self.failure = failure;
                Ok((!chunk.is_empty()).then_some(chunk))
            }
        }
    }

    /// A reader that broke down must not pass for one that reached the end.
    fn join(&mut self) -> Result<()> {
        let Source::Read { reader, .. } = &mut self.source else {
            return Ok(());
        };
        match reader.take().map(JoinHandle::join) {
            Some(Err(_)) => Err(Error::Internal("the reader of the input broke down".into())),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(items: Vec<Result<usize>>) -> (Vec<usize>, Option<Error>) {
        let mut chunks = Chunks::stream(|| Ok(items.into_iter()));
        let mut all = Vec::new();
        loop {
            match chunks.next_chunk(CHUNK) {
                Ok(Some(chunk)) => {
                    assert!((1..=CHUNK).contains(&chunk.len()));
                    all.extend(chunk);
                }
                Ok(None) => return (all, None),
                Err(failure) => return (all, Some(failure)),
            }
        }
    }

    #[test]
    fn items_keep_their_order() {
        let many = 3 * CHUNK + 7;
        let (all, failure) = collect((0..many).map(Ok).collect());
        assert!(failure.is_none());
        assert!(all.into_iter().eq(0..many));
        assert_eq!(collect(vec![]).0.len(), 0);
    }

    #[test]
    fn what_is_at_hand_fills_its_chunks_however_slowly_it_is_read() {
        let slow = |i| {
            std::thread::yield_now();
            Ok(i)
        };
        let mut chunks = Chunks::read(move || Ok((0..25).map(slow)));
        let sizes: Vec<usize> = std::iter::from_fn(|| chunks.next_chunk(10).unwrap())
            .map(|chunk| chunk.len())
            .collect();
        assert_eq!(sizes, [10, 10, 5]);
    }

    /// The second item comes when the first one has been answered.
    #[test]
    fn a_writer_that_waits_for_its_answer_gets_it() {
        let (writer, stream) = sync_channel(1);
        let mut chunks = Chunks::stream(|| Ok(stream.into_iter().map(Ok)));
        for i in 0..3 {
            writer.send(i).unwrap();
            assert_eq!(chunks.next_chunk(10).unwrap(), Some(vec![i]));
        }
        drop(writer);
        assert_eq!(chunks.next_chunk(10).unwrap(), None);
    }

    #[test]
    fn what_came_before_an_error_comes_first() {
        let bad = Error::Internal("bad".into());
        let (all, failure) = collect(vec![Ok(1), Ok(2), Err(bad), Ok(3)]);
        assert_eq!(all, [1, 2]);
        assert!(matches!(failure, Some(Error::Job(JobError::Input(_)))));
    }
}
