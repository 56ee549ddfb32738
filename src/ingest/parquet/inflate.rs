//! gzip pages in one go: the size is known, so that nothing has to be moved afterwards.

use flate2::{Decompress, FlushDecompress, Status};

/// Deflate makes no byte out of less than a 1032nd.
const MOST_RATIO: usize = 1032;
/// The inflater is fastest while it has room for the longest match, and so are those who read the page.
pub(super) const SLACK: usize = 320;

/// Appends what these gzip members hold to the first `start` bytes of `out`; how many bytes that are in all. `out` is
/// longer by some bytes that mean nothing. None: damaged, or more than `most` bytes.
pub(super) fn inflate(input: &[u8], out: &mut Vec<u8>, start: usize, most: usize) -> Option<usize> {
    let mut filled = start;
    let mut rest = input;
    while !rest.is_empty() {
        // The last four bytes say how much there is, and no more than that is believed.
        let declared = rest.last_chunk().map_or(0, |size| u32::from_le_bytes(*size) as usize);
        let possible = rest.len().saturating_mul(MOST_RATIO).min(most);
        reserve(out, filled + declared.min(possible));
        let mut member = Decompress::new_gzip(15);
        let begin = filled;
        loop {
            let taken = usize::try_from(member.total_in()).ok()?;
            let status =
                member.decompress(rest.get(taken..)?, out.get_mut(filled..)?, FlushDecompress::Finish);
            let before = filled;
            filled = begin + usize::try_from(member.total_out()).ok()?;
            match status.ok()? {
                Status::StreamEnd => break,
                _ if filled > most => return None,
                Status::Ok | Status::BufError if filled == out.len() => reserve(out, filled * 2),
                Status::Ok if filled > before => {}
                Status::Ok | Status::BufError => return None,
            }
        }
        rest = rest.get(usize::try_from(member.total_in()).ok()?..)?;
    }
    reserve(out, filled);
    Some(filled)
}

fn reserve(out: &mut Vec<u8>, size: usize) {
    let size = size.saturating_add(SLACK);
    if out.len() < size {
        out.resize(size, 0);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn members_come_one_after_the_other_behind_what_is_there() {
        let first: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        for second in [&b""[..], b"short", &first] {
            let mut out = b"levels".to_vec();
            let size = inflate(&[gzip(&first), gzip(second)].concat(), &mut out, 6, 1 << 20).unwrap();
            assert_eq!(out[..size], [b"levels", &first[..], second].concat());
            assert!(out.len() >= size + SLACK);
        }
        let mut out = Vec::new();
        assert_eq!(inflate(b"", &mut out, 0, 1 << 20), Some(0));
        assert_eq!(inflate(&gzip(&first), &mut Vec::new(), 0, 1000), None);
    }

    #[test]
    fn damage_is_told_and_a_declared_size_is_not_believed() {
        let whole = gzip(&[7; 10_000]);
        for at in [0, 20, whole.len() - 5] {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x55;
            assert_eq!(inflate(&damaged, &mut Vec::new(), 0, 1 << 20), None, "{at}");
        }
        assert_eq!(inflate(&whole[..whole.len() - 1], &mut Vec::new(), 0, 1 << 20), None);
        let mut large = whole;
        large.extend([0xff; 4]);
        let mut out = Vec::new();
        assert_eq!(inflate(&large, &mut out, 0, 1 << 20), None);
        assert!(out.len() < 1 << 20, "{}", out.len());
    }
}
