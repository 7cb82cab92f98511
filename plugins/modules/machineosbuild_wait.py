#!/usr/bin/python
# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: machineosbuild_wait
short_description: Wait until the image of a pool has been built
version_added: 1.0.0
description:
  - Waits until the current MachineOSBuild of a pool has succeeded and the MachineOSConfig has the digest of its image.
    The current build is the build of the present spec of the MachineOSConfig.
  - The result of a build of an earlier spec is ignored. If the spec returns to earlier inputs, the operator reuses the
    earlier build, which is the current build then. If the current build cannot be identified, the wait fails with
    C(build.identity_unverified) after O(replacement_grace).
  - On OpenShift 4.16 and 4.17 the build of the pool's rendered configuration is the current build, if it is younger
    than the last change of the MachineOSConfig. Otherwise the wait fails with C(build.edit_not_built), because the
    operator builds no edit there. M(imagemode.openshift.machineosconfig) makes it build.
  - If no build starts, RV(findings) name the known causes, such as a missing Secret, which ends the wait.
  - The module watches the API and does not poll, so it returns as soon as the build succeeds, fails or is interrupted.
  - A failed build fails the task with the cause, the error of the builder, the line of the Containerfile if it is
    certain, and a remedy. Each cause is a finding, such as C(build.push_denied). An unknown cause is C(build.failed).
    In O(fail_on_findings), C(build.failed) means all causes. Credentials are masked in results and messages, but not in
    saved logs.
  - All state is in the cluster, so a wait that was interrupted can be started again. The wait continues while the API
    server is not reachable, within O(timeout).
  - Nothing is changed. The operator rolls out the image of a successful build, unless the pool is paused.
