//! Checks of the control plane: kubelets, the API by way of its Service, webhooks, aggregated APIs. One file each, named
//! as the check.

pub(crate) mod net_apisvc;
pub(crate) mod net_kubelet;
pub(crate) mod net_webhook;

use observation::Topic;

const TOPICS: &[Topic] = &[Topic::ControlPlane];
