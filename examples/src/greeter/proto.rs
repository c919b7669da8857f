//! The messages, client and server that `build.rs` generates from `proto/greeter.proto`.
#![expect(
    clippy::allow_attributes_without_reason,
    reason = "the code that tonic generates contains some"
)]
#![allow(
    clippy::missing_errors_doc,
    reason = "the code that tonic generates has no such sections"
)]

tonic::include_proto!("greeter.v1");

impl From<&str> for HelloRequest {
    fn from(name: &str) -> Self {
        let name = name.to_owned();
        Self { name }
    }
}
