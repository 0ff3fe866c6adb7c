//! Measures judging a bundle of many Services: `backends-benchmark [SERVICES] [SLICES] [BUNDLE]`. The figures to keep: 5,000 Services and
//! 20,000 EndpointSlices with 40,000 pods are read from a bundle and judged in less than 1 s and 200 MiB. The bundle is written by a process of its own,
//! so that only reading and judging count.

use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Instant;

use checks::{JudgeOptions, judge};
use observation::{
    BackendContainer, BackendPod, Backends, BackendsQuestion, Endpoint, EndpointSlice, Observation,
    PolicyPort, Service, ServicePort, SlicePort,
};
use report::{Gap, GapReason, Observed};

/// Endpoints in each slice, each with a pod of its own: 40,000 of both as the figures are.
const ENDPOINTS: usize = 2;
/// Of so many Services one selects nothing and has no slice.
const BROKEN: usize = 100;
const BEFORE: &str = "2026-03-01T08:00:00Z";
const READ_AT: &str = "2026-03-01T09:00:00Z";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |usual: usize| arguments.next().map_or(Ok(usual), |text| text.parse());
    let (services, slices) = (number(5_000)?, number(20_000)?);
    if let Some(path) = arguments.next() {
        let bundle = observe(services, slices / services.max(1)).to_bundle();
        std::fs::write(path, bundle)?;
        return Ok(());
    }
    let path = std::env::temp_dir().join(format!("backends-benchmark-{}.json", std::process::id()));
    let written = std::process::Command::new(std::env::current_exe()?)
        .args([services.to_string(), slices.to_string()])
        .arg(&path)
        .status()?;
    if !written.success() {
        return Err("the bundle could not be written".into());
    }
    let measured = measure(&path);
    std::fs::remove_file(&path)?;
    measured
}

fn measure(path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let began = Instant::now();
    let text = std::fs::read_to_string(path)?;
    let bytes = text.len();
    let observation = Observation::from_bundle(&text)?;
    drop(text);
    let read = began.elapsed();
    let options = JudgeOptions {
        command: "scan".into(),
        tool: "backends-benchmark".into(),
    };
    let report = judge(&observation, &options);
    let all = began.elapsed();
    writeln!(
        io::stdout(),
        "{bytes} bytes read in {read:.2?}, judged in {:.2?}, {all:.2?} in all, peak {}\n{} findings: {}",
        all.saturating_sub(read),
        peak(),
        report.findings().len(),
        report.summary
    )?;
    Ok(())
}

/// Services of one namespace for each hundred, with pods and slices that fit them; every hundredth selects nothing and has no slice.
fn observe(services: usize, slices_each: usize) -> Observation {
    let mut backends = Backends {
        question: BackendsQuestion::default(),
        read_at: READ_AT.into(),
        services: Observed::Seen(Vec::new()),
        elsewhere: None,
        slices: Observed::Seen(Vec::new()),
        pods: Observed::Seen(Vec::new()),
        workloads: Observed::Seen(Vec::new()),
        events: Observed::Seen(Vec::new()),
        controller_manager: Observed::Seen(None),
        callers: Observed::Seen(Vec::new()),
        endpoints: None,
        load_balancers: None,
        asked_callers: Vec::new(),
        grants: None,
        second_look: None,
    };
    let (mut all, mut pods, mut slices) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..services {
        let service = service(number);
        for slice in 0..slices_each {
            let first = (number * slices_each + slice) * ENDPOINTS;
            let own: Vec<BackendPod> = (first..first + ENDPOINTS)
                .map(|index| pod(&service, index))
                .collect();
            if number % BROKEN != 0 {
                slices.push(self::slice(&service, slice, &own));
            }
            pods.extend(own);
        }
        all.push(service);
    }
    for service in all.iter_mut().step_by(BROKEN) {
        service.selector.insert("app".into(), "nothing".into());
    }
    backends.services = Observed::Seen(all);
    backends.pods = Observed::Seen(pods);
    backends.slices = Observed::Seen(slices);
    let gap = Gap {
        what: "the cluster".into(),
        why: GapReason::NotServed,
        message: "there is none".into(),
        hint: None,
    };
    let mut observation = Observation::new(
        "backends-benchmark",
        READ_AT,
        Observed::Unseen(gap),
        Observed::Seen(Vec::new()),
    );
    observation.backends = Some(Box::new(backends));
    observation
}

fn service(number: usize) -> Service {
    let mut service = Service {
        name: format!("service-{number}"),
        namespace: format!("namespace-{}", number / 100),
        kind: "ClusterIP".into(),
        cluster_ips: vec![address(10 << 24 | 96 << 16, number)],
        ports: vec![ServicePort {
            name: "http".into(),
            protocol: "TCP".into(),
            port: 80,
            target_port: "http".into(),
            node_port: None,
        }],
        selector: [("app".to_owned(), format!("app-{number}"))].into(),
        ..Service::default()
    };
    service.settings.created = Some(BEFORE.into());
    service.settings.families = vec!["IPv4".into()];
    service
}

fn pod(service: &Service, index: usize) -> BackendPod {
    BackendPod {
        namespace: service.namespace.clone(),
        name: format!("{}-5d4f8b7c9-{index:05x}", service.name),
        uid: format!("3f2504e0-4f89-41d3-9a0c-{index:012x}"),
        labels: [
            ("app".to_owned(), service.selector["app"].clone()),
            ("pod-template-hash".to_owned(), "5d4f8b7c9".to_owned()),
        ]
        .into(),
        controller: Some(format!("replicaset/{}-5d4f8b7c9", service.name)),
        created: Some(BEFORE.into()),
        phase: "Running".into(),
        addresses: vec![address(10 << 24 | 128 << 16, index)],
        node: Some(format!("node-{}", index % 500)),
        ready: true,
        ready_since: Some(BEFORE.into()),
        containers: vec![BackendContainer {
            name: "web".into(),
            image: "registry.example.com/team/web:1.2.3".into(),
            ports: vec![PolicyPort {
                name: Some("http".into()),
                number: 8080,
                protocol: "TCP".into(),
            }],
            has_readiness_probe: true,
            ..BackendContainer::default()
        }],
        ..BackendPod::default()
    }
}

fn slice(service: &Service, number: usize, pods: &[BackendPod]) -> EndpointSlice {
    let endpoints = pods.iter().map(|pod| Endpoint {
        addresses: pod.addresses.clone(),
        ready: true,
        serving: true,
        node: pod.node.clone(),
        pod: Some(pod.name.clone()),
        pod_uid: Some(pod.uid.clone()),
        ..Endpoint::default()
    });
    EndpointSlice {
        name: format!("{}-{number:05x}", service.name),
        namespace: service.namespace.clone(),
        service: Some(service.name.clone()),
        address_type: "IPv4".into(),
        ports: vec![SlicePort {
            name: "http".into(),
            protocol: "TCP".into(),
            port: Some(8080),
        }],
        endpoints: endpoints.collect(),
        managed_by: Some("endpointslice-controller.k8s.io".into()),
        triggered: None,
    }
}

fn address(start: u32, index: usize) -> IpAddr {
    let index = u32::try_from(index).unwrap_or(u32::MAX);
    Ipv4Addr::from_bits(start.wrapping_add(index)).into()
}

/// The most memory that the process ever had, as the kernel says it.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "not known".to_owned(), |line| line.trim().to_owned())
}
