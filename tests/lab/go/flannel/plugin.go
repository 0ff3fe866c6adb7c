package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/containernetworking/cni/pkg/invoke"
	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
	"github.com/containernetworking/cni/pkg/version"
)

const (
	// delegateDir keeps, by container, the configuration that the delegate got
	// at ADD, so that DEL works even when the subnet has changed since.
	delegateDir = "/var/lib/cni/flannel"
	// subnetWait is how long ADD waits for an agent that is just starting: a
	// sandbox that fails is tried again only after the kubelet's back-off.
	subnetWait = 10 * time.Second
)

// pluginConfig is this plugin's entry in the conflist.
type pluginConfig struct {
	types.PluginConf
	SubnetFile string         `json:"subnetFile"`
	Delegate   map[string]any `json:"delegate"`
	// RuntimeConfig is what the runtime adds for capabilities, as port mappings.
	RuntimeConfig map[string]any `json:"runtimeConfig"`
}

func pluginMain() {
	skel.PluginMainFuncs(skel.CNIFuncs{
		Add:   add,
		Del:   del,
		Check: func(*skel.CmdArgs) error { return nil },
	}, version.All, "flannel plugin of the lab")
}

func add(args *skel.CmdArgs) error {
	config := pluginConfig{SubnetFile: defaultSubnetFile}
	if err := json.Unmarshal(args.StdinData, &config); err != nil {
		return fmt.Errorf("flannel: configuration: %w", err)
	}
	env, err := awaitSubnet(config.SubnetFile)
	if err != nil {
		return err
	}
	delegate, err := delegateConfig(&config, env)
	if err != nil {
		return err
	}
	encoded, err := json.Marshal(delegate)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(delegateDir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(delegateDir, args.ContainerID), encoded, 0o600); err != nil {
		return err
	}
	kind, ok := delegate["type"].(string)
	if !ok {
		return fmt.Errorf("flannel: delegate type %v is no string", delegate["type"])
	}
	result, err := invoke.DelegateAdd(context.Background(), kind, encoded, nil)
	if err != nil {
		return err
	}
	return result.Print()
}

func del(args *skel.CmdArgs) error {
	path := filepath.Join(delegateDir, args.ContainerID)
	encoded, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		// Never added, or already deleted: DEL must succeed all the same.
		return nil
	}
	if err != nil {
		return err
	}
	var delegate types.PluginConf
	if err := json.Unmarshal(encoded, &delegate); err != nil {
		return fmt.Errorf("flannel: %s: %w", path, err)
	}
	if err := invoke.DelegateDel(context.Background(), delegate.Type, encoded, nil); err != nil {
		return err
	}
	return os.Remove(path)
}

// awaitSubnet returns the subnet file once the agent has finished it.
func awaitSubnet(path string) (subnetEnv, error) {
	for deadline := time.Now().Add(subnetWait); ; time.Sleep(50 * time.Millisecond) {
		env, err := readSubnetEnv(path)
		if err != nil {
			return nil, fmt.Errorf("flannel: %w", err)
		}
		if env["FLANNEL_MTU"] != "" {
			return env, nil
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("flannel: %s holds no subnet: is the flannel agent of this node running?", path)
		}
	}
}

// delegateConfig completes the configured delegate with what the agent chose
// for this node. What the user set stays.
func delegateConfig(config *pluginConfig, env subnetEnv) (map[string]any, error) {
	delegate := map[string]any{"type": "bridge", "isGateway": true, "ipMasq": env["FLANNEL_IPMASQ"] != "true"}
	mtu, err := strconv.Atoi(env["FLANNEL_MTU"])
	if err != nil {
		return nil, fmt.Errorf("flannel: FLANNEL_MTU: %w", err)
	}
	delegate["mtu"] = mtu
	for key, value := range config.Delegate {
		delegate[key] = value
	}
	delegate["name"] = config.Name
	delegate["cniVersion"] = config.CNIVersion
	if len(config.RuntimeConfig) > 0 {
		delegate["runtimeConfig"] = config.RuntimeConfig
	}

	var ranges, routes []any
	for _, family := range []string{"FLANNEL_", "FLANNEL_IPV6_"} {
		if env[family+"SUBNET"] == "" {
			continue
		}
		// The file names the gateway with its mask, 10.244.1.1/24; host-local
		// refuses a subnet with host bits.
		_, prefix, err := net.ParseCIDR(env[family+"SUBNET"])
		if err != nil {
			return nil, fmt.Errorf("flannel: %sSUBNET: %w", family, err)
		}
		ranges = append(ranges, []any{map[string]any{"subnet": prefix.String()}})
		for destination := range strings.SplitSeq(env[family+"NETWORK"], ",") {
			routes = append(routes, map[string]any{"dst": destination})
		}
	}
	ipam := map[string]any{"type": "host-local", "routes": routes}
	if own, ok := delegate["ipam"].(map[string]any); ok {
		for key, value := range own {
			ipam[key] = value
		}
	}
	ipam["ranges"] = ranges
	delegate["ipam"] = ipam
	return delegate, nil
}
