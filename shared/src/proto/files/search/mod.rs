//! Finding files: the words of what is searched, signed listings, who is asked, and what becomes of the answers.
//!
//! Knows no network: a node gives listings from its [`Catalogue`], whoever searches puts them into [`Hits`].

mod catalogue;
mod hits;
mod listing;
mod places;
mod sharers;
mod words;

pub use self::catalogue::Catalogue;
pub use self::hits::{Hit, Hits};
pub use self::listing::{LISTING_DOMAIN, Listing, Signed};
pub use self::places::{holders, word};
pub use self::sharers::Sharers;
pub use self::words::tokens;

#[cfg(test)]
mod testing;
