//! A file whose end is an error. The Parquet reader skips what it does not know of a page's header, and at the end of the file
//! it would skip on and on, as often as the header says, which may be billions of times.

use std::fs::File;
use std::io::{self, BufReader, Read};

use ::parquet::errors::Result;
use ::parquet::file::reader::{ChunkReader, Length};
use bytes::Bytes;

use super::ranges::{Ranges, RangesReader};

/// A file to read pages from.
#[derive(Debug)]
pub(crate) enum Finite {
    File(File),
    Object(Ranges),
}

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

/// Reads a file or what is held of an object.
#[derive(Debug)]
pub(crate) enum Bytewise {
    File(BufReader<File>),
    Object(RangesReader),
}

impl Read for Bytewise {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(into),
            Self::Object(object) => object.read(into),
        }
    }
}

impl Finite {
    /// The same once more.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::File(file) => file.try_clone().map(Self::File),
            Self::Object(object) => Ok(Self::Object(object.clone())),
        }
    }
}

impl Length for Finite {
    fn len(&self) -> u64 {
        match self {
            Self::File(file) => file.len(),
            Self::Object(object) => object.size(),
        }
    }
}

impl ChunkReader for Finite {
    type T = Ending<Bytewise>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        Ok(Ending(match self {
            Self::File(file) => Bytewise::File(file.get_read(start)?),
            Self::Object(object) => Bytewise::Object(object.reader(start)),
        }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        match self {
            Self::File(file) => file.get_bytes(start, length),
            Self::Object(object) => Ok(object.bytes(start, length)?),
        }
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
