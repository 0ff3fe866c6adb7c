//! `netprobe serve`: answers the probes of other agents until it is told to end.
//!
//! It may be the first process of a container, to which the kernel delivers no signal that is not asked for, and which
//! inherits what others leave behind.

mod connection;
mod connections;
mod datagrams;

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use socket2::{Domain, Protocol, Socket, Type};

use super::Failure;
use super::arguments::ServeOptions;
use super::descriptors::sockets_allowed;
use connections::Connections;
use datagrams::Datagrams;

/// Tokens of what is not a connection; those of connections are smaller.
const LISTENER: u64 = u64::MAX;
const DATAGRAMS: u64 = u64::MAX - 1;
const SIGNALS: u64 = u64::MAX - 2;

/// How often connections are looked over for those in which nothing moves.
const SWEEP_MS: u16 = 1000;
/// Connections wait here until they are accepted; the kernel takes less where its limit is lower.
const BACKLOG: i32 = 4096;

pub(crate) fn serve(options: &ServeOptions) -> Result<(), Failure> {
    let signals = signals().map_err(|error| Failure::system("cannot receive signals", error))?;
    let allowed = sockets_allowed();
    let (listener, tcp) = bind(Type::STREAM, options.tcp_port).map_err(|error| {
        Failure::system(
            format_args!("cannot listen on TCP port {}", options.tcp_port),
            error,
        )
    })?;
    let (datagrams, udp) = bind(Type::DGRAM, options.udp_port)
        .map_err(|error| Failure::system(format_args!("cannot bind UDP port {}", options.udp_port), error))?;
    let waiting = |error| Failure::system("cannot wait for sockets", error);
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(waiting)?;
    let watch = |fd: &dyn AsFd, token| epoll.add(fd.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, token));
    watch(&listener, LISTENER).map_err(waiting)?;
    watch(&datagrams, DATAGRAMS).map_err(waiting)?;
    watch(&signals, SIGNALS).map_err(waiting)?;
    // For the log of the pod; whoever reads it may be gone.
    let _ = writeln!(
        io::stdout(),
        "netprobe {}: listening on tcp {tcp}, udp {udp}",
        options.identity.name
    );

    let mut connections = Connections::new(&options.identity, allowed);
    let mut datagrams = Datagrams::new(datagrams, &options.identity);
    let mut events = vec![EpollEvent::empty(); 256];
    loop {
        let ready = match epoll.wait(&mut events, EpollTimeout::from(SWEEP_MS)) {
            Ok(ready) => ready,
            Err(Errno::EINTR) => 0,
            Err(error) => return Err(waiting(error)),
        };
        for event in &events[..ready] {
            match event.data() {
                SIGNALS if is_told_to_end(&signals) => return Ok(()),
                SIGNALS => {}
                LISTENER => connections.accept(&listener, &epoll),
                DATAGRAMS => datagrams.answer(),
                token => connections.ready(token, &epoll),
            }
        }
        connections.sweep(&listener, &epoll);
    }
}

/// A socket on all addresses of both families, or of IPv4 alone where there is no IPv6.
fn bind(kind: Type, port: u16) -> io::Result<(Socket, SocketAddr)> {
    let both = bind_to(kind, SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port));
    match both {
        // A port that is taken is taken in the other family too, or would hide half of the probes.
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            bind_to(kind, SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port))
        }
        bound => bound,
    }
}

fn bind_to(kind: Type, address: SocketAddr) -> io::Result<(Socket, SocketAddr)> {
    let protocol = if kind == Type::STREAM {
        Protocol::TCP
    } else {
        Protocol::UDP
    };
    let socket = Socket::new(Domain::for_address(address), kind.nonblocking(), Some(protocol))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    if kind == Type::STREAM {
        // A server that was just replaced leaves connections behind.
        socket.set_reuse_address(true)?;
    }
    socket.bind(&address.into())?;
    if kind == Type::STREAM {
        socket.listen(BACKLOG)?;
    }
    let bound = socket.local_addr()?.as_socket().unwrap_or(address);
    Ok((socket, bound))
}

fn signals() -> nix::Result<SignalFd> {
    let mut set = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGCHLD] {
        set.add(signal);
    }
    set.thread_block()?;
    SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
}

/// Buries dead children, and says whether it is time to end.
fn is_told_to_end(signals: &SignalFd) -> bool {
    let child = u32::try_from(Signal::SIGCHLD as i32);
    let mut is_told = false;
    while let Ok(Some(signal)) = signals.read_signal() {
        is_told |= Ok(signal.ssi_signo) != child;
    }
    while let Ok(status) = waitpid(None::<Pid>, Some(WaitPidFlag::WNOHANG)) {
        if status == WaitStatus::StillAlive {
            break;
        }
    }
    is_told
}
