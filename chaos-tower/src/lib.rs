//! placeholder

mod cold;
mod future;
mod layer;
mod service;
mod surface;

pub use crate::{
    future::ResponseFuture,
    layer::InjectLayer,
    service::Inject,
    surface::{FAULT_HEADER, Keep, Surface},
};
