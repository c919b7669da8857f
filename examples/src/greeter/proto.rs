//! What `build.rs` makes of `proto/greeter.proto`: messages, client and server.
#![expect(
    clippy::allow_attributes_without_reason,
    reason = "tonic's generator writes some"
)]

tonic::include_proto!("greeter.v1");

impl From<&str> for HelloRequest {
    fn from(name: &str) -> Self {
        let name = name.to_owned();
        Self { name }
    }
}
