// SPDX-License-Identifier: GPL-3.0-or-later

// Command kubectl is what the benchmarks measure against: the command line of the release whose API server the lab runs.
package main

import (
	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
)

func main() {
	util.CheckErr(cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()))
}
