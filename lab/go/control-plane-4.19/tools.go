//go:build tools

// Package tools keeps the operator's two commands in go.mod: they are built by their package paths.
package tools

import (
	_ "github.com/openshift/machine-config-operator/cmd/machine-config-controller"
	_ "github.com/openshift/machine-config-operator/cmd/machine-os-builder"
)
