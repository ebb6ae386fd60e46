//! native node
