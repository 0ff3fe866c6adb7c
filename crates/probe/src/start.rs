//! Starts the probe pods of a run and waits until each is Ready or is known never to be.

mod create;
mod event;
mod slot;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Api;
use report::{Gap, GapReason};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) use self::event::{Event, Started, Told, Wanted};
use self::slot::{Ready, Slot, finish, slots, timed_out};
use crate::follow;
use crate::gate::Gate;
use crate::kubelet;
use crate::names::{self, Role};
use crate::over::{self, Again, Over};
use crate::pod::{self, PodPlan};
use crate::progress::Progress;
use crate::refusal::{self, Refusal};
use crate::removal;
use crate::site::Site;
use crate::standing::{self, Standing};
use crate::trouble::{Trouble, within};

/// Creations under way at once.
const CREATING: usize = 16;
/// A pod that has not moved for so long is looked at, and again after `LOOK_AGAIN`.
const HANGS: Duration = Duration::from_secs(3);
const LOOK_AGAIN: Duration = Duration::from_secs(5);
const TICK: Duration = Duration::from_millis(200);
/// How long twins may take after the last probe pod ended its wait: they are worth little.
const TWINS_LATER: Duration = Duration::from_secs(3);

struct Starter<'a> {
    site: &'a Site,
    owner: &'a OwnerReference,
    wanted: &'a [Wanted],
    slots: Vec<Slot>,
    by_name: BTreeMap<String, (usize, u32)>,
    events: UnboundedSender<Event>,
    /// Must have ended before anything is removed.
    creations: JoinSet<()>,
    looks: JoinSet<()>,
    gate: Arc<Semaphore>,
    cancel: CancellationToken,
    waiting: Wait,
    sysctl: bool,
    notes: Vec<String>,
}

/// What pods wait for, and who is told that they do not any more.
pub(crate) struct Wait {
    /// Where they may be started.
    pub(crate) gate: Gate,
    /// Hears of each probe pod as it becomes ready, before its twin may be.
    pub(crate) told: Option<UnboundedSender<Told>>,
}

/// Starts the pods. Returns early when the token is cancelled, but never while a creation is under way.
pub(crate) async fn start(
    site: &Site,
    owner: &OwnerReference,
    wanted: &[Wanted],
    waiting: Wait,
    cancel: &CancellationToken,
    progress: &dyn Progress,
) -> Started {
    let (events, mut heard) = mpsc::unbounded_channel();
    let mut starter = Starter {
        site,
        owner,
        wanted,
        slots: slots(wanted, site.options.twins),
        by_name: BTreeMap::new(),
        events: events.clone(),
        creations: JoinSet::new(),
        looks: JoinSet::new(),
        gate: Arc::new(Semaphore::new(CREATING)),
        cancel: cancel.clone(),
        waiting,
        sysctl: true,
        notes: Vec::new(),
    };
    let api = Api::<Pod>::namespaced(site.client.clone(), &site.run.namespace);
    starter.looks.spawn(follow::follow(
        api,
        format!("{}={}", names::RUN, site.run.id),
        events,
    ));
    starter.run(&mut heard, progress).await;
    starter.looks.shutdown().await;
    while starter.creations.join_next().await.is_some() {}
    finish(starter.slots, starter.wanted, starter.notes)
}

