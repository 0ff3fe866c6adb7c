# Everything of a node's network that a fault may change and a healed node has again. What comes and goes with pods,
# and what kube-proxy and the policy controller write as they please, is left out.
set -u
export LC_ALL=C
sed_counters='s/^\[[0-9:]*\] //; s/ \[[0-9:]*\]$//'
echo "## routes"; ip -4 route show table all | grep -v '^local\|^broadcast' | sort
echo "## policy"; ip -4 rule show
echo "## addresses"; ip -4 -o addr show | awk '$2 !~ /^veth/ {print $2, $4}' | sort
echo "## links"
ip -o link show | awk '$2 !~ /^veth/ {
  up = ($3 ~ /[<,]UP[,>]/) ? "up" : "down"
  for (i = 4; i < NF; i++) { if ($i == "mtu") mtu = $(i + 1); if ($i == "link/ether") mac = $(i + 1) }
  print $2, up, mtu, mac
  mac = ""
}' | sort
echo "## tunnel"; ip -d link show flannel.1 2>/dev/null | grep -oE 'vxlan id [0-9]+|local [0-9.]+|dstport [0-9]+|nolearning' | paste -sd ' '
echo "## entries"; bridge fdb show dev flannel.1 2>/dev/null | sort; ip neigh show dev flannel.1 nud permanent | sort
echo "## kernel"
for name in net.ipv4.ip_forward net.ipv4.conf.all.rp_filter net.ipv4.conf.default.rp_filter net.ipv4.conf.eth0.rp_filter \
  net.ipv4.conf.flannel/1.rp_filter net.ipv4.conf.cni0.rp_filter net.ipv4.conf.all.forwarding net.ipv4.conf.cni0.forwarding \
  net.ipv4.conf.flannel/1.forwarding net.ipv4.conf.eth0.forwarding net.bridge.bridge-nf-call-iptables; do
  echo "$name=$(sysctl -n "$name" 2>/dev/null)"
done
for table in raw mangle nat filter; do
  echo "## iptables $table"
  iptables-save -t "$table" 2>/dev/null | grep -v '^#' | sed -E "$sed_counters" | grep -vE '^-A KUBE|^:KUBE|^:CNI-|^-A CNI-|KUBE-ROUTER|-j KUBE-|-j CNI-|COMMIT'
done
echo "## legacy"; iptables-legacy-save 2>/dev/null | grep -E '^-A|^:[A-Z]+ DROP'
# iptables makes its own tables when they are first asked for.
echo "## nft"; nft list tables 2>/dev/null | grep -vE "^table ip6? (raw|mangle|nat|filter|security)$" | sort
echo "## files"; ls /etc/cni/net.d /opt/cni/bin 2>/dev/null
echo "## bridge ports"; bridge -d -o link show 2>/dev/null | grep -c 'hairpin off'
echo "## stopped"; grep -lE '^State:\s+T' /proc/[0-9]*/status 2>/dev/null | wc -l
exit 0
