package main

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"strings"
)

// defaultSubnetFile is where the agent tells the CNI plugin this node's subnet.
const defaultSubnetFile = "/run/flannel/subnet.env"

// subnetEnv is the content of the subnet file by key, as FLANNEL_MTU.
type subnetEnv map[string]string

// readSubnetEnv reads the file; one that is not there yet is empty.
func readSubnetEnv(path string) (subnetEnv, error) {
	env := subnetEnv{}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return env, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if key, value, ok := strings.Cut(strings.TrimSpace(lines.Text()), "="); ok {
			env[key] = value
		}
	}
	return env, lines.Err()
}
