//! The attribute macro of chaos-core: a whole function as a site.
#![forbid(unsafe_code)]
