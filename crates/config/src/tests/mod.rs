//! One file per behaviour; each goes through [`Loader`](crate::Loader) as the binary does.

mod defaults;
