//! A whole run by hand: `cargo run -p probe --example probe-run -- --kubeconfig FILE [--keep] [--cleanup]`.
//!
//! Starts a probe pod on each node that takes one, lets every pod try every other over TCP, and says what each step took.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it is run by hand, and prints what it saw"
)]

use std::time::{Duration, Instant};

use clap::Parser;
use cluster::{Cluster, ConnectionArgs, Identity};
use futures::future::join_all;
use netprobe::{Kind, Plan, Probe, WIRE_VERSION};
use observation::Place;
use probe::{CleanupOptions, NodeImage, NodeTarget, ProbeOptions, Progress};
use report::Observed;
use tokio_util::sync::CancellationToken;

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    connection: ConnectionArgs,
    /// Leave everything in place.
    #[arg(long)]
    keep: bool,
    /// Only remove what dead runs left.
    #[arg(long)]
    cleanup: bool,
    /// With --cleanup: only say what would be removed.
    #[arg(long)]
    dry: bool,
    /// Where to put the pods.
    #[arg(long)]
    probe_namespace: Option<String>,
    /// Which image.
    #[arg(long)]
    image: Option<String>,
    /// Which taints to tolerate.
    #[arg(long)]
    toleration: Vec<String>,
    /// Believe that every node has this image, and a small one: to see what follows when it has not.
    #[arg(long)]
    believe: Option<String>,
    /// How long to wait between the start and the work, in seconds: to break something in between.
    #[arg(long, default_value_t = 0)]
    pause: u64,
    /// How long to stay when all is done, in seconds.
    #[arg(long, default_value_t = 0)]
    stay: u64,
}

struct Lines(Instant);

impl Progress for Lines {
    fn say(&self, message: &str) {
        eprintln!("{:>6} ms  {message}", self.0.elapsed().as_millis());
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let began = Instant::now();
    let cluster = Cluster::connect(&args.connection, &Identity::new("probe-run", "0")).await?;
    if args.cleanup {
        let options = CleanupOptions {
            tool: "netcheck".to_owned(),
            dry_run: args.dry,
            run: None,
            probe_namespace: args.probe_namespace,
            force: false,
        };
        println!("{:#?}", probe::cleanup(&cluster, &options).await);
        return Ok(());
    }
    let mut options = ProbeOptions::new("netcheck");
    options.keep = args.keep;
    options.probe_namespace = args.probe_namespace;
    options.image = args.image;
    for taint in &args.toleration {
        options.tolerations.push(taint.parse()?);
    }
    let Observed::Seen(nodes) = cluster.nodes().await else {
        anyhow::bail!("no nodes")
    };
    let targets: Vec<NodeTarget> = nodes
        .iter()
        .map(|read| {
            let images = read.images.iter();
            let images = images.map(|image| NodeImage {
                names: image.names.clone(),
                size_bytes: image.size_bytes,
            });
            let believed = args.believe.iter().map(|name| NodeImage {
                names: vec![name.clone()],
                size_bytes: Some(1),
            });
            NodeTarget::new(&read.node, images.chain(believed).collect())
        })
        .collect();
    let cancel = CancellationToken::new();
    let on_signal = cancel.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            on_signal.cancel();
        }
    });
    let progress = Lines(began);
    let work = async |run: &probe::ProbeRun| {
        tokio::time::sleep(Duration::from_secs(args.pause)).await;
        let started = Instant::now();
        let ready: Vec<_> = run
            .placement()
            .nodes
            .iter()
            .filter_map(|(node, place)| match place {
                Place::Ready(pod) => Some((node, pod)),
                Place::LeftOut { .. } | Place::Failed(_) => None,
            })
            .collect();
        let probes: Vec<Probe> = ready
            .iter()
            .flat_map(|(_, pod)| &pod.addresses)
            .zip(1..)
            .flat_map(|(address, id)| {
                [(Kind::Tcp, 0), (Kind::Udp, 1000), (Kind::Icmp, 2000)].map(|(kind, offset)| Probe {
                    id: id + offset,
                    target: (*address, 7410).into(),
                    kind,
                    count: 1,
                    timeout_ms: 4000,
                })
            })
            .collect();
        let plan = Plan {
            version: WIRE_VERSION,
            run: run.placement().run.clone(),
            concurrency: 64,
            deadline_ms: 10_000,
            gap_ms: 0,
            retry: None,
            probes,
        };
        let executed = join_all(ready.iter().map(|(node, _)| run.execute(node, &plan))).await;
        tokio::time::sleep(Duration::from_secs(args.stay)).await;
        (executed, started.elapsed())
    };
    let finished = probe::with_probes(&cluster, &options, &targets, &cancel, &progress, work).await?;
    let (executed, took) = &finished.value;
    for (node, place) in &finished.placement.nodes {
        println!("{node}: {place:?}");
    }
    println!("notes: {:#?}", finished.placement.notes);
    for executed in executed {
        let name = executed.hello.as_ref().map(|hello| hello.name.as_str());
        let ok = executed
            .answers
            .iter()
            .filter(|answer| answer.samples.iter().all(|sample| sample.outcome.is_ok()));
        println!(
            "{name:?}: {} of {} ok, {:?}",
            ok.count(),
            executed.answers.len(),
            executed.seen
        );
    }
    println!(
        "start {:?}, work {took:?}, removal {:?}, in all {:?}: {}; {:?}",
        finished.start_took,
        finished.removal_took,
        began.elapsed(),
        finished.removal,
        cluster.usage(),
    );
    Ok(())
}
