//! What is to be asked, and what is right by the API.

use std::collections::BTreeSet;
use std::net::IpAddr;

use observation::{EndpointSlice, NameClass, Service, Truth};
use report::Subject;

use super::LookupOptions;
use crate::reach::belongs;

/// Types of records, by their numbers (RFC 1035, RFC 3596, RFC 2782).
pub mod record {
    /// An IPv4 address.
    pub const A: u16 = 1;
    /// A name server.
    pub const NS: u16 = 2;
    /// The name of an address.
    pub const PTR: u16 = 12;
    /// An IPv6 address.
    pub const AAAA: u16 = 28;
    /// Where a Service of a name is.
    pub const SRV: u16 = 33;
}

/// One question, asked of several servers from several places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookupQuestion {
    /// With its final dot.
    pub name: String,
    /// The type of record, by its number.
    pub qtype: u16,
    /// What kind of name it is.
    pub class: NameClass,
    /// What has the name, where it is an object of the cluster.
    pub subject: Option<Subject>,
    /// What is right.
    pub truth: Truth,
    /// Whether it is asked over TCP as well.
    pub tcp: bool,
}

/// What is asked of every server of the cluster: names of the API and of a few Services of each kind, names outside, and one that nothing
/// has. The same input always gives the same questions.
pub fn lookup_questions(
    services: &[Service],
    slices: &[EndpointSlice],
    options: &LookupOptions,
) -> Vec<LookupQuestion> {
    let mut asker = Asker {
        slices,
        options,
        questions: Vec::new(),
    };
    let is_api =
        |service: &&Service| (service.namespace.as_str(), service.name.as_str()) == ("default", "kubernetes");
    let api = services.iter().find(is_api);
    asker.api(api);
    let others = |service: &&Service| !is_api(service);
    let with_address = services
        .iter()
        .filter(others)
        .filter(|service| !service.headless && !service.cluster_ips.is_empty());
    // The DNS Service has named ports in every cluster; it is kept for those.
    let plain: Vec<&Service> = with_address.clone().filter(|service| !service.is_dns).collect();
    for service in evenly(&plain, options.services) {
        asker.addresses(service, NameClass::Service, &service.cluster_ips);
    }
    let headless: Vec<&Service> = services
        .iter()
        .filter(|service| service.headless && service.external_name.is_none())
        .filter(|service| !asker.ready(service).is_empty())
        .collect();
    for service in evenly(&headless, options.services.div_ceil(2)) {
        let ready = asker.ready(service);
        asker.addresses(service, NameClass::Headless, &ready);
        asker.pod_name(service);
    }
    let named: Vec<&Service> = with_address
        .clone()
        .filter(|service| service.ports.iter().any(|port| !port.name.is_empty()))
        .collect();
    for service in evenly(&named, options.services.div_ceil(2)) {
        asker.port(service);
    }
    for service in api.into_iter().chain(evenly(&plain, 1)) {
        asker.reverse(service);
    }
    let aliases: Vec<&Service> = services
        .iter()
        .filter(|service| service.external_name.is_some())
        .collect();
    for service in evenly(&aliases, options.services) {
        asker.alias(service);
    }
    asker.missing();
    asker.questions.extend(outside_questions(options));
    asker.questions
}

/// The names outside that are asked for. Without one, whether anybody outside answers: the name servers of the root, so that nothing is
/// sent to a host of anybody's choice.
pub fn outside_questions(options: &LookupOptions) -> Vec<LookupQuestion> {
    let question = |name: &str, qtype, truth| LookupQuestion {
        name: full(name),
        qtype,
        class: NameClass::External,
        subject: None,
        truth,
        tcp: true,
    };
    if options.outside.is_empty() {
        return vec![question(".", record::NS, Truth::Anything)];
    }
    let names = options.outside.iter();
    names
        .map(|name| question(name, record::A, Truth::Something))
        .collect()
}

/// Names that nothing has, below the domains in which nodes, and so pods with `dnsPolicy: Default`, search: where one is found, every
/// name is.
pub fn search_questions(domains: &BTreeSet<String>, options: &LookupOptions) -> Vec<LookupQuestion> {
    let outside = domains
        .iter()
        .filter(|domain| !is_below(domain, &options.domain) && !domain.is_empty());
    outside
        .map(|domain| LookupQuestion {
            name: format!("{}.{}", options.label, full(domain)),
            qtype: record::A,
            class: NameClass::Searched,
            subject: None,
            truth: Truth::NoSuchName,
            tcp: false,
        })
        .collect()
}

