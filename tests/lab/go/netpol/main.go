// Command netpol enforces NetworkPolicy objects on its node with the policy
// controller of kube-router (iptables and ipset). Flannel enforces none.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/cloudnativelabs/kube-router/v2/pkg/controllers/netpol"
	"github.com/cloudnativelabs/kube-router/v2/pkg/healthcheck"
	"github.com/cloudnativelabs/kube-router/v2/pkg/options"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

func main() {
	klog.InitFlags(nil)
	config := options.NewKubeRouterConfig()
	config.EnableIPv4 = true
	flag.StringVar(&config.HostnameOverride, "node", os.Getenv("NODE_NAME"), "name of this node")
	flag.BoolVar(&config.EnableIPv6, "ipv6", false, "enforce on IPv6 too")
	flag.DurationVar(&config.IPTablesSyncPeriod, "sync-period", time.Minute, "rewrite all rules at least this often")
	kubeconfig := flag.String("kubeconfig", "", "kubeconfig; empty inside of a pod")
	services := flag.String("service-cidrs", "10.96.0.0/12", "Service ranges, separated by commas")
	flag.Parse()
	config.ClusterIPCIDRs = strings.Split(*services, ",")

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, config, *kubeconfig); err != nil {
		klog.Exit(err)
	}
}

// run enforces policies until ctx ends.
func run(ctx context.Context, config *options.KubeRouterConfig, kubeconfig string) error {
	rest, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return fmt.Errorf("kubeconfig: %w", err)
	}
	client, err := kubernetes.NewForConfig(rest)
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	pods := factory.Core().V1().Pods().Informer()
	namespaces := factory.Core().V1().Namespaces().Informer()
	policies := factory.Networking().V1().NetworkPolicies().Informer()
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())

	iptables, sets, err := netpol.NewIPTablesHandlers(config)
	if err != nil {
		return fmt.Errorf("iptables and ipset: %w", err)
	}
	var ipsetLock sync.Mutex
	controller, err := netpol.NewNetworkPolicyController(client, config, pods, policies, namespaces, &ipsetLock, iptables, sets)
	if err != nil {
		return fmt.Errorf("policy controller: %w", err)
	}
	for informer, handler := range map[cache.SharedIndexInformer]cache.ResourceEventHandler{
		pods:       controller.PodEventHandler,
		namespaces: controller.NamespaceEventHandler,
		policies:   controller.NetworkPolicyEventHandler,
	} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			return fmt.Errorf("watch: %w", err)
		}
	}

	// The controller reports that it is alive on this channel and blocks when
	// nobody reads it. The channel stays open: a late report must not panic.
	alive := make(chan *healthcheck.ControllerHeartbeat, 10)
	go func() {
		for range alive {
		}
	}()
	var running sync.WaitGroup
	running.Add(1)
	go controller.Run(alive, ctx.Done(), &running)
	running.Wait()
	return nil
}
