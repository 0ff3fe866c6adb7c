package main

import (
	"context"
	"flag"
	"fmt"
	"math/big"
	"net"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/flannel-io/flannel/pkg/backend"
	_ "github.com/flannel-io/flannel/pkg/backend/vxlan"
	"github.com/flannel-io/flannel/pkg/ip"
	"github.com/flannel-io/flannel/pkg/ipmatch"
	"github.com/flannel-io/flannel/pkg/lease"
	"github.com/flannel-io/flannel/pkg/subnet"
	"github.com/flannel-io/flannel/pkg/subnet/kube"
	"github.com/flannel-io/flannel/pkg/trafficmngr"
	"github.com/flannel-io/flannel/pkg/trafficmngr/iptables"
	"github.com/flannel-io/flannel/pkg/trafficmngr/nftables"
	"k8s.io/klog/v2"
)

// annotationPrefix is where flannel keeps its lease on the Node object.
const annotationPrefix = "flannel.alpha.coreos.com"

// startRetry is short because a restart of the container would cost the
// kubelet's back-off of ten seconds instead.
const startRetry = 500 * time.Millisecond

// agentFlags are the flags of upstream's manifest.
type agentFlags struct {
	masquerade bool
	kubeSubnet bool
	iface      string
	subnetFile string
	netConf    string
	kubeconfig string
	resync     int
}

func agentMain() {
	var flags agentFlags
	flag.BoolVar(&flags.masquerade, "ip-masq", false, "masquerade traffic that leaves the pod network")
	flag.BoolVar(&flags.kubeSubnet, "kube-subnet-mgr", false, "take subnets from the Kubernetes API; must be set")
	flag.StringVar(&flags.iface, "iface", "", "interface, by name or address, that carries the overlay")
	flag.StringVar(&flags.subnetFile, "subnet-file", defaultSubnetFile, "where the CNI plugin finds this node's subnet")
	flag.StringVar(&flags.netConf, "net-config-path", "/etc/kube-flannel/net-conf.json", "network configuration")
	flag.StringVar(&flags.kubeconfig, "kubeconfig-file", "", "kubeconfig; empty inside of a pod")
	flag.IntVar(&flags.resync, "iptables-resync", 5, "seconds between two checks of the rules")
	flag.Parse()
	if !flags.kubeSubnet {
		klog.Exit("only --kube-subnet-mgr is built in")
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := flags.run(ctx); err != nil && ctx.Err() == nil {
		klog.Exit(err)
	}
}

// run keeps the overlay until ctx ends.
func (flags *agentFlags) run(parent context.Context) error {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	manager, err := flags.subnetManager(ctx)
	if err != nil {
		return err
	}
	config, err := manager.GetNetworkConfig(ctx)
	if err != nil {
		return fmt.Errorf("network configuration: %w", err)
	}
	network, err := flags.register(ctx, manager, config)
	if err != nil {
		return err
	}
	own := network.network.Lease()
	if err := flags.writeRules(ctx, config, own); err != nil {
		return err
	}
	if err := manager.HandleSubnetFile(flags.subnetFile, config, flags.masquerade, own.Subnet, own.IPv6Subnet, network.network.MTU()); err != nil {
		return fmt.Errorf("subnet file %s: %w", flags.subnetFile, err)
	}
	network.running.Go(func() { network.network.Run(ctx) })
	err = manager.CompleteLease(ctx, own, &network.running)
	if err != nil {
		cancel()
	}
	network.running.Wait()
	return err
}

// subnetManager connects to the API, again and again: until kube-proxy has
// written its rules the Service address of the API does not answer.
func (flags *agentFlags) subnetManager(ctx context.Context) (subnet.Manager, error) {
	for {
		manager, err := kube.NewSubnetManager(ctx, "", flags.kubeconfig, annotationPrefix, flags.netConf, true)
		if err == nil {
			return manager, nil
		}
		klog.Warningf("subnet manager: %v", err)
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(startRetry):
		}
	}
}

// registered is a backend's network and the goroutines that serve it.
type registered struct {
	network backend.Network
	running sync.WaitGroup
}

func (flags *agentFlags) register(ctx context.Context, manager subnet.Manager, config *subnet.Config) (*registered, error) {
	family, err := ipmatch.GetIPFamily(config.EnableIPv4, config.EnableIPv6)
	if err != nil {
		return nil, fmt.Errorf("address families: %w", err)
	}
	var public ipmatch.PublicIPOpts
	public.PublicIP, public.PublicIPv6 = manager.GetStoredPublicIP(ctx)
	wanted := flags.iface
	if wanted == "" {
		wanted = public.PublicIP
	}
	external, err := ipmatch.LookupExtIface(wanted, "", "", family, public)
	if err != nil {
		return nil, fmt.Errorf("interface for the overlay: %w", err)
	}
	kind, err := backend.NewManager(ctx, manager, external).GetBackend(config.BackendType)
	if err != nil {
		return nil, fmt.Errorf("backend %s: %w", config.BackendType, err)
	}
	result := &registered{}
	result.network, err = kind.RegisterNetwork(ctx, &result.running, config)
	if err != nil {
		return nil, fmt.Errorf("register network: %w", err)
	}
	return result, nil
}

// writeRules installs and keeps the masquerade and forward rules, and removes
// those that the other implementation may have left.
func (flags *agentFlags) writeRules(ctx context.Context, config *subnet.Config, own *lease.Lease) error {
	var rules, other trafficmngr.TrafficManager = &iptables.IPTablesManager{}, &nftables.NFTablesManager{}
	if config.EnableNFTables {
		rules, other = other, rules
	}
	if err := other.CleanUp(ctx); err != nil {
		klog.Warningf("rules of the unused implementation stay: %v", err)
	}
	if err := rules.Init(ctx); err != nil {
		return fmt.Errorf("rules: %w", err)
	}
	if flags.masquerade {
		before, err := readSubnetEnv(flags.subnetFile)
		if err != nil {
			return fmt.Errorf("subnet file %s: %w", flags.subnetFile, err)
		}
		err = rules.SetupAndEnsureMasqRules(ctx,
			config.Network, ipv4Net(before["FLANNEL_SUBNET"]), ipv4Net(before["FLANNEL_NETWORK"]),
			config.IPv6Network, ipv6Net(before["FLANNEL_IPV6_SUBNET"]), ipv6Net(before["FLANNEL_IPV6_NETWORK"]),
			own, flags.resync, false)
		if err != nil {
			return fmt.Errorf("masquerade rules: %w", err)
		}
	}
	rules.SetupAndEnsureForwardRules(ctx, config.Network, config.IPv6Network, flags.resync)
	return nil
}

// ipv4Net parses a prefix; anything else is the empty one, which is how
// flannel says "no subnet before".
func ipv4Net(text string) ip.IP4Net {
	if _, prefix, err := net.ParseCIDR(text); err == nil && prefix.IP.To4() != nil {
		return ip.FromIPNet(prefix)
	}
	return ip.IP4Net{}
}

// ipv6Net is ipv4Net for IPv6. Its empty value needs an address: flannel
// compares without looking for nil.
func ipv6Net(text string) ip.IP6Net {
	if _, prefix, err := net.ParseCIDR(text); err == nil && prefix.IP.To4() == nil {
		return ip.FromIP6Net(prefix)
	}
	return ip.IP6Net{IP: (*ip.IP6)(big.NewInt(0))}
}
