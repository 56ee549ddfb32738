//! A file whose end is an error. The Parquet reader skips what it does not know of a page's header, and at the end of the file
//! it would skip on and on, as often as the header says, which may be billions of times.

use std::fs::File;
use std::io::{self, BufReader, Read};

use ::parquet::errors::Result;
use ::parquet::file::reader::{ChunkReader, Length};
use bytes::Bytes;

/// A file to read pages from.
#[derive(Debug)]
pub(crate) struct Finite(pub(crate) File);

/// Reads, and fails where nothing is left.
#[derive(Debug)]
pub(crate) struct Ending<R>(R);

impl<R: Read> Read for Ending<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.0.read(into)? {
            0 if !into.is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
            read => Ok(read),
        }
    }
}

impl Length for Finite {
    fn len(&self) -> u64 {
        self.0.len()
    }
}

impl ChunkReader for Finite {
    type T = Ending<BufReader<File>>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        self.0.get_read(start).map(Ending)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        self.0.get_bytes(start, length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_an_error_and_all_before_it_is_read() {
        let mut reader = Ending(&b"ab"[..]);
        let mut bytes = [0; 3];
        assert_eq!(reader.read(&mut bytes).unwrap(), 2);
        assert_eq!(reader.read(&mut []).unwrap(), 0);
        assert_eq!(reader.read(&mut bytes).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
