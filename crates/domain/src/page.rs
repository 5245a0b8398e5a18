//! Paging of lists, one code for all of them.

use crate::error::InvalidInput;

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    /// How many entries at most, 1 or more.
    pub limit: u64,
    /// How many entries to pass over.
    pub offset: u64,
}

impl PageRequest {
    /// Page `page` (from 1) of `limit` entries, where `max` is the most a page may hold:
    /// a larger limit is lowered to it.
    ///
    /// # Errors
    /// A page or a limit under 1.
    pub fn page(page: i64, limit: i64, max: u64) -> Result<Self, InvalidInput> {
        let limit = Self::limit(limit, max)?;
        let page = u64::try_from(page)
            .ok()
            .filter(|page| *page >= 1)
            .ok_or_else(|| InvalidInput::member("page", "must be 1 or more"))?;
        Ok(Self {
            limit,
            offset: (page - 1).saturating_mul(limit).min(i64::MAX as u64),
        })
    }

    /// `limit` entries after the first `offset`, named `parameter` by the client; the limit as
    /// for [`Self::page`].
    ///
    /// # Errors
    /// A limit under 1, an offset under 0.
    pub fn window(
        parameter: &str,
        offset: i64,
        limit: i64,
        max: u64,
    ) -> Result<Self, InvalidInput> {
        let limit = Self::limit(limit, max)?;
        let offset = u64::try_from(offset)
            .map_err(|_| InvalidInput::member(parameter, "must be 0 or more"))?;
        Ok(Self { limit, offset })
    }

    fn limit(limit: i64, max: u64) -> Result<u64, InvalidInput> {
        match u64::try_from(limit) {
            Ok(limit) if limit >= 1 => Ok(limit.min(max)),
            _ => Err(InvalidInput::member("limit", "must be 1 or more")),
        }
    }
}

/// A part of a list, with the number of all its entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The entries of this part, in the list's order.
    pub items: Vec<T>,
    /// How many entries the whole list has.
    pub total: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_over_the_maximum_is_lowered_and_one_under_1_refused() {
        assert_eq!(
            PageRequest::page(3, 500, 100).unwrap(),
            PageRequest {
                limit: 100,
                offset: 200
            }
        );
        let window = PageRequest {
            limit: 100,
            offset: 7,
        };
        assert_eq!(PageRequest::window("skip", 7, 500, 100), Ok(window));
        assert!(PageRequest::window("skip", -1, 5, 100).is_err());
        for (page, limit) in [(1, 0), (1, -1), (0, 10), (-1, 10)] {
            assert!(PageRequest::page(page, limit, 100).is_err());
        }
    }
}