options:
  pool:
    description:
      - Name of the MachineConfigPool whose image is built.
    type: str
    required: true
    aliases: [machine_config_pool]
  timeout:
    description:
      - Maximum number of seconds to wait. V(0) sets no limit.
    type: int
    default: 3600
  stall_timeout:
    description:
      - Maximum number of seconds without progress. Progress is a build that reaches the next state, another current
        build, and output of the builder. V(0) sets no limit.
      - Time in which the API server is not reachable does not count.
    type: int
    default: 1800
  replacement_grace:
    description:
      - Number of seconds to wait for a replacement build. It applies after a build was interrupted, if the build that
        the operator names was deleted, if the named build may be the build before the last edit, and until a requested
        rebuild starts. It is also the time in which the operator must record an image that was pushed.
      - Then the wait fails with C(build.interrupted), C(build.deleted), C(build.identity_unverified),
        C(build.rebuild_not_started) or C(build.result_not_recorded). Time in which the API server is not reachable does
        not count.
      - The operator of OpenShift 4.16 and 4.17 replaces no build. There the wait fails after 10 to 30 seconds, or after
        this number of seconds if it is smaller.
    type: int
    default: 120
  max_build_attempts:
    description:
      - Number of failed attempts of the build that end the wait. The operator makes up to four attempts.
        Each failed attempt is a finding C(build.attempt_failed) as soon as its pod has ended. On OpenShift 4.16 and
        4.17 it makes one, which ends the wait.
      - When the wait ends, the operator may still start another attempt.
      - V(0) sets no limit, the wait then ends when the build fails.
    type: int
    default: 0
  spec_hash:
    description:
      - Hash of the spec that this run wrote to the MachineOSConfig. It is the return value
        RV(imagemode.openshift.machineosconfig#module:machineosconfig.spec_hash).
      - If another client changes the spec, the task fails and names the client.
      - If omitted, the task waits for the build of the present spec, also if another client wrote it.
    type: str
  log_dir:
    description:
      - Folder where the logs of the build are saved while it runs, one file for each container of each attempt, with
        the time of each line. RV(build.log_paths) lists the files. Their names contain the id of the cluster, name and
        UID of the build, the attempt and the container. Only their owner can read them, because a log contains all
        output of the Containerfile's commands, including credentials.
      - The folder is on the host where the module runs, see C(delegate_to). It is created if it does not exist.
      - A log is continued where it ended, also after a run was killed.
      - A saved log has at most 256 MiB. Its last line then says that the rest is not saved. A line is cut after 64 KiB.
      - A log that cannot be read or saved is reported in RV(findings), and the wait continues.
    type: path
attributes:
  async:
    support: none
    details:
      - The wait prints its progress instead.
  check_mode:
    support: full
    details:
      - Does not wait. Returns the present state, also if the pool or its MachineOSConfig does not exist yet, and does
        not fail because of a failed build.
  diff_mode:
    support: N/A
  idempotent:
    support: full
    details:
      - Changes nothing.
seealso:
  - module: imagemode.openshift.machineosconfig
  - module: imagemode.openshift.machineconfigpool_wait
notes:
  - The operator does not start a failed build again. Change the Containerfile, or delete the MachineOSBuild. On
    OpenShift 4.16 and 4.17 run M(imagemode.openshift.machineosconfig) again instead.
extends_documentation_fragment:
  - imagemode.openshift.auth
  - imagemode.openshift.attributes
  - imagemode.openshift.wait
author: Contributors to the imagemode.openshift collection (@imagemode)
"""

EXAMPLES = r"""
- name: Wait for the image of the pool
  imagemode.openshift.machineosbuild_wait:
    pool: layered
  register: built

- name: Show what was built
  ansible.builtin.debug:
    var: built.build.digested_image_push_spec

- name: Wait for half an hour at most, without progress lines
  imagemode.openshift.machineosbuild_wait:
    pool: layered
    timeout: 1800
    progress: none

- name: Wait for the image, and save the logs beside the playbook
  imagemode.openshift.machineosbuild_wait:
    pool: layered
    log_dir: "{{ playbook_dir }}/build-logs"

- name: Build, and print more if it fails
  block:
    - name: Wait for the image of the pool
      imagemode.openshift.machineosbuild_wait:
        pool: layered
      register: attempt
  rescue:
    - name: Fail with the output of the builder
      ansible.builtin.fail:
        msg: "{{ attempt.findings | default([]) | map(attribute='evidence') | join('\n') }}"
"""

RETURN = r"""
schema_version:
  description: Version of the structure of this result.
  returned: success, and when the build has failed or the time is over
  type: str
  sample: '1.0'
cluster:
  description: The cluster.
  returned: success, and when the build has failed or the time is over
  type: dict
  contains:
    api_url:
      description: Address of the API server.
      returned: always
      type: str
      sample: https://api.cluster.example.com:6443
    id:
      description: Id of the cluster. Null if the wait is not over or the account cannot read it.
      returned: always
      type: str
      sample: 0f7a4e1c-6b0e-4d0a-9a51-3c8f5c7c9b21
    name:
      description: Name of the infrastructure. Null if the wait is not over or the account cannot read it.
      returned: always
      type: str
      sample: cluster-7xk2p
    version:
      description: Desired release of the cluster. Null if the wait is not over or the account cannot read it.
      returned: always
      type: str
      sample: 4.20.4
finished:
  description:
    - Whether the wait is over. A single call of the module returns V(false) if its O(window) ends earlier. A task
      always returns V(true).
  returned: success, and when the build has failed or the time is over
  type: bool
  sample: true
build:
  description:
    - The current build. Null if it does not exist or cannot be identified.
  returned: success, and when the build has failed or the time is over
  type: dict
  contains:
    name:
      description: Name of the MachineOSBuild. Builds of the same inputs have the same name.
      returned: always
      type: str
      sample: layered-966b8892b0c378291caf890a998624e7
    uid:
      description: UID of the MachineOSBuild. It distinguishes builds with the same name.
      returned: always
      type: str
      sample: 4403829d-6a3b-4f3c-8a94-8f6d3f0e1b7a
    state:
      description:
        - State of the build, one of V(pending), V(preparing), V(building), V(succeeded), V(failed) and V(interrupted).
      returned: always
      type: str
      sample: succeeded
    digested_image_push_spec:
      description: The pushed image with its digest. Null until the build has succeeded.
      returned: always
      type: str
      sample: quay.example.com/os/layered@sha256:8c1f6a4d52d54a3b0c7f1d2f0b6b1f3f9f0b0d5a1f7d3e5c9a2b4c6d8e0f1a2b
    started:
      description: Start of the build by the operator's clock. Null before it.
      returned: always
      type: str
      sample: '2026-11-24T09:04:28Z'
    finished:
      description: End of the build by the operator's clock. Null before it.
      returned: always
      type: str
      sample: '2026-11-24T09:09:41Z'
    seeded:
      description:
        - Whether the operator took an existing image instead of building the Containerfile (from OpenShift 4.21 on).
          Then RV(findings) contains C(build.seeded).
      returned: always
      type: bool
      sample: false
    attempts:
      description:
        - The pods of its Job that the wait has read, in their order. The Job makes at most four attempts. Empty if the
          pods cannot be read, or were deleted before the wait started.
      returned: always
      type: list
      elements: dict
      contains:
        pod:
          description: Name of the pod, in namespace C(openshift-machine-config-operator).
          returned: always
          type: str
          sample: build-layered-966b8892b0c378291caf890a998624e7-x7k2p
        started:
          description: Start of the pod.
          returned: always
          type: str
          sample: '2026-11-24T09:04:23Z'
        finished:
          description: End of the builder. Null while it runs.
          returned: always
          type: str
          sample: '2026-11-24T09:05:02Z'
        exit_code:
          description: Exit code of the builder. Null while it runs.
          returned: always
          type: int
          sample: 1
        reason:
          description: Why the builder ended, such as V(Error), V(OOMKilled) or V(Evicted). Null while it runs.
          returned: always
          type: str
          sample: Error
        state:
          description:
            - State of the attempt, one of V(running), V(succeeded) and V(failed). The operator deletes the pods of a
              build that has succeeded, so the state of the last attempt follows from the build then.
          returned: always
          type: str
          sample: failed
    log_paths:
      description: The logs that were saved in O(log_dir), sorted. Empty without O(log_dir).
      returned: always
      type: list
      elements: str
      sample: [/home/ops/build-logs/f2a8_layered-966b8892b0c378291caf890a998624e7_4403829d_1-x7k2p_image-build.log]
    failure:
      description: Why the build failed. Null if it did not fail.
      returned: always
      type: dict
      contains:
        finding:
          description: The finding that names the cause.
          returned: when the build has failed
          type: str
          sample: build.package_not_found
        containerfile_line:
          description:
            - Line of the Containerfile on which the failed instruction starts, counted from 1. Null if it is not
              certain, or if the cause is not in the Containerfile.
          returned: when the build has failed
          type: int
          sample: 3
        instruction:
          description: The failed instruction in one line. Null without a line number.
          returned: when the build has failed
          type: str
          sample: RUN dnf install -y tcpdmp
        excerpt:
          description: The last lines of the builder without debugging output. Credentials are masked.
          returned: when the build has failed
          type: str
          sample: |-
            No match for argument: tcpdmp
            Error: building at STEP "RUN dnf install -y tcpdmp": exit status 1
machineosconfig:
  description: The MachineOSConfig of the pool. Null if the pool has none, which is an error except in check mode.
  returned: success, and when the build has failed or the time is over
  type: dict
  contains:
    name:
      description: Name of the MachineOSConfig.
      returned: always
      type: str
      sample: layered
    pool:
      description: Name of its pool.
      returned: always
      type: str
      sample: layered
    generation:
      description: Generation of its spec.
      returned: always
      type: int
      sample: 2
    rendered_image_push_spec:
      description: Where images are pushed to.
      returned: always
      type: str
      sample: quay.example.com/os/layered:latest
    current_image_pull_spec:
      description:
        - The published image with its digest, which the operator rolls out. It belongs to an earlier spec until the
          current build has succeeded. Null before the first success.
      returned: always
      type: str
      sample: quay.example.com/os/layered@sha256:8c1f6a4d52d54a3b0c7f1d2f0b6b1f3f9f0b0d5a1f7d3e5c9a2b4c6d8e0f1a2b
    current_machine_os_build:
      description: Name of the build that the operator started last. Null before the first build.
      returned: always
      type: str
      sample: layered-966b8892b0c378291caf890a998624e7
    spec_hash:
      description:
        - Hash of its spec. It changes with every field of the spec, so that later tasks can be bound to this spec.
      returned: always
      type: str
      sample: sha256:5f0c1e2d3b4a59687766554433221100ffeeddccbbaa99887766554433221100
findings:
  description:
    - What blocks the build or ended the wait, sorted. After a success, warnings only.
  returned: success, and when the build has failed or the time is over
  type: list
  elements: dict
  contains:
    id:
      description:
        - Id of the finding. It is stable across releases, so that a playbook can test for it.
      returned: always
      type: str
      sample: build.package_not_found
    severity:
      description:
        - Severity of the finding. V(fatal) cannot clear by itself, V(error) blocks something and may clear, V(warning)
          blocks nothing.
      returned: always
      type: str
      sample: fatal
    object:
      description: The object of the finding.
      returned: always
      type: dict
      contains:
        kind:
          description: Kind of the object.
          returned: always
          type: str
          sample: MachineOSBuild
        namespace:
          description: Namespace of the object. Empty if its kind has none.
          returned: always
          type: str
          sample: ''
        name:
          description: Name of the object.
          returned: always
          type: str
          sample: layered-966b8892b0c378291caf890a998624e7
    message:
      description: The finding in one sentence.
      returned: always
      type: str
      sample: >-
        MachineOSBuild layered-966b8892b0c378291caf890a998624e7 failed at line 3 of the Containerfile (RUN dnf install
        -y tcpdmp): exit status 1: No match for argument: tcpdmp
    evidence:
      description: Evidence, at most 2048 bytes. Empty if the message contains it.
      returned: always
      type: str
      sample: 'Error: building at STEP "RUN dnf install -y tcpdmp": exit status 1'
    remedy:
      description: What to do about the finding.
      returned: always
      type: str
      sample: Correct the package's name, or enable the repository that has it, and apply again
progress:
  description: The state of the build in one line.
  returned: success, and when the build has failed or the time is over
  type: str
  sample: 'build layered-966b8892b0c378291caf890a998624e7: building'
elapsed:
  description: Seconds since the wait started.
  returned: success, and when the build has failed or the time is over
  type: int
  sample: 312
cursor:
  description: Value of O(cursor) for the next call. It is opaque.
  returned: when the module runs without its action plugin
  type: str
  sample: ⡸⣚⢫⠮⡊⠵⠲⠱
"""

from ..module_utils._cluster.session import open_session
from ..module_utils._errors import finish
from ..module_utils._operation.wait_for_build import BuildWaitRequest, wait_for_build
from ..module_utils._options import POOL, WAIT, new_module
from ..module_utils._wait.window import limits_of


def main() -> None:
    module = new_module(
        POOL,
        WAIT,
        {
            "timeout": {"type": "int", "default": 3600},
            "stall_timeout": {"type": "int", "default": 1800},
            "replacement_grace": {"type": "int", "default": 120},
            "max_build_attempts": {"type": "int", "default": 0},
            "log_dir": {"type": "path"},
            "spec_hash": {"type": "str"},
        },
    )
    options = module.params
    request = BuildWaitRequest(
        pool=options["pool"],
        limits=limits_of(options),
        cursor=options["cursor"] or "",
        check_mode=module.check_mode,
        log_dir=options["log_dir"] or "",
        replacement_grace=options["replacement_grace"],
        max_build_attempts=options["max_build_attempts"],
        spec_hash=options["spec_hash"] or "",
    )
    finish(module, lambda: wait_for_build(open_session(options), request, warn=module.warn))


if __name__ == "__main__":
    main()
