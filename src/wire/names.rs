//! A list of names in one piece: each name takes its bytes and the size of one number, and no allocation of its own.

/// Names of databases, unchanged: they need not be UTF-8.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    bytes: Vec<u8>,
    /// The end of each name in `bytes`.
    ends: Vec<usize>,
}

impl Names {
    /// Returns each name, in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        let ends = self.ends.iter().copied();
        begins
            .zip(ends)
            .map(|(begin, end)| self.bytes.get(begin..end).unwrap_or_default())
    }

    /// Creates an empty list in these two empty vectors, whose capacity the caller has chosen.
    pub(super) fn with_buffers(ends: Vec<usize>, bytes: Vec<u8>) -> Names {
        Names { bytes, ends }
    }

    pub(super) fn push(&mut self, name: &[u8]) {
        self.bytes.extend(name);
        self.ends.push(self.bytes.len());
    }
}

impl<'a> FromIterator<&'a [u8]> for Names {
    fn from_iter<T: IntoIterator<Item = &'a [u8]>>(names: T) -> Names {
        let mut all = Names::default();
        names.into_iter().for_each(|name| all.push(name));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_returned_unchanged() {
        let names = [&b"a"[..], b"", b"\xff\xfe", b"name"];
        let all: Names = names.into_iter().collect();
        assert_eq!(all.iter().collect::<Vec<_>>(), names);
        assert_eq!(Names::default().iter().count(), 0);
    }
}
