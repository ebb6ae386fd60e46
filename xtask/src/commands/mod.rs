//! One file per command; `main` chooses. Shared knowledge lives one level up.

pub mod build_web;
