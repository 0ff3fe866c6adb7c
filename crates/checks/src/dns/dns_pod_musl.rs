use std::net::IpAddr;

use netmodel::resolv::{self, Libc};
use observation::DnsAsker;
use report::{Evidence, Finding, Gap, GapReason, Observed, Severity};

use super::resolv::{ResolvConf, unread_kubelets};
use super::{Scene, gap, over};
use crate::check::{Check, Judgement, Need};
use crate::shell::{resolv_conf_of, word};
use crate::view::View;

/// A resolv.conf that musl makes something else of than glibc: names that it does not search for, and servers that it asks all at once.
///
/// That a container has musl is taken from its loader where a privileged pod may read it, else from the name of the image; an image of
/// another name may have it too, and then nothing is said.
pub(crate) static CHECK: Check = Check {
    id: "dns-pod-musl",
    claim: "pods with musl have a resolv.conf that musl can work with",
    needs: &[Need::Dns],
    judge,
};

/// A name of a Service as most are written, and as some are; and which names that is.
const FORMS: [(&str, &str, Severity); 2] = [
    ("kubernetes.default", "SERVICE.NAMESPACE", Severity::Warning),
    ("kubernetes.default.svc", "SERVICE.NAMESPACE.svc", Severity::Note),
];

fn judge(view: &View<'_>) -> Judgement {
    over(view, |scene| {
        let mut judgement = Judgement {
            gaps: Scene::gaps([gap(&scene.dns.askers)]),
            ..Judgement::default()
        };
        let mut told: Vec<&str> = Vec::new();
        let mut unknown = None;
        for asker in scene.dns.askers.seen().into_iter().flatten() {
            let Some(conf) = conf(scene, asker) else {
                if asker.config.is_some() && asker.effective_policy() == "ClusterFirst" {
                    judgement.gaps.extend(unread_kubelets(view, scene));
                }
                continue;
            };
            let risks: Vec<Risk> = risks(scene, asker, &conf);
            if risks.is_empty() {
                continue;
            }
            // Of the pods of one controller one is enough.
            if let Some(controller) = asker.controller.as_deref() {
                if told.contains(&controller) {
                    continue;
                }
                told.push(controller);
            }
            match library(asker) {
                Library::Musl(evidence) => {
                    let all = risks.iter().map(|risk| finding(asker, risk, &evidence));
                    judgement.findings.extend(all);
                }
                Library::Other => {}
                Library::Unknown(gap) => {
                    unknown.get_or_insert(gap);
                }
            }
        }
        judgement.gaps.dedup();
        match unknown {
            // Most images have glibc: what was not looked at is said, and is no doubt about the cluster.
            Some(gap) if judgement.findings.is_empty() && judgement.gaps.is_empty() => {
                Judgement::unread(&gap)
            }
            _ => judgement,
        }
    })
}

/// What the pod has by its own file, else by its settings; `None` where those of its kubelet are not known.
fn conf(scene: &Scene<'_>, asker: &DnsAsker) -> Option<resolv::ResolvConf> {
    let files = asker.files.as_deref().and_then(|files| files.resolv_conf.seen());
    match files {
        Some(text) => Some(resolv::ResolvConf::parse(text)),
        None => Some(ResolvConf::of(asker, scene.kubelet_of(asker)?).parsed()),
    }
}

/// What musl does otherwise.
struct Risk {
    what: String,
    fact: String,
    severity: Severity,
    hint: &'static str,
}

