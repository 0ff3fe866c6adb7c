//! The CNI, as the API shows it.

use observation::Cni;

use crate::cluster::Cluster;

impl Cluster {
    /// Reads what the API shows of the CNI. `read_at` is the time now, RFC 3339, UTC.
    pub async fn cni(&self, read_at: String) -> Cni {
        Cni { read_at }
    }
}
