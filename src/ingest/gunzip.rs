//! gzip, one member after another, that loses nothing before a break.
//!
//! The decoders of `flate2` drop what the failing call had inflated, up to some hundred kilobytes of good records. This
//! one hands it out first. Zeros behind the last member are padding; anything else there is an error.

use std::io::{BufRead, Error, ErrorKind, Read, Result};

use flate2::{Crc, Decompress, FlushDecompress, Status};

/// How a member starts.
pub(super) const MAGIC: &[u8] = &[0x1f, 0x8b];
const DEFLATE: u8 = 8;

enum State {
    Header,
    Body,
    Trailer,
    End,
}

/// Inflates what the inner reader holds.
pub(super) struct Gunzip<R> {
    inner: R,
    state: State,
    inflate: Decompress,
    crc: Crc,
    broken: Option<Error>,
}

impl<R: BufRead> Gunzip<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, state: State::Header, inflate: Decompress::new(false), crc: Crc::new(), broken: None }
    }

    fn header(&mut self) -> Result<()> {
        let [first, second, method, flags, ..] = self.take::<10>()?;
        if [first, second] != MAGIC || method != DEFLATE {
            return Err(Error::new(ErrorKind::InvalidData, "bytes that are no gzip member"));
        }
        if flags & 4 != 0 {
            let length = u16::from_le_bytes(self.take()?);
            for _ in 0..length {
                self.take::<1>()?;
            }
        }
        // A name and a comment, each up to a zero byte.
        for flag in [8, 16] {
            if flags & flag != 0 {
                while self.take()? != [0] {}
            }
        }
        if flags & 2 != 0 {
            self.take::<2>()?;
        }
        self.inflate.reset(false);
        self.crc.reset();
        Ok(())
    }

    fn body(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let input = self.inner.fill_buf()?;
        let at_end = input.is_empty();
        let (taken, given) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self.inflate.decompress(input, buffer, FlushDecompress::None);
        let taken = usize::try_from(self.inflate.total_in() - taken).unwrap_or(usize::MAX);
        let given = usize::try_from(self.inflate.total_out() - given).unwrap_or(usize::MAX);
        self.inner.consume(taken);
        self.crc.update(&buffer[..given]);
        match status {
            Ok(Status::StreamEnd) => self.state = State::Trailer,
            Ok(Status::Ok | Status::BufError) if given == 0 && at_end => {
                return Err(Error::new(ErrorKind::UnexpectedEof, "the file ends too early"));
            }
            Ok(Status::Ok | Status::BufError) => {}
            Err(_) => self.broken = Some(Error::new(ErrorKind::InvalidData, "damaged data")),
        }
        Ok(given)
    }

    fn trailer(&mut self) -> Result<()> {
        let sum = u32::from_le_bytes(self.take()?);
        let length = u32::from_le_bytes(self.take()?);
        if sum != self.crc.sum() || length != self.crc.amount() {
            return Err(Error::new(ErrorKind::InvalidData, "damaged data (the checksum differs)"));
        }
        while let Some(0) = self.inner.fill_buf()?.first() {
            self.inner.consume(1);
        }
        self.state = if self.inner.fill_buf()?.is_empty() { State::End } else { State::Header };
        Ok(())
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.inner.read_exact(&mut bytes).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => Error::new(ErrorKind::UnexpectedEof, "the file ends too early"),
            _ => error,
        })?;
        Ok(bytes)
    }
}

impl<R: BufRead> Read for Gunzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if let Some(error) = self.broken.take() {
                return Err(error);
            }
            match self.state {
                State::Header => {
                    self.header()?;
                    self.state = State::Body;
                }
                State::Body => match self.body(buffer)? {
                    0 => {}
                    count => return Ok(count),
                },
                State::Trailer => self.trailer()?,
                State::End => return Ok(0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, GzBuilder};

    use super::*;

    fn member(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzBuilder::new()
            .filename("a name")
            .comment("a comment")
            .extra(vec![1, 2, 3])
            .write(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> (Vec<u8>, Option<String>) {
        let mut text = Vec::new();
        let error = Gunzip::new(std::io::BufReader::with_capacity(7, bytes)).read_to_end(&mut text).err();
        (text, error.map(|error| error.to_string()))
    }

    #[test]
    fn members_follow_each_other_and_zeros_are_padding() {
        let two = [member(b"one"), member(b""), member(b"two")].concat();
        assert_eq!(read(&two), (b"onetwo".to_vec(), None));
        assert_eq!(read(&[two.clone(), vec![0; 100]].concat()), (b"onetwo".to_vec(), None));
        let (text, error) = read(&[&two[..], b"more"].concat());
        assert_eq!((text, error.is_some()), (b"onetwo".to_vec(), true));
    }

    #[test]
    fn a_break_loses_nothing_before_it() {
        let text: Vec<u8> =
            (0..200_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
        let whole = member(&text);
        for at in [whole.len() / 3, whole.len() / 2, whole.len() - 4] {
            let (read, error) = read(&whole[..at]);
            assert!(error.is_some_and(|error| error.contains("early")));
            assert!(
                text.starts_with(&read) && read.len() * whole.len() / at > text.len() * 9 / 10,
                "{at}: {}",
                read.len()
            );
        }
    }
}
