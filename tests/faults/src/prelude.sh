# What every script of a fault can use. Scripts end at the first command that fails.
set -eu
export LC_ALL=C

# in_pod ADDRESS COMMAND…: runs it in the network of the pod of this node that has this address.
in_pod() {
  local address=$1 space
  shift
  for space in /run/netns/*; do
    if nsenter --net="$space" ip -o addr show 2>/dev/null | grep -qF " $address/"; then
      nsenter --net="$space" -- "$@"
      return
    fi
  done
  echo "no pod of this node has the address $address" >&2
  return 1
}

# outcome COMMAND…: runs it and says in one word how it ended. T: there was no answer.
outcome() {
  local said status=0
  said=$("$@" 2>&1) || status=$?
  case "$status $said" in
    0\ *) echo OK ;;
    124\ * | 28\ * | 143\ * | *"timed out"* | *"no response"* | *"no servers could be reached"* | *"100% packet loss"*) echo T ;;
    *refused*) echo REFUSED ;;
    *"No route to host"*) echo HOSTUNREACH ;;
    *"etwork is unreachable"*) echo NETUNREACH ;;
    *"Invalid argument"*) echo EINVAL ;;
    *) echo "$said" ;;
  esac
}

connect() { timeout 5 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$2"; }
export -f connect

# tcp ADDRESS PORT: how a connection from here ends, in one word.
tcp() { outcome bash -c 'connect "$@"' connect "$1" "$2"; }

# tcp_from POD ADDRESS PORT: the same from a pod of this node, given by its address.
tcp_from() { outcome in_pod "$1" bash -c 'connect "$@"' connect "$2" "$3"; }

# ping_from POD ADDRESS: how an echo ends.
ping_from() { outcome in_pod "$1" timeout 5 busybox ping -q -c 1 -W 2 "$2"; }

# download_from POD ADDRESS, upload_from POD ADDRESS: one mebibyte from and to a web pod. T: it stalled.
download_from() { outcome in_pod "$1" curl -sS -o /dev/null --max-time 6 "http://$2:8080/large"; }
upload_from() { outcome in_pod "$1" bash -c 'head -c 1048576 /dev/zero | curl -sS -o /dev/null --max-time 6 --data-binary @- "http://$0:8080/cgi-bin/sink"' "$2"; }

# seen_from POD ADDRESS [PORT]: the address that the web pod sees.
seen_from() { in_pod "$1" curl -sS --max-time 5 "http://$2:${3:-8080}/cgi-bin/client" | sed -E 's/^\[?(::ffff:)?//; s/\]$//'; }

# name_from POD SERVER NAME: how a lookup over UDP ends.
name_from() { outcome in_pod "$1" timeout 5 busybox nslookup -type=a "$3" "$2"; }

# talk_from POD ADDRESS PORT: asks a server of names over UDP, over and over from one socket, until `hush`. /run/fault-talk has how it goes, in
# one word.
talk_from() {
  touch /run/keep-talk
  in_pod "$1" nohup bash -c 'talk "$@"' talk "$2" "$3" > /dev/null 2>&1 < /dev/null &
}
talk() {
  exec 3<> "/dev/udp/$1/$2"
  while [ -e /run/keep-talk ]; do
    # For the address of echo.test.
    printf '\0\7\1\0\0\1\0\0\0\0\0\0\4echo\4test\0\0\1\0\1' >&3 || true
    if timeout 1 head -c 1 <&3 > /dev/null 2>&1; then echo OK; else echo T; fi > /run/fault-talk
    sleep 0.5
  done
}
hush() {
  let_go talk
  rm -f /run/fault-talk
}
export -f talk

# is WORDS COMMAND…: whether it prints one of these, as in `is 'T|REFUSED' tcp 10.0.0.1 80`.
is() {
  local wanted=$1 seen
  shift
  seen=$("$@")
  if ! [[ $seen =~ ^($wanted)$ ]]; then
    echo "$*: $seen instead of $wanted" >&2
    return 1
  fi
}

# frozen NAME, freeze NAME, thaw NAME: stops and goes on with the processes of this name on this node.
processes() { grep -lxE "$1" /proc/[0-9]*/comm 2>/dev/null | cut -d / -f 3 || true; }
freeze() { processes "$1" | xargs kill -STOP; }
# A program that finds the world changed may end, and is started again.
thaw() { processes "$1" | xargs -r kill -CONT; }

