# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator of the generation before v1 (OpenShift 4.16), scripted: builder, node controller and validation.

The operator of that time cannot be downloaded, so each part is written after what was observed of it. A file named
after a part is a program; the files beside it hold its decisions as functions on objects.

======================  ============================================  ===================================
program                 stands for                                    decides in
======================  ============================================  ===================================
``builder``             the Deployment machine-os-builder             ``builder_decisions``, ``build_status``,
                                                                      ``build_objects``
``controller``          the node controller in                        ``pool_update``, ``pool_status``
                        machine-config-controller
``operator``            the machine-config-operator's validation      ``operator_checks``
======================  ============================================  ===================================

The other controllers of machine-config-controller are real, and of a later release: templates, kubelet configs,
rendering and drains do not depend on the version of MachineOSConfig. Its node controller does. It waits for a list of
Schedulers (config.openshift.io) before it starts, and this API serves none.
"""
