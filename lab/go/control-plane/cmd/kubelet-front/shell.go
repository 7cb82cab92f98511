// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"

	utilexec "k8s.io/utils/exec"
)

// isShell tells whether a command is a shell's. Those run for real, in the node's busybox; lab.node_root makes it.
func isShell(argv []string) bool {
	return len(argv) > 1 && slices.Contains([]string{"/bin/sh", "sh"}, argv[0])
}

// runShell runs a command in the root of the node's containers until it ends or the client leaves.
func (c scriptedCommand) runShell(argv []string, stdin io.Reader, stdout, stderr io.Writer) error {
	root := c.nodes.file(c.node, "container")
	if _, err := os.Stat(root); err != nil {
		return fmt.Errorf("the lab's node daemon has not made the file system of %s: %w", c.node, err)
	}
	command := exec.Command("/bin/sh", argv[1:]...)
	command.Dir = "/"
	command.Env = c.shellEnvironment()
	command.Stdout, command.Stderr = stdout, stderr
	command.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Setsid: true}
	if stdin != nil {
		// Not command.Stdin: its end would be waited for after the command's.
		pipe, err := command.StdinPipe()
		if err != nil {
			return err
		}
		go func() {
			_, _ = io.Copy(pipe, stdin)
			_ = pipe.Close()
		}()
	}
	if err := command.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		select {
		case <-c.left:
			_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
		case <-ended:
		}
	}()
	err := command.Wait()
	close(ended)
	var exited *exec.ExitError
	if errors.As(err, &exited) {
		code := exited.ExitCode()
		return utilexec.CodeExitError{Err: fmt.Errorf("command terminated with exit code %d", code), Code: code}
	}
	return err
}

// shellEnvironment is what lab.node_root says it is: the container's own, and how a test wants the node to answer.
func (c scriptedCommand) shellEnvironment() []string {
	environment := []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/", "HOSTNAME=" + c.node}
	for variable, file := range map[string]string{"LAB_EXEC_MODE": "exec-mode", "LAB_EXEC_DELAY": "exec-delay"} {
		if text, err := os.ReadFile(c.nodes.file(c.node, file)); err == nil {
			environment = append(environment, variable+"="+strings.TrimSpace(string(text)))
		}
	}
	return environment
}
