//! Reads ahead on a thread of its own, so that a single huge gz is inflated while its rows are parsed.

use std::io::{Error, ErrorKind, Read, Result};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

/// What is read at once.
const BLOCK: usize = 128 * 1024;
/// So many blocks are read ahead.
const BLOCKS: usize = 4;

/// A reader that another thread fills.
pub(super) struct Ahead {
    blocks: Receiver<Result<Vec<u8>>>,
    /// Blocks that have been read go back to be filled again.
    used: Sender<Vec<u8>>,
    block: Vec<u8>,
    taken: usize,
}

impl Ahead {
    /// Starts to read; the thread ends with the input, with an error, or when this is dropped.
    pub(super) fn start(inner: impl Read + Send + 'static) -> Result<Self> {
        let (filled, blocks) = sync_channel(BLOCKS);
        let (used, free) = channel();
        thread::Builder::new().name("inflate".to_owned()).spawn(move || fill(inner, &filled, &free))?;
        Ok(Self { blocks, used, block: Vec::new(), taken: 0 })
    }
}

fn fill(mut inner: impl Read, filled: &SyncSender<Result<Vec<u8>>>, free: &Receiver<Vec<u8>>) {
    loop {
        let mut block = free.try_recv().unwrap_or_default();
        block.resize(BLOCK, 0);
        let read = read_full(&mut inner, &mut block);
        let ended = !matches!(read, (BLOCK, None));
        block.truncate(read.0);
        if filled.send(Ok(block)).is_err() {
            return;
        }
        if let Some(error) = read.1 {
            // Nobody is left to be told if this fails.
            let _ = filled.send(Err(error));
        }
        if ended {
            return;
        }
    }
}

/// How much of the block is filled when it is full or the input ends, and the error it ended with.
fn read_full(inner: &mut impl Read, block: &mut [u8]) -> (usize, Option<Error>) {
    let mut filled = 0;
    while filled < block.len() {
        match inner.read(&mut block[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return (filled, Some(error)),
        }
    }
    (filled, None)
}

impl Read for Ahead {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        while self.taken == self.block.len() {
            // The thread has ended, and with it the input.
            let Ok(next) = self.blocks.recv() else { return Ok(0) };
            let used = std::mem::replace(&mut self.block, next?);
            self.taken = 0;
            // A thread that has ended needs no more blocks.
            let _ = self.used.send(used);
        }
        let rest = &self.block[self.taken..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.taken += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a few bytes at a time, then breaks.
    struct Breaks(usize);

    impl Read for Breaks {
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
            let count = buffer.len().min(7).min(700_000 - self.0);
            if count == 0 && !buffer.is_empty() {
                return Err(Error::new(ErrorKind::InvalidData, "broken"));
            }
            for byte in &mut buffer[..count] {
                *byte = self.0.to_le_bytes()[0];
                self.0 += 1;
            }
            Ok(count)
        }
    }

    #[test]
    fn what_comes_before_a_break_is_read_and_then_the_break() {
        let mut plain = Vec::new();
        let expected = Breaks(0).read_to_end(&mut plain).unwrap_err().to_string();
        let mut ahead = Vec::new();
        let error = Ahead::start(Breaks(0)).unwrap().read_to_end(&mut ahead).unwrap_err().to_string();
        assert_eq!((error, ahead == plain), (expected, true));
    }

    #[test]
    fn whole_blocks_and_no_blocks_end() {
        for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 6 * BLOCK] {
            let bytes: Vec<u8> = (0..length).map(|at| at.to_le_bytes()[0]).collect();
            let mut read = Vec::new();
            Ahead::start(std::io::Cursor::new(bytes.clone())).unwrap().read_to_end(&mut read).unwrap();
            assert!(read == bytes, "{length}");
        }
    }

    #[test]
    fn dropping_it_ends_the_thread() {
        let mut ahead = Ahead::start(std::io::repeat(1)).unwrap();
        ahead.read_exact(&mut [0; 10]).unwrap();
        drop(ahead);
    }
}
