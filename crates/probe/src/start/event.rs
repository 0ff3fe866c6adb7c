//! What a start is asked for, what it hears of, and what it gives back.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use observation::ProbePod;
use report::Gap;

use crate::agent::Architecture;
use crate::kubelet::KubeletView;
use crate::over::Over;
use crate::trouble::Trouble;

/// A node where a pod is wanted, with the images to try.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) node: String,
    pub(crate) architecture: Architecture,
    /// Best first; at least one.
    pub(crate) images: Vec<String>,
}

/// A node whose probe pod is ready.
pub(crate) type Told = (String, ProbePod);

/// What became of each node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Started {
    pub(crate) ready: BTreeMap<String, ProbePod>,
    pub(crate) failed: BTreeMap<String, Gap>,
    pub(crate) notes: Vec<String>,
}

/// What the loop hears of.
#[derive(Debug)]
pub(crate) enum Event {
    /// The API server took a pod, or did not.
    Answered {
        slot: usize,
        attempt: u32,
        result: Result<(), Trouble>,
    },
    /// A pod is there or has changed.
    Seen(Box<Pod>),
    /// A pod is gone.
    Gone(Box<Pod>),
    /// A kubelet that had done nothing was looked at.
    Kubelet { slot: usize, view: Box<KubeletView> },
    /// The events of a pod that hangs were looked at.
    Hanging {
        slot: usize,
        attempt: u32,
        result: Result<Option<Over>, Trouble>,
    },
}
