//! wip
pub mod proto;
/// wip
pub async fn serve(
    _n: std::sync::Arc<crate::node::Node>,
    _l: tokio::net::TcpListener,
    _s: impl Future<Output = ()>,
) -> Result<(), std::io::Error> {
    Ok(())
}
