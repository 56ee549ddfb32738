//! The dictionary of a column: what its keys stand for, looked at once.

use super::codes::{Role, SLOW};
use super::column::Physical;
use super::pages::Stored;

/// The values that keys stand for, and their codes.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    stored: Stored,
    /// Where each value starts; texts start with their length.
    places: Vec<u32>,
    codes: Vec<u64>,
}

impl Dictionary {
    /// One without values that will use this space.
    pub(super) fn new(space: Vec<u8>) -> Self {
        Self { stored: Stored::Inflated(space, 0), ..Self::default() }
    }

    /// The space it takes.
    pub(super) fn into_space(self) -> Vec<u8> {
        self.stored.into_space()
    }

    /// Takes in a page of so many values, and leaves its space for the next. None: it does not hold them.
    pub(super) fn load(
        &mut self,
        page: &mut Stored,
        values: usize,
        physical: Physical,
        role: Role,
    ) -> Option<()> {
        std::mem::swap(&mut self.stored, page);
        self.places.clear();
        self.codes.clear();
        let page = self.stored.bytes();
        let mut at = 0;
        // The count is only declared, the page is there: its values come first.
        for _ in 0..values {
            self.places.push(u32::try_from(at).ok()?);
            let (code, next) = if physical == Physical::Text {
                let text = text_at(page, at)?;
                (role.encode_text(text), at + 4 + text.len())
            } else {
                let (number, next) = physical.number(page, at)?;
                (role.encode_number(number), next)
            };
            self.codes.push(code);
            at = next;
        }
        Some(())
    }

    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// The code of a key.
    #[inline]
    pub(super) fn code(&self, key: u32) -> u64 {
        self.codes.get(key as usize).copied().unwrap_or(SLOW)
    }

    /// The page and where in it the value of a key is.
    pub(super) fn place(&self, key: u32) -> Option<(&[u8], usize)> {
        Some((self.stored.bytes(), *self.places.get(key as usize)? as usize))
    }
}

/// The text whose length stands at this place.
#[inline]
pub(super) fn text_at(page: &[u8], at: usize) -> Option<&[u8]> {
    let (length, text) = page.get(at..)?.split_first_chunk()?;
    text.get(..u32::from_le_bytes(*length) as usize)
}
