// Command coredns is CoreDNS with its own set of plugins: the DNS of the
// cluster, and the DNS of the world outside of it.
package main

import (
	_ "github.com/coredns/coredns/core/plugin"
	"github.com/coredns/coredns/coremain"
)

func main() { coremain.Run() }
