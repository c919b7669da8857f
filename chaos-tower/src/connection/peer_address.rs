//! The address of the peer that sent a request, as far as the server knows it.

use std::net::IpAddr;

use http::Extensions;

/// Returns the IP address of the peer of the connection that a request came on: from axum's
/// `ConnectInfo<SocketAddr>`, or tonic's `TcpConnectInfo`.
pub(crate) fn peer_address(extensions: &Extensions) -> Option<IpAddr> {
    #[cfg(feature = "axum")]
    if let Some(info) = extensions.get::<axum::extract::ConnectInfo<std::net::SocketAddr>>() {
        return Some(info.0.ip());
    }
    #[cfg(feature = "tonic")]
    {
        use tonic::transport::server::TcpConnectInfo;

        let info = extensions.get::<TcpConnectInfo>();
        // On wrapped connections, the handle takes the place of the connect info.
        #[cfg(feature = "connection")]
        let info = info.or_else(|| {
            crate::connection::handle::ConnectionHandle::of(extensions)?
                .connect_info::<TcpConnectInfo>()
        });
        if let Some(info) = info {
            return info.remote_addr.map(|peer| peer.ip());
        }
    }
    // Without either feature, no address is known.
    let _ = extensions;
    None
}
