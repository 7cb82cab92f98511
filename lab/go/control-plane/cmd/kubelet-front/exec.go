// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	remotecommandconsts "k8s.io/apimachinery/pkg/util/remotecommand"
	clientremotecommand "k8s.io/client-go/tools/remotecommand"
	"k8s.io/kubelet/pkg/cri/streaming/remotecommand"
	utilexec "k8s.io/utils/exec"
)

const (
	daemonContainer       = "machine-config-daemon"
	idleTimeout           = 4 * time.Hour
	streamCreationTimeout = 30 * time.Second
)

var statusCommand = []string{"chroot", "/rootfs", "rpm-ostree", "status", "--json"}

// What rpm-ostree's client prints when its daemon does not start: the unit's status on stdout, the error on stderr.
const (
	daemonStatus = `x rpm-ostreed.service - rpm-ostree System Management Daemon
     Loaded: loaded (/usr/lib/systemd/system/rpm-ostreed.service; static)
     Active: failed (Result: timeout)
`
	daemonError = "error: Loading sysroot: Failed to activate service 'org.projectatomic.rpmostree1': " +
		"timed out (service_start_timeout=25000ms)\n"
	journalWarning = "warning: Failed to query journal: couldn't find current boot in journal\n"
)

func serveExec(w http.ResponseWriter, r *http.Request, pods podLookup, nodes nodes) {
	pod, container := pods.find(r.Context(), r.PathValue("namespace"), r.PathValue("pod")), r.PathValue("container")
	if !checkContainer(w, pod, r.PathValue("pod"), container) || hangUpIfDown(w, nodes, pod.Spec.NodeName) {
		return
	}
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	streams, err := remotecommand.NewOptions(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	command := scriptedCommand{nodes, pod.Spec.NodeName, clientLeft(r)}
	remotecommand.ServeExec(w, r, command, pod.Name, pod.UID, container, r.Form["command"], streams,
		idleTimeout, streamCreationTimeout, remotecommandconsts.SupportedStreamingProtocols)
}

func checkContainer(w http.ResponseWriter, pod *corev1.Pod, name, container string) bool {
	if pod == nil {
		http.Error(w, fmt.Sprintf("pod %q does not exist", name), http.StatusNotFound)
		return false
	}
	named := func(c corev1.Container) bool { return c.Name == container }
	if !slices.ContainsFunc(pod.Spec.Containers, named) && !slices.ContainsFunc(pod.Spec.InitContainers, named) {
		http.Error(w, fmt.Sprintf("container %q not found in pod %q", container, name), http.StatusNotFound)
		return false
	}
	return true
}

// hangUpIfDown closes the connection of a request to a rebooting node, so that the API server says it could not dial.
func hangUpIfDown(w http.ResponseWriter, nodes nodes, node string) bool {
	if !nodes.down(node) {
		return false
	}
	if hijacker, ok := w.(http.Hijacker); ok {
		if conn, _, err := hijacker.Hijack(); err == nil {
			conn.Close()
		}
	}
	return true
}

// scriptedCommand runs the one command that the lab's nodes know.
type scriptedCommand struct {
	nodes nodes
	node  string
	left  <-chan struct{}
}

func (c scriptedCommand) ExecInContainer(_ context.Context, pod string, _ types.UID, container string, argv []string,
	stdin io.Reader, stdout, stderr io.WriteCloser, _ bool, _ <-chan clientremotecommand.TerminalSize, _ time.Duration) error {
	if container == daemonContainer && isShell(argv) {
		return c.runShell(argv, stdin, stdout, stderr)
	}
	if container != daemonContainer || !slices.Equal(argv, statusCommand) {
		return exit(stderr, 127, fmt.Sprintf("this node of the lab only knows: %s\n", strings.Join(statusCommand, " ")))
	}
	if !c.waited(c.nodes.execDelay(c.node)) {
		return fmt.Errorf("the client of pod %s left", pod)
	}
	mode := c.nodes.execMode(c.node)
	switch mode {
	case execHang:
		<-c.left
		return fmt.Errorf("the client of pod %s left", pod)
	case execFail:
		print(stdout, daemonStatus)
		return exit(stderr, 1, daemonError)
	}
	answer, err := c.nodes.status(c.node)
	if err != nil {
		return exit(stderr, 1, fmt.Sprintf("the lab's node daemon has not written what %s booted: %v\n", c.node, err))
	}
	return c.tell(mode, string(answer), stdout, stderr)
}

// tell prints the answer, or as much of it as the node is told to, and as clean as it is told to.
func (c scriptedCommand) tell(mode execMode, answer string, stdout, stderr io.Writer) error {
	half := len(answer) / 2
	switch mode {
	case execNoise:
		print(stderr, journalWarning)
		print(stdout, answer[:half])
		print(stderr, journalWarning)
		print(stdout, answer[half:])
	case execCut:
		print(stdout, answer[:half])
	case execLost:
		print(stdout, answer)
		return fmt.Errorf("the runtime of %s lost the command", c.node)
	default:
		print(stdout, answer)
	}
	return nil
}

// waited is false when the client left meanwhile.
func (c scriptedCommand) waited(delay time.Duration) bool {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-c.left:
		return false
	case <-timer.C:
		return true
	}
}

func exit(stderr io.Writer, code int, text string) error {
	print(stderr, text)
	return utilexec.CodeExitError{Err: fmt.Errorf("command terminated with exit code %d", code), Code: code}
}

// print writes to a stream the client may not have asked for.
func print(stream io.Writer, text string) {
	if stream == nil {
		return
	}
	if _, err := io.WriteString(stream, text); err != nil {
		log.Printf("could not write to the client: %v", err)
	}
}
