//! What TLS and proxies say: a connection was made, and more went wrong.

use super::cause;
use crate::{Rank, Text};

pub(super) const TEXTS: &[Text] = &[
    Text {
        name: "tls-timeout",
        check: "net-mtu",
        rank: Rank::Cause,
        patterns: &[
            "tls handshake timeout",
            "ssl connection timeout",
            "handshake timed out",
        ],
        means: "The connection was made, and the first large packets, the certificates, did not come: small packets pass.",
        excludes: &["routing, a policy for this port, a dead target: a connection was made"],
        causes: &[
            cause(
                "large packets vanish: an MTU too large for the path",
                "`kubectl netcheck pod-to-pod` says “large only”",
            ),
            cause(
                "the server is overloaded",
                "it happens to some connections only, and to nearby clients too",
            ),
        ],
        next: &["kubectl netcheck pod-to-pod"],
    },
    Text {
        name: "certificate-time",
        check: "net-time",
        rank: Rank::Cause,
        patterns: &[
            "certificate has expired or is not yet valid",
            "certificate is not yet valid",
            "certificate has expired",
        ],
        means: "The network works: a certificate arrived and was read. Its time does not fit the reader's clock.",
        excludes: &["the network between the two"],
        causes: &[
            cause("the certificate has run out", "its own dates say so"),
            cause(
                "the clock of the node is wrong",
                "“not yet valid”, or other nodes accept it",
            ),
        ],
        next: &["kubectl get nodes"],
    },
    Text {
        name: "certificate-name",
        check: "net-err-other",
        rank: Rank::Cause,
        patterns: &[
            "x509: certificate is valid for {names}",
            "x509: certificate signed by unknown authority",
            "x509: cannot validate certificate",
        ],
        means: "The network works: a certificate arrived and was read. It is for another name, or from somebody who is not trusted.",
        excludes: &["the network between the two"],
        causes: &[
            cause(
                "a proxy or another server answered in place of the one that was meant",
                "the certificate's names are strange",
            ),
            cause(
                "the client lacks the authority's certificate",
                "the names are right",
            ),
        ],
        next: &[],
    },
    Text {
        name: "envoy-upstream",
        check: "net-mesh-sidecar",
        rank: Rank::Frame,
        patterns: &[
            "upstream connect error or disconnect/reset before headers",
            "no healthy upstream",
        ],
        means: "A proxy (Envoy, as in a service mesh or a gateway) says that it could not reach the server behind it. The client \
                did reach the proxy.",
        excludes: &["the way from the client to the proxy"],
        causes: &[
            cause(
                "the Service behind the proxy has no ready endpoint",
                "“no healthy upstream”",
            ),
            cause(
                "encryption between the two sidecars does not fit",
                "“TLS error” or “reset reason: connection termination”",
            ),
        ],
        next: &["kubectl get endpointslices -n NAMESPACE -l kubernetes.io/service-name=SERVICE"],
    },
];
