//! The integration tests, in one binary.

mod documents;
mod lang_props;
