// Command verdict says of each Corefile that it is given whether CoreDNS would
// start on it. It runs what CoreDNS runs up to the point where it would listen:
// the setup of every plugin, and the making of the servers. One line of JSON
// for each file.
//
// It works in network and mount namespaces of its own, where a pod's service
// account is in its place: without one the kubernetes plugin refuses every
// configuration, whatever it says.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	_ "github.com/coredns/coredns/core/plugin"
	"github.com/coredns/coredns/coremain"
)

const (
	insideVariable = "VERDICT_INSIDE"
	// Set once the namespaces are furnished.
	furnishedVariable = "VERDICT_FURNISHED"
	// A setup that takes longer goes in circles.
	longest = 3 * time.Second
)

// verdict is what is printed about one file.
type verdict struct {
	Path     string `json:"path"`
	Accepted bool   `json:"accepted"`
	Message  string `json:"message"`
}

// errReached ends the start of an instance that would listen next.
var errReached = errors.New("nothing was refused")

func main() {
	if os.Getenv(insideVariable) == "" {
		enter()
		return
	}
	if os.Getenv(furnishedVariable) == "" {
		if err := furnish(); err != nil {
			fmt.Fprintln(os.Stderr, "verdict:", err)
			os.Exit(3)
		}
		os.Setenv(furnishedVariable, "1")
	}
	last := dnsserver.Directives[len(dnsserver.Directives)-1]
	caddy.RegisterParsingCallback("dns", last, func(context caddy.Context) error {
		if _, err := context.MakeServers(); err != nil {
			return err
		}
		return errReached
	})
	caddy.Quiet = true
	out := json.NewEncoder(os.Stdout)
	for index, path := range os.Args[1:] {
		done := make(chan error, 1)
		go func() { done <- judge(path) }()
		var err error
		select {
		case err = <-done:
		case <-time.After(longest):
			_ = out.Encode(verdict{Path: path, Message: "it never ends"})
			// What runs in circles cannot be stopped from within: go on in a new image.
			rest := append([]string{os.Args[0]}, os.Args[index+2:]...)
			_ = syscall.Exec("/proc/self/exe", rest, os.Environ())
			os.Exit(3)
		}
		line := verdict{Path: path, Accepted: errors.Is(err, errReached), Message: err.Error()}
		if err := out.Encode(line); err != nil {
			os.Exit(3)
		}
	}
	fmt.Fprintln(os.Stderr, "version", coremain.CoreVersion)
}

// enter starts this program again in namespaces of its own.
func enter() {
	again := exec.Command("/proc/self/exe", os.Args[1:]...)
	again.Env = append(os.Environ(), insideVariable+"=1",
		"KUBERNETES_SERVICE_HOST=192.0.2.1", "KUBERNETES_SERVICE_PORT=443")
	again.Stdout, again.Stderr = os.Stdout, os.Stderr
	again.SysProcAttr = &syscall.SysProcAttr{
		Unshareflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET,
	}
	if err := again.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "verdict: namespaces of its own:", err)
		os.Exit(2)
	}
}

// furnish puts there what the files of a pod would be.
func furnish() error {
	if err := syscall.Mount("tmpfs", "/var/run", "tmpfs", 0, "mode=0755"); err != nil {
		return fmt.Errorf("mount on /var/run: %w", err)
	}
	account := "/var/run/secrets/kubernetes.io/serviceaccount"
	if err := os.MkdirAll(account, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(account, "token"), []byte("none"), 0o644); err != nil {
		return err
	}
	resolv := "/var/run/resolv.conf"
	if err := os.WriteFile(resolv, []byte("nameserver 192.0.2.53\nsearch example.org\n"), 0o644); err != nil {
		return err
	}
	if err := syscall.Mount(resolv, "/etc/resolv.conf", "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("put a resolv.conf in place: %w", err)
	}
	return nil
}

// judge starts an instance on the file. The answer is errReached, or why not.
func judge(path string) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("panic: %v %.300s", fault, debug.Stack())
		}
	}()
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	_, err = caddy.Start(caddy.CaddyfileInput{Filepath: path, Contents: text, ServerTypeName: "dns"})
	return err
}