fn is_below(name: &str, domain: &str) -> bool {
    let (name, domain) = (name.trim_end_matches('.'), domain.trim_end_matches('.'));
    name == domain || name.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

/// The name with its final dot.
pub(crate) fn full(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.'))
}

/// The question for the addresses of one name, in one family: what a Service of that name has by the API where it is one.
pub fn named_question(
    name: &str,
    qtype: u16,
    services: &[Service],
    slices: &[EndpointSlice],
    options: &LookupOptions,
) -> LookupQuestion {
    let name = full(name);
    let domain = format!(".svc.{}", full(&options.domain));
    let service = name.strip_suffix(&domain).and_then(|rest| {
        let (service, namespace) = rest.split_once('.')?;
        services
            .iter()
            .find(|it| it.name == service && it.namespace == namespace && it.external_name.is_none())
    });
    let truth = match service {
        Some(service) => {
            let asker = Asker {
                slices,
                options,
                questions: Vec::new(),
            };
            let all = if service.headless {
                asker.ready(service)
            } else {
                service.cluster_ips.clone()
            };
            truth(&all, qtype)
        }
        None => Truth::Anything,
    };
    LookupQuestion {
        name,
        qtype,
        class: NameClass::Asked,
        subject: service.map(Service::subject),
        truth,
        tcp: true,
    }
}

/// What is right for a name with these addresses.
fn truth(all: &[IpAddr], qtype: u16) -> Truth {
    if all.is_empty() {
        return Truth::NoSuchName;
    }
    let of_type = |address: &&IpAddr| address.is_ipv4() == (qtype == record::A);
    Truth::Addresses {
        addresses: all.iter().filter(of_type).copied().collect(),
    }
}

struct Asker<'a> {
    slices: &'a [EndpointSlice],
    options: &'a LookupOptions,
    questions: Vec<LookupQuestion>,
}

impl Asker<'_> {
    fn ask(&mut self, name: String, qtype: u16, class: NameClass, of: Option<&Service>, truth: Truth) {
        self.questions.push(LookupQuestion {
            name,
            qtype,
            class,
            subject: of.map(Service::subject),
            truth,
            tcp: class == NameClass::Internal,
        });
    }

    fn name(&self, service: &Service) -> String {
        format!(
            "{}.{}.svc.{}",
            service.name,
            service.namespace,
            full(&self.options.domain)
        )
    }

    /// The API's own name. Where its Service could not be read, any address is right.
    fn api(&mut self, api: Option<&Service>) {
        let name = format!("kubernetes.default.svc.{}", full(&self.options.domain));
        for qtype in [record::A, record::AAAA] {
            let truth = match api {
                Some(service) => truth(&service.cluster_ips, qtype),
                None if qtype == record::A => Truth::Something,
                None => Truth::Anything,
            };
            self.ask(name.clone(), qtype, NameClass::Internal, api, truth);
        }
    }

    fn addresses(&mut self, service: &Service, class: NameClass, all: &[IpAddr]) {
        for qtype in [record::A, record::AAAA] {
            self.ask(self.name(service), qtype, class, Some(service), truth(all, qtype));
        }
    }

    /// The addresses that the name of a headless Service has.
    fn ready(&self, service: &Service) -> Vec<IpAddr> {
        let slices = self.slices.iter().filter(|slice| belongs(slice, service));
        let ready = slices
            .flat_map(|slice| &slice.endpoints)
            .filter(|endpoint| endpoint.ready);
        let all: BTreeSet<IpAddr> = ready.flat_map(|endpoint| endpoint.addresses.clone()).collect();
        all.into_iter().collect()
    }

    /// The first endpoint with a name of its own.
    fn pod_name(&mut self, service: &Service) {
        let slices = self.slices.iter().filter(|slice| belongs(slice, service));
        let named = slices
            .flat_map(|slice| &slice.endpoints)
            .find(|endpoint| endpoint.ready && endpoint.hostname.is_some());
        let Some((endpoint, host)) = named.and_then(|endpoint| Some((endpoint, endpoint.hostname.clone()?)))
        else {
            return;
        };
        let qtype = match endpoint.addresses.first() {
            Some(IpAddr::V6(_)) => record::AAAA,
            _ => record::A,
        };
        let name = format!("{host}.{}", self.name(service));
        let truth = truth(&endpoint.addresses, qtype);
        self.ask(name, qtype, NameClass::PodName, Some(service), truth);
    }

    /// The first named port.
    fn port(&mut self, service: &Service) {
        let Some(port) = service.ports.iter().find(|port| !port.name.is_empty()) else {
            return;
        };
        let protocol = port.protocol.to_ascii_lowercase();
        let name = format!("_{}._{protocol}.{}", port.name, self.name(service));
        let truth = Truth::Records { count: 1 };
        self.ask(name, record::SRV, NameClass::Port, Some(service), truth);
    }

    fn reverse(&mut self, service: &Service) {
        let Some(address) = service.cluster_ips.first() else {
            return;
        };
        let own = self.name(service).trim_end_matches('.').to_ascii_lowercase();
        let truth = Truth::OneOf { names: vec![own] };
        self.ask(
            reversed(*address),
            record::PTR,
            NameClass::Reverse,
            Some(service),
            truth,
        );
    }

    fn alias(&mut self, service: &Service) {
        self.ask(
            self.name(service),
            record::A,
            NameClass::ExternalName,
            Some(service),
            Truth::Something,
        );
    }

    fn missing(&mut self) {
        let name = format!(
            "{}.default.svc.{}",
            self.options.label,
            full(&self.options.domain)
        );
        self.ask(name, record::A, NameClass::Missing, None, Truth::NoSuchName);
    }
}