fn risks(scene: &Scene<'_>, asker: &DnsAsker, conf: &resolv::ResolvConf) -> Vec<Risk> {
    if asker.effective_policy() != "ClusterFirst" {
        return Vec::new();
    }
    let domain = scene.domain().unwrap_or("cluster.local");
    let full = format!("kubernetes.default.svc.{domain}.");
    let finds = |libc, name| resolv::candidates(conf, libc, name).contains(&full);
    let mut risks = Vec::new();
    let lost = FORMS
        .iter()
        .find(|(name, ..)| finds(Libc::Glibc, name) && !finds(Libc::Musl, name));
    if let Some((name, form, severity)) = lost {
        let dots = name.matches('.').count();
        risks.push(Risk {
            what: format!("does not find names as {form}: they have as many dots as ndots asks for, and musl searches for none such"),
            fact: format!(
                "options ndots:{}: of {name} musl asks for {} and no other, glibc for {full} as well",
                conf.options.ndots,
                resolv::candidates(conf, Libc::Musl, name).join(" ")
            ),
            severity: *severity,
            hint: if dots == 1 {
                "set ndots to 2 or more in the dnsConfig where the pod is made, write names in full, or take an image with glibc"
            } else {
                "write names in full, as web.shop.svc.cluster.local, set ndots to 3 or more, or take an image with glibc"
            },
        });
    }
    let own = scene.addresses();
    let is_known = scene.dns.services.seen().is_some();
    let foreign: Vec<String> = conf
        .nameservers_used()
        .iter()
        .filter(|address| !own.contains(*address) && !is_link_local(**address))
        .map(ToString::to_string)
        .collect();
    if is_known && !foreign.is_empty() && foreign.len() < conf.nameservers_used().len() {
        risks.push(Risk {
            what: format!(
                "takes the first answer of any server, and {} knows no name of the cluster: they are found now and then",
                foreign.join(", ")
            ),
            fact: format!("nameserver {} stands beside the cluster's DNS", foreign.join(", ")),
            severity: Severity::Warning,
            hint: "take the nameserver out of the dnsConfig, and give its domain a server block of its own in the Corefile",
        });
    }
    risks
}

/// The cache of a node has such an address.
fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(address) if address.is_link_local())
}

/// Which C library a pod's programs have.
enum Library {
    Musl(Evidence),
    Other,
    Unknown(Gap),
}

fn library(asker: &DnsAsker) -> Library {
    let (name, namespace) = (word(&asker.name), word(&asker.namespace));
    if let Some(files) = asker.files.as_deref() {
        return match &files.loaders {
            Observed::Seen(loaders) => match loaders.iter().find(|loader| loader.contains("/ld-musl-")) {
                Some(loader) => Library::Musl(Evidence::command(
                    format!("a container of it has {loader}"),
                    format!("kubectl exec {name} -n {namespace} -- ls {}", word(loader)),
                )),
                None => Library::Other,
            },
            Observed::Unseen(gap) => Library::Unknown(gap.clone()),
        };
    }
    if let Some(image) = asker.images.iter().find(|image| is_named_musl(image)) {
        return Library::Musl(Evidence::command(
            format!("its image is {image}, whose name says that it has musl"),
            format!(
                "kubectl get pod {name} -n {namespace} -o {}",
                word("jsonpath={.spec.containers[*].image}")
            ),
        ));
    }
    Library::Unknown(Gap {
        what: format!("the C library of {}", asker.subject()),
        why: GapReason::TierNotAllowed,
        message: format!(
            "whether {} has musl is not seen by the name of its image",
            asker.subject()
        ),
        hint: Some(format!(
            "`kubectl dnscheck pod {name} -n {namespace} --node-access` looks into it"
        )),
    })
}

/// `alpine:3.20`, `nginx:1.27-alpine3.20-slim`, `registry/app:musl`: a word of the name or the tag.
fn is_named_musl(image: &str) -> bool {
    let image = image.split('@').next().unwrap_or(image);
    let name = image.rsplit('/').next().unwrap_or(image);
    name.split([':', '-', '_', '.'])
        .any(|part| part == "musl" || part.trim_end_matches(|last: char| last.is_ascii_digit()) == "alpine")
}

