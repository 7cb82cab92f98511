# SPDX-License-Identifier: GPL-3.0-or-later
"""The test cluster: a real OpenShift image-mode control plane on one machine, without a cluster."""
