//! Users with few rights and namespaces with rules of their own: each gets a clear sentence and the right exit code.

use e2e::{Bench, User};

const RULES: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: netcheck-e2e-rights}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: netcheck-e2e-nodes}
rules:
- {apiGroups: [""], resources: [nodes], verbs: [get, list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: netcheck-e2e-nodes}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: netcheck-e2e-nodes}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: bob}
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: noexec}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: bob, namespace: netcheck-e2e-rights}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: bob}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: noexec, namespace: netcheck-e2e-rights}
rules:
- {apiGroups: [""], resources: [pods, configmaps], verbs: [get, list, watch, create, patch, delete, deletecollection]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: noexec, namespace: netcheck-e2e-rights}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: noexec}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: noexec}]
"#;

/// Removes what the test made, also when it fails.
struct Made<'a>(&'a Bench, &'static str);

impl Drop for Made<'_> {
    fn drop(&mut self) {
        let mut command = self.0.command(&["delete", "--ignore-not-found", "-f", "-"]);
        let child = command.stdin(std::process::Stdio::piped()).spawn();
        if let Ok(mut child) = child {
            if let Some(stdin) = child.stdin.as_mut() {
                let _ = std::io::Write::write_all(stdin, self.1.as_bytes());
            }
            let _ = child.wait();
        }
    }
}

#[test]
fn who_may_not_create_namespaces_probes_from_the_context_s_namespace() {
    let Some(bench) = Bench::cluster() else { return };
    bench.apply(RULES);
    let _made = Made(&bench, RULES);
    let run = bench.netcheck(&["pod-to-pod", "--as", "bob", "-n", "netcheck-e2e-rights"]);
    println!("{run}");
    assert_eq!(run.code, Some(0), "{run}");
    assert!(
        run.stdout.contains("netcheck-e2e-rights") && run.stdout.contains("namespaces"),
        "{run}"
    );
    assert_eq!(bench.leftovers(), Vec::<String>::new());
}

#[test]
fn who_may_not_exec_is_told_which_right_is_missing() {
    let Some(bench) = Bench::cluster() else { return };
    bench.apply(RULES);
    let _made = Made(&bench, RULES);
    let run = bench.netcheck(&["pod-to-pod", "--as", "noexec", "-n", "netcheck-e2e-rights"]);
    println!("{run}");
    assert_eq!(run.code, Some(3), "{run}");
    assert!(run.stdout.contains("pods/exec"), "{run}");
    assert_eq!(bench.leftovers(), Vec::<String>::new());
}

#[test]
fn who_may_not_list_nodes_gets_an_answer_that_is_no_pass() {
    let Some(bench) = Bench::lab() else { return };
    let alice = bench.as_user(User::Alice);
    let run = alice.netcheck(&["pod-to-pod", "-n", "shop"]);
    println!("{run}");
    assert_eq!(run.code, Some(3), "{run}");
    assert!(
        run.stdout.contains("list") && run.stdout.contains("nodes"),
        "{run}"
    );
    assert_eq!(bench.leftovers(), Vec::<String>::new());
}

#[test]
fn who_may_only_read_gets_an_answer_that_is_no_pass() {
    let Some(bench) = Bench::lab() else { return };
    let run = bench.as_user(User::Vera).netcheck(&["pod-to-pod"]);
    println!("{run}");
    assert_eq!(run.code, Some(3), "{run}");
    assert!(
        run.stdout.contains(r#"cannot create resource "configmaps""#),
        "{run}"
    );
    assert_eq!(bench.leftovers(), Vec::<String>::new());
}

const NARROW: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: netcheck-e2e-quota}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: narrow, namespace: netcheck-e2e-quota}
spec: {hard: {pods: "20", requests.cpu: "1", requests.memory: 1Gi, limits.cpu: "4", limits.memory: 2Gi}}
---
apiVersion: v1
kind: LimitRange
metadata: {name: narrow, namespace: netcheck-e2e-quota}
spec:
  limits:
  - {type: Container, min: {cpu: 5m, memory: 8Mi}, max: {cpu: 500m, memory: 128Mi}, default: {cpu: 100m, memory: 64Mi}}
"#;

#[test]
fn a_quota_and_a_limit_range_that_leave_room_are_kept() {
    let Some(bench) = Bench::cluster() else { return };
    bench.apply(NARROW);
    let _made = Made(&bench, NARROW);
    let run = bench.netcheck(&["pod-to-pod", "--probe-namespace", "netcheck-e2e-quota"]);
    println!("{run}");
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(bench.leftovers(), Vec::<String>::new());
}

#[test]
fn a_quota_that_is_used_up_is_named() {
    let Some(bench) = Bench::cluster() else { return };
    bench.apply(NARROW);
    let _made = Made(&bench, NARROW);
    bench.kubectl(&[
        "patch",
        "quota",
        "narrow",
        "-n",
        "netcheck-e2e-quota",
        "-p",
        r#"{"spec":{"hard":{"pods":"0"}}}"#,
    ]);
    std::thread::sleep(std::time::Duration::from_secs(1));
    let run = bench.netcheck(&["pod-to-pod", "--probe-namespace", "netcheck-e2e-quota"]);
    println!("{run}");
    assert_eq!(run.code, Some(3), "{run}");
    assert!(run.stdout.contains("exceeded quota"), "{run}");
    assert_eq!(bench.leftovers(), Vec::<String>::new());
}

#[test]
fn a_tainted_node_is_left_out_by_name_unless_its_taint_is_tolerated() {
    let Some(bench) = Bench::lab() else { return };
    bench.kubectl(&["taint", "node", "node3", "dedicated=db:NoSchedule"]);
    let plain = bench.netcheck(&["pod-to-pod"]);
    let asked = bench.netcheck(&["pod-to-pod", "--node", "node1", "--node", "node3"]);
    let tolerated = bench.netcheck(&[
        "pod-to-pod",
        "--toleration",
        "dedicated=db:NoSchedule",
        "-o",
        "json",
    ]);
    bench.kubectl(&["taint", "node", "node3", "dedicated-"]);
    println!("{plain}{asked}");
    assert_eq!(plain.code, Some(0), "{plain}");
    assert!(
        plain.stdout.contains("node3") && plain.stdout.contains("dedicated=db:NoSchedule"),
        "{plain}"
    );
    assert_eq!(asked.code, Some(3), "{asked}");
    assert!(asked.stdout.contains("--toleration"), "{asked}");
    assert_eq!(tolerated.code, Some(0), "{tolerated}");
    assert!(!tolerated.stdout.contains("dedicated"), "{tolerated}");
}

#[test]
fn a_node_that_reports_no_images_gets_the_image_of_a_pod_that_runs_there() {
    let Some(bench) = Bench::lab() else { return };
    // The kubelet reports its images again within ten seconds; the run has to come first.
    bench.kubectl(&[
        "patch",
        "node",
        "node3",
        "--subresource=status",
        "--type=merge",
        "-p",
        r#"{"status":{"images":[]}}"#,
    ]);
    let run = bench.netcheck(&["pod-to-pod", "-o", "wide"]);
    println!("{run}");
    assert_eq!(run.code, Some(0), "{run}");
}