fn finding(asker: &DnsAsker, risk: &Risk, library: &Evidence) -> Finding {
    let subject = asker.subject();
    let of = asker
        .controller
        .as_deref()
        .map_or(String::new(), |controller| format!(" of {controller}"));
    let mut finding = Finding::new(
        CHECK.id,
        risk.severity,
        subject.clone(),
        format!("{subject}{of} has musl, which {}", risk.what),
        Evidence::command(risk.fact.clone(), resolv_conf_of(&asker.namespace, &asker.name)),
    );
    finding.evidence.push(library.clone());
    finding.hint = Some(risk.hint.to_owned());
    finding.explains = vec!["dns-pod-config".to_owned()];
    finding
}

#[cfg(test)]
mod tests {
    use observation::{DnsAskerFiles, DnsSettings};

    use super::*;
    use crate::dns::fixture::{Fixture, list, unseen};
    use crate::shown;

    fn pod(image: &str, options: &[&str], nameservers: &[[u8; 4]]) -> Fixture {
        Fixture::healthy().with(|dns| {
            list(&mut dns.askers).push(DnsAsker {
                namespace: "shop".into(),
                name: "web-1".into(),
                node: Some("node1".into()),
                policy: "ClusterFirst".into(),
                config: Some(DnsSettings {
                    nameservers: nameservers.iter().map(|&octets| octets.into()).collect(),
                    options: options.iter().map(|&it| it.to_owned()).collect(),
                    ..DnsSettings::default()
                }),
                images: vec![image.to_owned()],
                ..DnsAsker::default()
            });
        })
    }

    fn with_loaders(loaders: &[&str]) -> Fixture {
        pod("registry.example/app:1", &["ndots:1"], &[]).with(|dns| {
            list(&mut dns.askers)[0].files = Some(Box::new(DnsAskerFiles {
                resolv_conf: unseen(),
                loaders: Observed::Seen(loaders.iter().map(|&it| it.to_owned()).collect()),
            }));
        })
    }

    #[test]
    fn names_that_musl_does_not_search_for_are_told_by_image_or_by_loader() {
        let named = pod("docker.io/library/nginx:1.27-alpine3.20", &["ndots:1"], &[]);
        let findings = shown::finds(&CHECK, &named.observe());
        assert_eq!(findings[0].severity, Severity::Warning);
        assert!(
            findings[0]
                .summary
                .starts_with("pod/web-1 -n shop has musl, which does not find names as SERVICE.NAMESPACE:"),
            "{}",
            findings[0].summary
        );
        let seen = with_loaders(&["/lib/ld-musl-x86_64.so.1"]);
        let findings = shown::finds(&CHECK, &seen.observe());
        assert!(findings[0].evidence[1].fact.contains("/lib/ld-musl-x86_64.so.1"));
    }

    #[test]
    fn two_dots_take_the_longer_form_away_only() {
        let findings = shown::finds(&CHECK, &pod("alpine:3.20", &["ndots:2"], &[]).observe());
        assert_eq!(findings[0].severity, Severity::Note);
        shown::passes(&CHECK, &pod("alpine:3.20", &["ndots:3"], &[]).observe());
    }

    #[test]
    fn a_server_beside_the_clusters_spoils_names_for_musl() {
        let beside = pod("alpine", &[], &[[8, 8, 8, 8]]);
        assert!(
            shown::finds(&CHECK, &beside.observe())[0]
                .summary
                .contains("8.8.8.8 knows no name")
        );
    }

    #[test]
    fn glibc_searches_and_an_image_of_another_name_is_not_blamed() {
        shown::passes(&CHECK, &with_loaders(&["/lib64/ld-linux-x86-64.so.2"]).observe());
        let unknown = pod("registry.example/app:1", &["ndots:1"], &[]).observe();
        let judgement = (CHECK.judge)(&View::new(&unknown));
        assert!(judgement.findings.is_empty() && judgement.skipped.is_some());
        assert!(!is_named_musl("registry.example/alpineski:1"));
    }

    #[test]
    fn pods_that_were_not_read_are_a_gap() {
        shown::cannot_tell(
            &CHECK,
            &Fixture::healthy().with(|dns| dns.askers = unseen()).observe(),
        );
    }
}
