//! One file per command; `main` chooses. Shared knowledge lives one level up.

pub mod bench;
pub mod build_web;
pub mod lint;
pub mod pack;
pub mod run;
pub mod test;