# drop_rules TABLE PATTERN…: deletes the rules of a table that match, as iptables-save prints them.
drop_rules() {
  local table=$1 pattern=$2
  while iptables-save -t "$table" | grep -E -- "$pattern" | head -n 1 | sed 's/^-A /-D /' > /run/fault-rule && [ -s /run/fault-rule ]; do
    xargs iptables -w 5 -t "$table" < /run/fault-rule
  done
  rm -f /run/fault-rule
}

# tunnel_to CIDR TUNNEL_ADDRESS MAC NODE_ADDRESS: what flannel writes on this node for another one.
tunnel_to() {
  bridge fdb replace "$3" dev flannel.1 dst "$4" self permanent
  ip neigh replace "$2" lladdr "$3" dev flannel.1 nud permanent
  ip route replace "$1" via "$2" dev flannel.1 onlink
}

# tunnel MAC TUNNEL_ADDRESS LOCAL_ADDRESS PORT: this node's end of the tunnel, made anew as flannel makes it.
tunnel() {
  ip link del flannel.1 2>/dev/null || true
  ip link add flannel.1 address "$1" mtu 1450 type vxlan id 1 local "$3" dev eth0 dstport "$4" nolearning
  ip link set flannel.1 up
  ip addr replace "$2/32" dev flannel.1
}

# port_of POD: the bridge port that the pod of this node with this address hangs on.
port_of() {
  local index
  index=$(in_pod "$1" ip -o link show eth0 | sed -E 's/^[0-9]+: eth0@if([0-9]+):.*/\1/')
  ip -o link show | sed -nE "s/^$index: ([^@]+)@.*/\1/p"
}

# keep NAME COMMAND: does it over and over until `let_go NAME`, as a program does that thinks it knows better.
keep() {
  touch "/run/keep-$1"
  nohup bash -c "while [ -e /run/keep-$1 ]; do $2; sleep 0.05; done" > /dev/null 2>&1 < /dev/null &
}
let_go() {
  rm -f "/run/keep-$1"
  sleep 0.3
}

# service_chain NAME: kube-proxy's chain for the port of this Service in the namespace faults.
service_chain() { iptables-save -t nat | grep -oE -- "\"faults/$1[^\"]* cluster IP\".* -j KUBE-SVC-[A-Z0-9]+" | grep -oE 'KUBE-SVC-[A-Z0-9]+$' | head -n 1; }

# What changes objects of the API keeps the old ones in $KEPT, which goes with the lab.

# corefile SED: changes CoreDNS's configuration. restart_dns makes it count, restore_corefile undoes it.
corefile() {
  [ -e "$KEPT/Corefile" ] || kubectl -n kube-system get configmap coredns -o 'jsonpath={.data.Corefile}' > "$KEPT/Corefile"
  sed -E -- "$1" "$KEPT/Corefile" > "$KEPT/Corefile.new"
  if cmp -s "$KEPT/Corefile" "$KEPT/Corefile.new"; then
    echo "nothing of the Corefile matches $1" >&2
    return 1
  fi
  put_corefile "$KEPT/Corefile.new"
}
put_corefile() { kubectl -n kube-system create configmap coredns --from-file=Corefile="$1" --dry-run=client -o yaml | kubectl replace -f -; }
restart_dns() {
  kubectl -n kube-system delete pods -l k8s-app=kube-dns --wait=false
  kubectl -n kube-system rollout status deployment/coredns --timeout="${1:-50s}"
}
restore_corefile() {
  if [ -e "$KEPT/Corefile" ]; then
    put_corefile "$KEPT/Corefile"
    rm "$KEPT"/Corefile*
    kubectl -n kube-system delete pods -l k8s-app=kube-dns --force 2>/dev/null
  fi
  kubectl -n kube-system rollout status deployment/coredns --timeout=50s
}

# dns_has PATTERN: the Corefile of every CoreDNS on this node has such a line. Pods may start with the one before.
dns_has() {
  local process
  for process in $(processes coredns); do
    grep -qE -- "$1" "/proc/$process/root/etc/coredns/Corefile" || return 1
  done
}

dns_lacks() {
  local process
  for process in $(processes coredns); do
    if grep -qE -- "$1" "/proc/$process/root/etc/coredns/Corefile"; then return 1; fi
  done
}

