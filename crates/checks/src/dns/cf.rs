//! Checks of the Corefile. One file each, named as the check; all of them read what was found about it once.

mod heard;
mod latent;

pub(crate) mod dns_cf_cache;
pub(crate) mod dns_cf_cache_syntax;
pub(crate) mod dns_cf_fwd;
pub(crate) mod dns_cf_fwd_opts;
pub(crate) mod dns_cf_fwd_reserved;
pub(crate) mod dns_cf_fwd_self;
pub(crate) mod dns_cf_fwd_typo;
pub(crate) mod dns_cf_misc;
pub(crate) mod dns_cf_parse;
pub(crate) mod dns_cf_pods;
pub(crate) mod dns_cf_prop;
pub(crate) mod dns_cf_read;
pub(crate) mod dns_cf_ready;
pub(crate) mod dns_cf_rev;
pub(crate) mod dns_cf_steal;
pub(crate) mod dns_cf_zone;

use report::{Evidence, Finding, Gap, GapReason, Severity, Subject};

use super::scene::{Linted, Scene};
use super::{NOT_READY, OUTSIDE, OWN_NAMES, SILENT, ids};
use crate::check::Judgement;
use crate::shell::word;
use crate::view::View;

/// Ids whose claim depends on the version that runs.
const BY_VERSION: [&str; 3] = ["dns-cf-parse", "dns-cf-prop", "dns-cf-cache-syntax"];

/// What is found about Corefiles under this id.
fn lints(view: &View<'_>, id: &'static str) -> Judgement {
    each(view, id, |_, linted| {
        let own = linted.lints.iter().filter(|lint| lint.id == id);
        own.map(|lint| finding(linted, lint)).collect()
    })
}

/// Makes a check of every Corefile. What could not be read is a gap, and so is what an import hides.
fn each(
    view: &View<'_>,
    id: &'static str,
    find: impl Fn(&Scene<'_>, &Linted<'_>) -> Vec<Finding>,
) -> Judgement {
    super::over(view, |scene| {
        let corefiles = match &scene.dns.corefiles {
            report::Observed::Seen(corefiles) => corefiles,
            report::Observed::Unseen(gap) => return Judgement::unread(gap),
        };
        if corefiles.is_empty() {
            return Judgement::skipped("no DNS server with a Corefile was found");
        }
        let mut judgement = Judgement {
            gaps: corefiles
                .iter()
                .filter_map(|corefile| corefile.text.gap().cloned())
                .collect(),
            ..Judgement::default()
        };
        for linted in &scene.linted {
            for mut finding in find(scene, linted) {
                finding.explains = explained(scene, linted, &finding);
                judgement.findings.push(finding);
            }
            judgement.gaps.extend(hidden(linted, id));
        }
        judgement
    })
}

/// What keeps a Corefile from being judged in full.
fn hidden(linted: &Linted<'_>, id: &str) -> Vec<Gap> {
    let what = || format!("the Corefile of {}", linted.corefile.controller);
    let gap = |message: String| Gap {
        what: what(),
        why: GapReason::Failed,
        message,
        hint: None,
    };
    let Some(parsed) = &linted.parsed else {
        // CoreDNS does not read it either; the check of that says so.
        let is_said = BY_VERSION[0] == id || id == "dns-cf-read";
        return (!is_said)
            .then(|| gap("it cannot be parsed".to_owned()))
            .into_iter()
            .collect();
    };
    let mut gaps = Vec::new();
    if id != "dns-cf-read"
        && let Some(unread) = parsed.unread.first()
    {
        gaps.push(gap(format!(
            "what {} imports was not found: {}",
            place(&unread.place),
            unread.path
        )));
    }
    if BY_VERSION.contains(&id) && linted.version.is_none() {
        gaps.push(gap(
            "the image does not say which version of CoreDNS runs".to_owned()
        ));
    }
    gaps
}

/// As `line 12`, with the file where it is not the Corefile itself.
fn place(place: &corefile::Place) -> String {
    let file = place.file.rsplit('/').next().unwrap_or(&place.file);
    if file == "Corefile" {
        format!("line {}", place.line)
    } else {
        format!("line {} of {}", place.line, place.file)
    }
}

fn finding(linted: &Linted<'_>, lint: &corefile::Lint) -> Finding {
    let place = place(&lint.place);
    let corefile = linted.corefile;
    let of_file = linted.text_of(&lint.place.file);
    let written = of_file.and_then(|text| text.lines().nth(lint.place.line.saturating_sub(1)));
    let fact = match written.map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) => format!("{place} of the Corefile: {text}"),
        None => format!("{place} of the Corefile"),
    };
    let (subject, evidence, edit) = if let Some(source) = &corefile.source {
        let key = source.key.replace('.', "\\.");
        let (name, namespace) = (word(&source.name), word(&source.namespace));
        let show = format!(
            "kubectl get configmap {name} -n {namespace} -o {}",
            word(&format!("jsonpath={{.data.{key}}}"))
        );
        let edit = format!("`kubectl edit configmap {name} -n {namespace}`");
        (source.subject(), Evidence::command(fact, show), edit)
    } else {
        let at = match &corefile.controller {
            Subject::Object { kind, name, .. } if kind == "file" => format!("{name}:{}", lint.place.line),
            controller => format!("{controller} {}", corefile.path),
        };
        (corefile.controller.clone(), Evidence::field(fact, at.clone()), at)
    };
    let mut finding = Finding::new(lint.id, lint.severity, subject, lint.why.clone(), evidence);
    finding.hint = Some(format!("{}: {edit}", lint.fix));
    finding
}

impl Linted<'_> {
    fn text_of(&self, file: &str) -> Option<&str> {
        if file == self.corefile.path {
            return Some(self.text);
        }
        self.corefile.files.get(file).map(String::as_str)
    }
}

/// What does not hold because of an error in the Corefile. One that keeps CoreDNS from starting does no harm before the next start.
fn explained(scene: &Scene<'_>, linted: &Linted<'_>, finding: &Finding) -> Vec<String> {
    if finding.severity != Severity::Error {
        return Vec::new();
    }
    let is_down = scene
        .pods()
        .filter(|pod| pod.role == linted.corefile.role)
        .any(|pod| !pod.ready);
    match finding.id.as_str() {
        "dns-cf-zone" | "dns-cf-steal" => ids(&[&OWN_NAMES]),
        "dns-cf-fwd-reserved" | "dns-cf-fwd-typo" => {
            ids(&[&OUTSIDE, &["dns-log", "dns-servfail", "dns-lat"]])
        }
        "dns-cf-fwd-self" => ids(&[&NOT_READY, &OUTSIDE, &OWN_NAMES, &SILENT, &["dns-log"]]),
        "dns-cf-ready" => ids(&[&NOT_READY, &OWN_NAMES, &OUTSIDE, &SILENT, &["dns-probes"]]),
        "dns-cf-parse" | "dns-cf-prop" | "dns-cf-cache-syntax" if is_down => {
            ids(&[&NOT_READY, &OWN_NAMES, &OUTSIDE, &SILENT, &["dns-log"]])
        }
        "dns-cf-parse" | "dns-cf-prop" | "dns-cf-cache-syntax" => ids(&[&["dns-log"]]),
        _ => Vec::new(),
    }
}