impl Starter<'_> {
    async fn run(&mut self, heard: &mut mpsc::UnboundedReceiver<Event>, progress: &dyn Progress) {
        let mut twins_until = None;
        let mut tick = tokio::time::interval(TICK);
        // A new namespace gets its service account a moment later: one pod finds out when, not all of them.
        let mut begun = !self.site.is_own();
        self.create_allowed(begun);
        let cancel = self.cancel.clone();
        let mut gate = self.waiting.gate.clone();
        loop {
            progress.say(&self.progress());
            tokio::select! {
                biased;
                () = cancel.cancelled() => return,
                Some(event) = heard.recv() => {
                    let answered = matches!(event, Event::Answered { .. });
                    self.hear(event);
                    if answered && !begun {
                        begun = true;
                        self.create_allowed(begun);
                    }
                }
                () = gate.opened() => self.create_allowed(begun),
                _ = tick.tick() => self.look(),
            }
            if self.pending(Role::Probe) == 0 {
                let later = TWINS_LATER.min(self.site.options.start_timeout);
                let until = *twins_until.get_or_insert_with(|| Instant::now() + later);
                if self.pending(Role::Twin) == 0 || Instant::now() >= until {
                    return;
                }
            }
        }
    }

    /// Creates what may be created by now; of all only one before it is known that pods can be.
    fn create_allowed(&mut self, begun: bool) {
        let none_yet = self.slots.iter().all(|slot| slot.asked.is_none());
        let is_allowed =
            |slot: &Slot| slot.asked.is_none() && self.waiting.gate.is_open(&self.wanted[slot.node].node);
        let allowed = (0..self.slots.len()).filter(|&slot| is_allowed(&self.slots[slot]));
        let most = match (begun, none_yet) {
            (true, _) => usize::MAX,
            (false, true) => 1,
            (false, false) => 0,
        };
        for slot in allowed.take(most).collect::<Vec<_>>() {
            self.slots[slot].until = Some(Instant::now() + self.site.options.start_timeout);
            self.create(slot);
        }
    }

    /// How many pods of this role are still waited for. A twin of a pod that failed is not.
    fn pending(&self, role: Role) -> usize {
        let failed: Vec<usize> = self
            .slots
            .iter()
            .filter(|slot| slot.role == Role::Probe && matches!(slot.end, Some(Err(_))))
            .map(|slot| slot.node)
            .collect();
        self.slots
            .iter()
            .filter(|slot| slot.role == role && slot.end.is_none() && !failed.contains(&slot.node))
            .count()
    }

    fn progress(&self) -> String {
        let ready = self
            .slots
            .iter()
            .filter(|slot| slot.role == Role::Probe && matches!(slot.end, Some(Ok(_))));
        format!(
            "starting probe pods, {} of {} ready",
            ready.count(),
            self.wanted.len()
        )
    }

    fn create(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        let wanted = &self.wanted[slot.node];
        slot.sysctl = self.sysctl;
        let plan = PodPlan {
            node: &wanted.node,
            architecture: wanted.architecture.as_str(),
            role: slot.role,
            image: &wanted.images[slot.image],
            sysctl: slot.sysctl,
            attempt: slot.attempt,
        };
        let pod = pod::pod(&self.site.run, &self.site.options, self.owner, &plan);
        slot.name = plan.name(&self.site.run, &self.site.options);
        slot.asked = Some(Instant::now());
        slot.look = Instant::now() + HANGS;
        slot.seen_by_kubelet = false;
        self.by_name.insert(slot.name.clone(), (index, slot.attempt));
        self.site.note_pod(&slot.name);
        let api = Api::<Pod>::namespaced(self.site.client.clone(), &self.site.run.namespace);
        let (events, gate, cancel, attempt) = (
            self.events.clone(),
            Arc::clone(&self.gate),
            self.cancel.clone(),
            slot.attempt,
        );
        let node = wanted.node.clone();
        let namespace = self.site.run.namespace.clone();
        self.creations.spawn(async move {
            let Ok(_permit) = gate.acquire_owned().await else {
                return;
            };
            let result = create::create(&api, &pod, &node, &namespace, &cancel).await;
            // Nobody listens once the run is cancelled.
            let _ = events.send(Event::Answered {
                slot: index,
                attempt,
                result,
            });
        });
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Answered {
                slot,
                attempt,
                result,
            } => {
                if self.slots[slot].attempt != attempt || self.slots[slot].end.is_some() {
                    return;
                }
                match result {
                    Ok(()) => {
                        self.slots[slot].look = Instant::now() + HANGS;
                        "the kubelet has not begun".clone_into(&mut self.slots[slot].last);
                    }
                    Err(trouble) => self.refused(slot, &trouble),
                }
            }
            Event::Seen(pod) => {
                let Some(index) = self.current(&pod) else { return };
                let standing = standing::judge(&pod, self.site.options.image.is_some());
                self.stands(index, standing);
            }
            Event::Gone(pod) => {
                let Some(index) = self.current(&pod) else { return };
                self.over(index, over::deleted());
            }
            Event::Kubelet { slot, view } => {
                let node = self.node(slot).to_owned();
                let slot = &mut self.slots[slot];
                slot.looking = false;
                // A kubelet that is dead is called so as soon as its lease tells.
                if let Some(soon) = view.stale_in() {
                    slot.look = slot.look.min(Instant::now() + soon);
                }
                if slot.end.is_none() && !slot.seen_by_kubelet {
                    slot.last = format!("the kubelet has not begun, {}", view.clause());
                    slot.end = view.verdict(&node).map(Err);
                }
            }
            Event::Hanging {
                slot,
                attempt,
                result,
            } => {
                self.slots[slot].looking = false;
                if self.slots[slot].attempt == attempt && self.slots[slot].end.is_none() {
                    match result {
                        Ok(Some(over)) => self.over(slot, over),
                        Ok(None) => {}
                        Err(trouble) => {
                            let slot = &mut self.slots[slot];
                            if !slot.last.contains("events") {
                                slot.last =
                                    format!("{} (its events could not be read: {trouble})", slot.last);
                            }
                        }
                    }
                }
            }
        }
    }

    fn node(&self, slot: usize) -> &str {
        &self.wanted[self.slots[slot].node].node
    }

    /// The slot of a pod, if it is the slot's last attempt and still waited for.
    fn current(&self, pod: &Pod) -> Option<usize> {
        let (index, attempt) = *self.by_name.get(pod.metadata.name.as_deref()?)?;
        (self.slots[index].attempt == attempt && self.slots[index].end.is_none()).then_some(index)
    }

    fn stands(&mut self, index: usize, standing: Standing) {
        let slot = &mut self.slots[index];
        match standing {
            Standing::Ready { addresses } => {
                let after = slot.asked.map_or(Duration::ZERO, |asked| asked.elapsed());
                slot.end = Some(Ok(Ready { addresses, after }));
                if let (Role::Probe, Some(told)) = (slot.role, &self.waiting.told) {
                    let wanted = &self.wanted[slot.node];
                    // Nobody listens once the run is cancelled.
                    let _ = told.send((wanted.node.clone(), slot.pod(wanted)));
                }
            }
            Standing::Waiting {
                seen_by_kubelet,
                last,
            } => {
                slot.seen_by_kubelet = seen_by_kubelet;
                if seen_by_kubelet {
                    slot.last = last;
                }
            }
            Standing::Over(over) => self.over(index, over),
        }
    }

    /// A pod will not become ready: tries another, or ends the slot's wait.
    fn over(&mut self, index: usize, over: Over) {
        let slot = &self.slots[index];
        let images = self.wanted[slot.node].images.len();
        let (sysctl, image) = match over.again {
            Again::OtherImage if slot.image + 1 < images => (slot.sysctl, slot.image + 1),
            Again::WithoutSysctl if slot.sysctl => (false, slot.image),
            Again::No | Again::OtherImage | Again::WithoutSysctl => {
                let node = self.node(index);
                let gap = Gap {
                    what: format!("probe pod on {node}"),
                    why: GapReason::NotStarted,
                    message: format!(
                        "the probe pod on {node} did not start: {}: {}",
                        over.reason, over.message
                    ),
                    hint: over.hint,
                };
                self.slots[index].end = Some(Err(gap));
                return;
            }
        };
        let name = slot.name.clone();
        if !sysctl {
            self.without_sysctl(&over.message);
        }
        let api = Api::<Pod>::namespaced(self.site.client.clone(), &self.site.run.namespace);
        self.creations.spawn(async move {
            // If this fails, the end of the run removes it.
            let _ = within(Duration::from_secs(3), api.delete(&name, &removal::at_once())).await;
        });
        let slot = &mut self.slots[index];
        slot.image = image;
        slot.attempt += 1;
        self.create(index);
    }

    fn refused(&mut self, index: usize, trouble: &Trouble) {
        let node = self.node(index).to_owned();
        let namespace = &self.site.run.namespace;
        let gap = match trouble {
            Trouble::Refused(status) => {
                match refusal::judge(status, &node, namespace, self.slots[index].sysctl) {
                    Refusal::Sysctl => {
                        self.without_sysctl(&status.message);
                        self.slots[index].attempt += 1;
                        return self.create(index);
                    }
                    Refusal::Final(gap) => gap,
                    Refusal::Soon => {
                        let mut gap =
                            trouble.gap(format!("probe pod on {node}"), "create", "pods", Some(namespace));
                        gap.why = GapReason::NotStarted;
                        gap.hint = Some(
                            "kube-controller-manager makes these; see whether it runs: kubectl get pods -n kube-system".to_owned(),
                        );
                        gap
                    }
                }
            }
            Trouble::TimedOut(_) | Trouble::Lost(_) => {
                trouble.gap(format!("probe pod on {node}"), "create", "pods", Some(namespace))
            }
        };
        self.slots[index].end = Some(Err(gap));
    }

    fn without_sysctl(&mut self, words: &str) {
        if self.sysctl {
            self.sysctl = false;
            self.notes.push(format!(
                "the sysctl {} was refused, so that ICMP may not be possible: {words}",
                pod::PING_SYSCTL
            ));
        }
    }

    /// Looks at what hangs, and ends what has waited for too long.
    fn look(&mut self) {
        let now = Instant::now();
        for index in 0..self.slots.len() {
            let slot = &mut self.slots[index];
            if slot.end.is_some() || slot.role == Role::Twin {
                continue;
            }
            if slot.until.is_some_and(|until| now >= until) {
                let gap = timed_out(
                    &self.wanted[slot.node].node,
                    self.site.options.start_timeout,
                    &slot.last,
                );
                slot.end = Some(Err(gap));
                continue;
            }
            if slot.asked.is_none() || slot.looking || now < slot.look {
                continue;
            }
            slot.looking = true;
            slot.look = now + LOOK_AGAIN;
            let (client, events) = (self.site.client.clone(), self.events.clone());
            let (name, attempt) = (slot.name.clone(), slot.attempt);
            let namespace = self.site.run.namespace.clone();
            if slot.seen_by_kubelet {
                self.looks.spawn(async move {
                    let result = kubelet::hanging(&client, &namespace, &name).await;
                    let _ = events.send(Event::Hanging {
                        slot: index,
                        attempt,
                        result,
                    });
                });
            } else {
                let node = self.wanted[slot.node].node.clone();
                self.looks.spawn(async move {
                    // The watch may be what hangs: some proxies hold back what streams.
                    let pods = Api::<Pod>::namespaced(client.clone(), &namespace);
                    if let Ok(pod) = within(Duration::from_secs(3), pods.get(&name)).await {
                        let _ = events.send(Event::Seen(Box::new(pod)));
                    }
                    let view = kubelet::view(&client, &node).await;
                    let _ = events.send(Event::Kubelet {
                        slot: index,
                        view: Box::new(view),
                    });
                });
            }
        }
    }
}
