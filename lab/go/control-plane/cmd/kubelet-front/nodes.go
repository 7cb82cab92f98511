// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// nodes is the folder with one folder a node. lab.node_state says what the files in it mean.
type nodes struct{ dir string }

type execMode string

const (
	execOK    execMode = "ok"
	execFail  execMode = "fail"
	execHang  execMode = "hang"
	execNoise execMode = "noise"
	execCut   execMode = "cut"
	execLost  execMode = "lost"
)

func (n nodes) file(node, name string) string { return filepath.Join(n.dir, filepath.Base(node), name) }

// down tells whether the node is rebooting: no kubelet answers then.
func (n nodes) down(node string) bool {
	_, err := os.Stat(n.file(node, "down"))
	return err == nil
}

func (n nodes) execMode(node string) execMode {
	text, err := os.ReadFile(n.file(node, "exec-mode"))
	if err != nil {
		return execOK
	}
	return execMode(strings.TrimSpace(string(text)))
}

func (n nodes) execDelay(node string) time.Duration {
	text, err := os.ReadFile(n.file(node, "exec-delay"))
	if err != nil {
		return 0
	}
	seconds, err := strconv.ParseFloat(strings.TrimSpace(string(text)), 64)
	if err != nil {
		return 0
	}
	return time.Duration(seconds * float64(time.Second))
}

// status is what `rpm-ostree status --json` prints on the node.
func (n nodes) status(node string) ([]byte, error) { return os.ReadFile(n.file(node, "status.json")) }
