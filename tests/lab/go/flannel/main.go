// Command flannel is the flannel node agent (VXLAN only) and the small CNI
// plugin "flannel" in one file. Upstream's own main also links the backends of
// three clouds; this one leaves them out.
package main

import (
	"os"
	"path/filepath"
)

func main() {
	if filepath.Base(os.Args[0]) == "flannel" || os.Getenv("CNI_COMMAND") != "" {
		pluginMain()
		return
	}
	agentMain()
}
