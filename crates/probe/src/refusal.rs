//! What the API server's refusal of a probe pod means. Pure.

use kube::core::Status;
use report::{Gap, GapReason};

/// What to do after a pod was refused.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Refusal {
    /// It passes by itself in a moment: the namespace is new, or the quota was not counted yet.
    Soon,
    /// The sysctl is not allowed: try without it.
    Sysctl,
    /// It stays refused.
    Final(Gap),
}

/// Reads the answer to the creation of a pod for this node in this namespace; `sysctl` says whether it set one.
pub(crate) fn judge(status: &Status, node: &str, namespace: &str, sysctl: bool) -> Refusal {
    let words = status.message.as_str();
    // The account `default` of a new namespace is made a moment after it.
    if words.contains("error looking up service account") {
        return Refusal::Soon;
    }
    if words.contains("status unknown for quota") {
        return Refusal::Soon;
    }
    if sysctl && words.contains("sysctl") {
        return Refusal::Sysctl;
    }
    let (why, hint) = read(status, namespace);
    Refusal::Final(Gap {
        what: format!("probe pod on {node}"),
        why,
        message: format!("the API server refused the probe pod on {node}: {}", words.trim()),
        hint: Some(hint),
    })
}

fn read(status: &Status, namespace: &str) -> (GapReason, String) {
    let words = status.message.as_str();
    let elsewhere = "or choose another namespace with --probe-namespace";
    if words.contains("violates PodSecurity") {
        // The pod keeps to `restricted`, so that a mutating webhook must have added what violates it.
        return (
            GapReason::NotStarted,
            format!(
                "something adds to the pod what PodSecurity forbids (a mutating webhook?): kubectl get mutatingwebhookconfigurations, {elsewhere}"
            ),
        );
    }
    if words.contains("exceeded quota") {
        return (
            GapReason::NotStarted,
            format!(
                "kubectl describe resourcequota -n {namespace}; ask for less with --requests and --limits, {elsewhere}"
            ),
        );
    }
    if words.contains("failed quota") {
        return (
            GapReason::NotStarted,
            format!(
                "the quota asks for more than requests and limits of cpu and memory: kubectl describe resourcequota -n {namespace}, {elsewhere}"
            ),
        );
    }
    if ["per Container is", "per Pod is", "limit to request ratio"]
        .iter()
        .any(|limit| words.contains(limit))
    {
        return (
            GapReason::NotStarted,
            format!(
                "kubectl describe limitrange -n {namespace}; fit it with --requests and --limits, {elsewhere}"
            ),
        );
    }
    if let Some((_, rest)) = words.split_once("admission webhook \"") {
        let webhook = rest.split('"').next().unwrap_or(rest);
        return (
            GapReason::NotStarted,
            format!("the admission webhook {webhook} denies it; exempt the namespace there, {elsewhere}"),
        );
    }
    if words.contains("failed calling webhook") || words.contains("failed to call webhook") {
        return (
            GapReason::NotStarted,
            "an admission webhook does not answer, and so no pod can be created: kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations".to_owned(),
        );
    }
    if words.contains("ValidatingAdmissionPolicy") {
        return (
            GapReason::NotStarted,
            format!("kubectl get validatingadmissionpolicybindings; exempt the namespace there, {elsewhere}"),
        );
    }
    if status.code == 403 && words.contains(" cannot create ") {
        return (
            GapReason::Forbidden {
                verb: "create".to_owned(),
                resource: "pods".to_owned(),
                namespace: Some(namespace.to_owned()),
            },
            format!("kubectl auth can-i create pods -n {namespace}"),
        );
    }
    if words.contains("is being terminated") {
        return (
            GapReason::NotStarted,
            format!("namespace {namespace} is being deleted; choose another with --probe-namespace"),
        );
    }
    (
        GapReason::NotStarted,
        format!("kubectl get events -n {namespace}, {elsewhere}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, message: &str) -> Status {
        Status {
            code,
            ..Status::failure(message, "Forbidden")
        }
    }

    fn hint(refusal: &Refusal) -> &str {
        match refusal {
            Refusal::Final(gap) => gap.hint.as_deref().unwrap(),
            Refusal::Soon => "soon",
            Refusal::Sysctl => "sysctl",
        }
    }

    /// The texts are those of a real API server (1.34), with the names changed.
    #[test]
    fn refusals_are_told_apart_by_the_servers_words() {
        for (code, words, expected) in [
            (
                403,
                "pods \"p\" is forbidden: error looking up service account netcheck-1/default: serviceaccount \"default\" not found",
                "soon",
            ),
            (
                403,
                "pods \"p\" is forbidden: status unknown for quota: compute, resources: limits.cpu",
                "soon",
            ),
            (
                403,
                "pods \"p\" is forbidden: violates PodSecurity \"restricted:latest\": allowPrivilegeEscalation != false (container \"istio-init\" must set securityContext.allowPrivilegeEscalation=false)",
                "something adds to the pod",
            ),
            (
                403,
                "pods \"p\" is forbidden: violates PodSecurity \"baseline:v1.24\": forbidden sysctls (net.ipv4.ping_group_range)",
                "sysctl",
            ),
            (
                403,
                "pods \"p\" is forbidden: exceeded quota: compute, requested: requests.cpu=25m, used: requests.cpu=1, limited: requests.cpu=1",
                "kubectl describe resourcequota -n shop; ask for less",
            ),
            (
                403,
                "pods \"p\" is forbidden: failed quota: disk: must specify limits.ephemeral-storage for: netprobe",
                "the quota asks for more",
            ),
            (
                403,
                "pods \"p\" is forbidden: [minimum cpu usage per Container is 100m, but request is 25m, minimum memory usage per Container is 64Mi, but request is 16Mi]",
                "kubectl describe limitrange -n shop",
            ),
            (
                403,
                "pods \"p\" is forbidden: cpu max limit to request ratio per Container is 2, but provided ratio is 10.000000",
                "kubectl describe limitrange -n shop",
            ),
            (
                403,
                "admission webhook \"validation.gatekeeper.sh\" denied the request: [psp-sysctls] The sysctl net.ipv4.ping_group_range is not allowed",
                "sysctl",
            ),
            (
                403,
                "admission webhook \"validate.kyverno.svc-fail\" denied the request: resource Pod/shop/p was blocked: unknown registry",
                "the admission webhook validate.kyverno.svc-fail denies it",
            ),
            (
                500,
                "Internal error occurred: failed calling webhook \"mutate.example.com\": failed to call webhook: Post \"https://hook.x.svc:443/mutate?timeout=10s\": dial tcp 10.96.7.7:443: connect: connection refused",
                "an admission webhook does not answer",
            ),
            (
                422,
                "pods \"p\" is forbidden: ValidatingAdmissionPolicy 'images' with binding 'images' denied request: only signed images",
                "kubectl get validatingadmissionpolicybindings",
            ),
            (
                403,
                "pods is forbidden: User \"vera\" cannot create resource \"pods\" in API group \"\" in the namespace \"shop\"",
                "kubectl auth can-i create pods -n shop",
            ),
            (
                403,
                "pods \"p\" is forbidden: unable to create new content in namespace shop because it is being terminated",
                "namespace shop is being deleted",
            ),
        ] {
            let refusal = judge(&status(code, words), "node1", "shop", true);
            assert!(hint(&refusal).starts_with(expected), "{words}\n{refusal:?}");
        }
    }

    #[test]
    fn a_pod_without_sysctls_is_not_tried_without_them() {
        let words = "admission webhook \"x\" denied the request: no sysctls, no probes";
        let refusal = judge(&status(403, words), "node1", "shop", false);
        assert!(matches!(refusal, Refusal::Final(_)), "{refusal:?}");
    }

    #[test]
    fn a_refusal_keeps_the_servers_words() {
        let Refusal::Final(gap) = judge(
            &status(403, "pods \"p\" is forbidden: because"),
            "node1",
            "shop",
            true,
        ) else {
            panic!("final");
        };
        assert_eq!(
            gap.message,
            "the API server refused the probe pod on node1: pods \"p\" is forbidden: because"
        );
        assert_eq!(gap.why, GapReason::NotStarted);
    }
}