/// The name under which an address is asked back for (RFC 1035, RFC 3596).
pub(crate) fn reversed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa.")
        }
        IpAddr::V6(address) => {
            let octets = address.octets();
            let nibbles = octets.iter().rev().flat_map(|octet| [octet & 15, octet >> 4]);
            let labels: Vec<String> = nibbles.map(|nibble| format!("{nibble:x}")).collect();
            format!("{}.ip6.arpa.", labels.join("."))
        }
    }
}

/// So many of them, evenly over the list.
fn evenly<'a>(services: &[&'a Service], most: usize) -> Vec<&'a Service> {
    let step = services.len().div_ceil(most.max(1)).max(1);
    services.iter().step_by(step).take(most).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tries::scene::{service, slice};

    fn options() -> LookupOptions {
        LookupOptions::default()
    }

    #[test]
    fn names_of_every_kind_are_asked_for_with_what_the_api_says_of_them() {
        let api = service("default", "kubernetes", 1, 443, "TCP");
        let mut dns = service("kube-system", "kube-dns", 10, 53, "UDP");
        dns.is_dns = true;
        dns.ports[0].name = "dns".into();
        let web = service("shop", "web", 20, 80, "TCP");
        let mut db = service("shop", "db", 0, 5432, "TCP");
        db.headless = true;
        db.cluster_ips.clear();
        let mut slices = vec![slice(
            &db,
            &[(Some(1), [10, 244, 1, 7]), (Some(2), [10, 244, 2, 7])],
            5432,
        )];
        slices[0].endpoints[0].hostname = Some("db-0".into());
        slices[0].endpoints[1].ready = false;
        let questions = lookup_questions(&[api, dns, web, db], &slices, &options());
        let of = |class| -> Vec<(&str, u16, &Truth)> {
            let all = questions.iter().filter(|question| question.class == class);
            all.map(|question| (question.name.as_str(), question.qtype, &question.truth))
                .collect()
        };
        let addresses = |all: &[[u8; 4]]| Truth::Addresses {
            addresses: all.iter().map(|octets| (*octets).into()).collect(),
        };
        assert_eq!(
            of(NameClass::Internal),
            [
                (
                    "kubernetes.default.svc.cluster.local.",
                    1,
                    &addresses(&[[10, 96, 0, 1]])
                ),
                ("kubernetes.default.svc.cluster.local.", 28, &addresses(&[]))
            ]
        );
        assert_eq!(
            of(NameClass::Service)[0],
            ("web.shop.svc.cluster.local.", 1, &addresses(&[[10, 96, 0, 20]]))
        );
        assert_eq!(
            of(NameClass::Headless)[0],
            ("db.shop.svc.cluster.local.", 1, &addresses(&[[10, 244, 1, 7]]))
        );
        assert_eq!(
            of(NameClass::PodName),
            [(
                "db-0.db.shop.svc.cluster.local.",
                1,
                &addresses(&[[10, 244, 1, 7]])
            )]
        );
        assert_eq!(
            of(NameClass::Port)[0].0,
            "_dns._udp.kube-dns.kube-system.svc.cluster.local."
        );
        assert_eq!(of(NameClass::Reverse)[0].0, "1.0.96.10.in-addr.arpa.");
        assert_eq!(of(NameClass::External), [(".", 2, &Truth::Anything)]);
        assert_eq!(of(NameClass::Missing).len(), 1);
    }

    #[test]
    fn an_address_is_asked_back_for_digit_by_digit() {
        assert_eq!(reversed([10, 96, 0, 1].into()), "1.0.96.10.in-addr.arpa.");
        let six = reversed("fd00:96::a".parse().unwrap());
        assert!(
            six.starts_with("a.0.0.0.0.") && six.ends_with(".6.9.0.0.0.0.d.f.ip6.arpa."),
            "{six}"
        );
    }

    #[test]
    fn a_name_that_a_user_asks_about_has_a_truth_where_it_is_a_service() {
        let web = service("shop", "web", 20, 80, "TCP");
        let asked = |name: &str| named_question(name, record::A, std::slice::from_ref(&web), &[], &options());
        assert_eq!(
            asked("web.shop.svc.cluster.local").truth,
            Truth::Addresses {
                addresses: vec![[10, 96, 0, 20].into()]
            }
        );
        assert_eq!(asked("www.example.com").truth, Truth::Anything);
    }

    #[test]
    fn search_domains_of_the_cluster_are_not_asked_for_traps() {
        let domains = ["cluster.local", "svc.cluster.local", "corp.example"].map(str::to_owned);
        let questions = search_questions(&domains.into(), &options());
        assert_eq!(questions.len(), 1);
        assert!(questions[0].name.ends_with(".corp.example."));
    }
}