# restore FILE: applies a workload again as it was, and waits for its pods.
restore() {
  kubectl apply -f "$1.yaml" > /dev/null
  kubectl -n faults get deployments -o name | xargs -r -n 1 kubectl -n faults rollout status --timeout=50s
}

# fill_flows SHARE: fills this node's connection table with flows that nobody has, to this share of its size.
fill_flows() {
  awk -v count="$(cat /proc/sys/net/netfilter/nf_conntrack_max)" -v share="$1" "$FLOW"'BEGIN {
    for (i = 0; i < count * share; i++) flow("100.64." int(i / 250) % 250 "." i % 250 + 1, 1024 + int(i / 62500))
  }' > /run/fault-flows
  conntrack -R /run/fault-flows > /dev/null 2>&1 || true
  rm /run/fault-flows
}
# keep_flows_full: takes every place that comes free, as those who filled a table do.
keep_flows_full() {
  fill_flows 1.01
  export FLOW
  keep flows 'awk -v seed=$RANDOM$RANDOM "$FLOW"'"'"'BEGIN {
    srand(seed)
    for (i = 0; i < 500; i++) flow("100.66." int(rand() * 250) "." int(rand() * 250) + 1, 1024 + int(rand() * 60000))
  }'"'"' | conntrack -R /dev/stdin'
}
FLOW='function flow(source, port) {
  print "-I -t 86400 -u SEEN_REPLY,ASSURED -s " source " -d 100.65.0.1 -p tcp --sport " port " --dport 80 --state ESTABLISHED"
}
'
drop_flows() {
  let_go flows
  conntrack -D -d 100.65.0.1 > /dev/null 2>&1 || true
}

# questions SERVER: asks it for a name of the cluster as fast as it takes for a second or so, from a new port each time and without
# waiting for answers. An A question for web.faults.svc.cluster.local, as it goes over the wire (no byte of it is a newline, at which bash
# would send it in two).
questions() {
  local round
  for round in {1..20}; do
    exec 3> "/dev/udp/$1/53"
    for _ in {1..100}; do
      printf '\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03web\x06faults\x03svc\x07cluster\x05local\x00\x00\x01\x00\x01' >&3
    done
    exec 3>&-
    sleep 0.03
  done
}
export -f in_pod questions

# dns_is_throttled: the CPU limit of every CoreDNS on this node stops it in more than half of the periods in which it runs.
dns_is_throttled() {
  local process group
  for process in $(processes coredns); do
    group=$(sed -nE 's/^[0-9]+:[^:]*\bcpu\b[^:]*:(.*)/\1/p' "/proc/$process/cgroup")
    awk '/^nr_periods/ { periods = $2 } /^nr_throttled/ { throttled = $2 } END { exit !(periods > 100 && throttled * 2 > periods) }' \
      "/sys/fs/cgroup/cpu$group/cpu.stat" || return 1
  done
}

# with_range NODE CIDR: registers a node anew with another range for its pods: that of a node cannot be changed. Its kubelet takes it from there.
with_range() {
  kubectl get node "$1" -o json | jq --arg cidr "$2" 'del(.metadata.uid, .metadata.resourceVersion, .metadata.creationTimestamp, .metadata.managedFields)
    | .spec.podCIDR = $cidr | .spec.podCIDRs = [$cidr]' > "$KEPT/node-$1.json"
  if [ "$(kubectl get node "$1" -o 'jsonpath={.spec.podCIDR}')" != "$2" ]; then
    kubectl replace --force -f "$KEPT/node-$1.json"
  fi
  kubectl wait --for=condition=Ready "node/$1" --timeout=50s
}

# restart_flannel [NODE]: has flannel of a node, or of all, start anew, and waits for it.
restart_flannel() {
  local of=()
  [ $# -eq 0 ] || of=(--field-selector "spec.nodeName=$1")
  kubectl -n kube-flannel delete pods -l app=flannel "${of[@]}"
  kubectl -n kube-flannel rollout status daemonset/kube-flannel-ds --timeout=50s
}

# forget_self MAC TUNNEL_ADDRESS NODE_ADDRESS: flannel that still runs when its node's range changes takes the node for another one.
forget_self() {
  bridge fdb del "$1" dev flannel.1 dst "$3" self 2>/dev/null || true
  ip neigh del "$2" dev flannel.1 2>/dev/null || true
}
