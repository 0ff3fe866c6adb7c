//! One row for each pod that answers names.

use observation::{DnsAsker, DnsRole};
use report::Table;

use super::Scene;
use super::metrics::Metrics;
use super::resolv::ResolvConf;
use crate::view::View;

const COLUMNS: [&str; 7] = ["pod", "for", "node", "address", "image", "ready", "restarts"];

/// The pods of DNS servers, where the cluster's DNS was asked about.
pub(crate) fn tables(view: &View<'_>) -> Vec<Table> {
    let Some(scene) = &view.dns else {
        return Vec::new();
    };
    let mut table = Table::new("DNS pods", &COLUMNS);
    for pod in scene.pods() {
        let addresses: Vec<String> = pod.addresses.iter().map(ToString::to_string).collect();
        let image = pod.image.rsplit('/').next().unwrap_or(&pod.image);
        let ready = match &pod.waiting {
            _ if pod.ready => "yes".to_owned(),
            Some(waiting) => format!("no: {}", waiting.reason),
            None => "no".to_owned(),
        };
        let role = match pod.role {
            DnsRole::Cluster => "the cluster",
            DnsRole::NodeLocal => "its node",
        };
        table.rows.push(vec![
            Some(pod.name.clone()),
            Some(role.to_owned()),
            Some(pod.node.clone().unwrap_or_else(|| "-".to_owned())),
            Some(addresses.join(" ")),
            Some(image.to_owned()),
            Some(ready),
            Some(pod.restarts.to_string()),
        ]);
    }
    let all = [Some(table), counted(scene), resolv_conf(scene), lookups(scene)];
    all.into_iter()
        .flatten()
        .filter(|table| !table.rows.is_empty())
        .collect()
}

fn counted(scene: &Scene<'_>) -> Option<Table> {
    let (_, asked) = super::metrics::gaps(scene);
    let columns = [
        "pod",
        "answers",
        "SERVFAIL",
        "NXDOMAIN",
        "REFUSED",
        "from cache",
        "failed checks of upstreams",
        "memory",
    ];
    let mut table = Table::new("Since they started", &columns);
    let number = |number: f64| format!("{number:.0}");
    for pod in scene.pods().filter(|pod| pod.metrics.is_some()) {
        let metrics = Metrics::of(pod);
        let share = |code: &str| Some(format!("{:.1} %", metrics?.share(code)? * 100.0));
        table.rows.push(vec![
            Some(pod.name.clone()),
            metrics.and_then(Metrics::answers).map(number),
            share("SERVFAIL"),
            share("NXDOMAIN"),
            share("REFUSED"),
            metrics
                .and_then(Metrics::cached)
                .map(|share| format!("{:.0} %", share * 100.0)),
            metrics.and_then(Metrics::upstream_failures).map(number),
            metrics
                .and_then(Metrics::memory)
                .map(|bytes| format!("{:.0} MB", bytes / 1e6)),
        ]);
    }
    asked.then_some(table)
}

/// The pod that was asked about, with the resolv.conf that it gets.
fn asked<'a>(scene: &Scene<'a>) -> Option<(&'a DnsAsker, ResolvConf)> {
    let asker = scene.dns.pod.as_ref()?.asker.seen()?.as_ref()?;
    let kubelet = scene.kubelet_of(asker)?;
    Some((asker, ResolvConf::of(asker, kubelet)))
}

fn resolv_conf(scene: &Scene<'_>) -> Option<Table> {
    let (asker, conf) = asked(scene)?;
    let mut table = Table::new(
        format!("resolv.conf of {}", asker.subject()),
        &["line", "value", "from"],
    );
    let mut add = |line: &str, value: String, from: &str| {
        table
            .rows
            .push([line.to_owned(), value, from.to_owned()].map(Some).to_vec());
    };
    let policy = match asker.policy.as_str() {
        policy if asker.host_network => format!("dnsPolicy {policy} in the network of its node"),
        policy => format!("dnsPolicy {policy}"),
    };
    if conf.is_the_nodes {
        add("nameserver", "those of its node".to_owned(), &policy);
    }
    for address in &conf.nameservers {
        add("nameserver", address.to_string(), &policy);
    }
    let nodes = if asker.effective_policy() == "None" {
        ""
    } else {
        " and those of its node"
    };
    add(
        "search",
        format!("{}{nodes}", conf.searches.join(" "))
            .trim_start_matches(" and ")
            .to_owned(),
        &policy,
    );
    add("options", conf.options.join(" "), &policy);
    for alias in &asker.host_aliases {
        add("/etc/hosts", alias.clone(), "hostAliases");
    }
    Some(table)
}

fn lookups(scene: &Scene<'_>) -> Option<Table> {
    let (_, conf) = asked(scene)?;
    let names = &scene.dns.pod.as_ref()?.names;
    let mut table = Table::new(
        "Lookups",
        &["name", "queries if only that exists", "asked in this order"],
    );
    for name in names {
        table.rows.push(vec![
            Some(name.clone()),
            Some(conf.queries(name).to_string()),
            Some(conf.candidates(name).join(" ")),
        ]);
    }
    Some(table)
}
