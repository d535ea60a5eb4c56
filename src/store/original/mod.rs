//! Files of the Python original: read into ours, converted in place, and written.

pub mod export;
pub mod export_own;
pub mod import;
pub mod merge;
pub mod own;
pub mod rows;
pub mod tables;
pub mod take_over;
pub mod text;
pub mod zone;
