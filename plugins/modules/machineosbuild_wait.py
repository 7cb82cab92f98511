#!/usr/bin/python
# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: machineosbuild_wait
short_description: Wait until the image of a pool has been built
version_added: 0.1.0
description:
  - Waits for the MachineOSBuild that answers for the present spec of the MachineOSConfig of a pool, and for the
    MachineOSConfig to carry the digest of its image. Both together are success.
  - A build that was started for another spec is never taken for the answer, neither its success nor its failure. Going
    back to an old text is answered by the old build, which the operator uses again. Where it cannot be proven which
    build answers, the wait goes on for O(replacement_grace) and then fails with C(build.identity_unverified).
  - While there is no build, RV(findings) say what keeps the operator from starting one, as far as that can be seen,
    such as a Secret that does not exist, which ends the wait.
  - The module watches and does not poll, so it returns as soon as the build has succeeded, has failed, or was
    interrupted.
  - A failed build fails the task with the cause, what the builder said of it, the line of the Containerfile where that
    is certain, and what to do about it. Each cause is a finding of its own, such as C(build.push_denied); one that is
    not known is C(build.failed). Where O(fail_on_findings) names C(build.failed), it means all of them. Whatever looks
    like a credential is masked.
  - A wait that died is started again and goes on, because all that it needs stands in the cluster. It goes on as well
    while the API server is away, for as long as O(timeout) allows.
  - Nothing is changed. The image of a build that has succeeded goes to the nodes of the pool by itself, unless the pool
    is paused.
options:
  pool:
    description:
      - Name of the MachineConfigPool whose image is built.
    type: str
    required: true
    aliases: [machine_config_pool]
  timeout:
    description:
      - For how many seconds to wait in all. V(0) waits without end.
    type: int
    default: 3600
  stall_timeout:
    description:
      - For how many seconds nothing may move. A build that goes on to another state, another build that answers, and
        whatever the builder writes to its log are movements. V(0) sets no such limit.
      - Time in which the API server is away does not count, since nobody sees then whether something moves.
    type: int
    default: 1800
  replacement_grace:
    description:
      - For how many seconds another build may take to appear where there is no answer without it. That is so after a
        build was interrupted, when the build that the operator names is gone, and as long as the build that is there
        may be the one before the last edit or before a rebuild that was asked for. It is also the time that the
        operator has to take an image that was pushed.
      - Then the wait fails, with C(build.interrupted), C(build.deleted), C(build.identity_unverified),
        C(build.rebuild_not_started) or C(build.result_not_recorded). Time in which the API server is away
        does not count.
    type: int
    default: 120
  log_dir:
    description:
      - A folder where the log of each container of each attempt is saved while the builder runs, with the time in front
        of each line. The files are named in RV(build.log_paths); their names carry the cluster's id, the build's name
        and UID, the attempt and the container. Only their owner may read them, since a log holds whatever the commands
        of the Containerfile print, credentials as well.
      - The folder is on the host where the module runs, which C(delegate_to) chooses, and is made when it is not there.
      - A log is gone on with where it ended, also by a run that is started again after another one was killed.
      - A saved log has at most 256 MiB. Then a last line says that the rest is not saved. A line of more than
        64 KiB is cut.
      - What cannot be read or written is told in RV(findings), and the wait goes on.
    type: path
attributes:
  async:
    support: none
    details:
      - The wait shows how it goes on instead.
  check_mode:
    support: full
    details:
      - Does not wait. Returns what is there, also when the pool or its MachineOSConfig does not exist yet, and does not
        fail because of a failed build.
  diff_mode:
    support: N/A
  idempotent:
    support: full
    details:
      - Changes nothing, ever. A build that is done already ends the wait at once.
seealso:
  - module: imagemode.openshift.machineosconfig
  - module: imagemode.openshift.machineconfigpool_wait
notes:
  - A failed build is not started again by itself. Change the Containerfile, or delete the MachineOSBuild.
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

- name: Wait for half an hour at most, without a line on the way
  imagemode.openshift.machineosbuild_wait:
    pool: layered
    timeout: 1800
    progress: none

- name: Wait for the image, and keep the logs of the builder beside the playbook
  imagemode.openshift.machineosbuild_wait:
    pool: layered
    log_dir: "{{ playbook_dir }}/build-logs"

- name: Build, and say more when it fails
  block:
    - name: Wait for the image of the pool
      imagemode.openshift.machineosbuild_wait:
        pool: layered
      register: attempt
  rescue:
    - name: Fail with all that the builder has left behind
      ansible.builtin.fail:
        msg: "{{ attempt.findings | default([]) | map(attribute='evidence') | join('\n') }}"
"""

RETURN = r"""
schema_version:
  description: Version of the shape of this result.
  returned: success, and when the build has failed or the time is over
  type: str
  sample: '1.0'
cluster:
  description: The cluster that this result is about.
  returned: success, and when the build has failed or the time is over
  type: dict
  contains:
    api_url:
      description: Address of the API server.
      returned: always
      type: str
      sample: https://api.cluster.example.com:6443
    id:
      description: Id of the cluster. Null when the account may not read it.
      returned: always
      type: str
      sample: 0f7a4e1c-6b0e-4d0a-9a51-3c8f5c7c9b21
    name:
      description: Name of the infrastructure. Null when the account may not read it.
      returned: always
      type: str
      sample: cluster-7xk2p
    version:
      description: Release that the cluster wants. Null when the account may not read it.
      returned: always
      type: str
      sample: 4.20.4
finished:
  description:
    - Whether the wait is over. A single call of the module says V(false) when its O(window) ends before. A task does
      not end like that.
  returned: success, and when the build has failed or the time is over
  type: bool
  sample: true
build:
  description:
    - The build that answers for the present spec of the MachineOSConfig. Null while there is none, or none that is
      proven to.
  returned: success, and when the build has failed or the time is over
  type: dict
  contains:
    name:
      description: Name of the MachineOSBuild. The same inputs have the same name.
      returned: always
      type: str
      sample: layered-966b8892b0c378291caf890a998624e7
    uid:
      description: UID of the MachineOSBuild, which tells two builds of the same name apart.
      returned: always
      type: str
      sample: 4403829d-6a3b-4f3c-8a94-8f6d3f0e1b7a
    state:
      description:
        - How far it is, one of V(pending), V(preparing), V(building), V(succeeded), V(failed) and V(interrupted).
      returned: always
      type: str
      sample: succeeded
    digested_image_push_spec:
      description: The image that it pushed, with its digest. Null until it has succeeded.
      returned: always
      type: str
      sample: quay.example.com/os/layered@sha256:8c1f6a4d52d54a3b0c7f1d2f0b6b1f3f9f0b0d5a1f7d3e5c9a2b4c6d8e0f1a2b
    started:
      description: When it began, by the operator's clock. Null until it has.
      returned: always
      type: str
      sample: '2026-11-24T09:04:28Z'
    finished:
      description: When it ended, by the operator's clock. Null until it has.
      returned: always
      type: str
      sample: '2026-11-24T09:09:41Z'
    attempts:
      description:
        - The pods of its Job that were seen, in their order. The operator makes four attempts at most. Empty when the
          pods may not be read, or were gone before the wait began.
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
          description: When it began.
          returned: always
          type: str
          sample: '2026-11-24T09:04:23Z'
        finished:
          description: When its builder ended. Null while it runs.
          returned: always
          type: str
          sample: '2026-11-24T09:05:02Z'
        exit_code:
          description: Exit code of the builder. Null while it runs.
          returned: always
          type: int
          sample: 1
        reason:
          description: Why it ended, such as V(Error), V(OOMKilled) or V(Evicted). Null while it runs.
          returned: always
          type: str
          sample: Error
    log_paths:
      description: The logs that were saved in O(log_dir), sorted. Empty without it.
      returned: always
      type: list
      elements: str
      sample: [/home/ops/build-logs/f2a8_layered-966b8892b0c378291caf890a998624e7_4403829d_1-x7k2p_image-build.log]
    failure:
      description: Why it failed. Null when it has not.
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
            - The line of the Containerfile on which the failed instruction begins, the first line being 1. Null where
              it is not certain, and where the cause is not in the Containerfile.
          returned: when the build has failed
          type: int
          sample: 3
        instruction:
          description: That instruction, in one line. Null without a line.
          returned: when the build has failed
          type: str
          sample: RUN dnf install -y tcpdmp
        excerpt:
          description: The last lines of the builder, without its trace and debugging, and with credentials masked.
          returned: when the build has failed
          type: str
          sample: |-
            No match for argument: tcpdmp
            Error: building at STEP "RUN dnf install -y tcpdmp": exit status 1
machineosconfig:
  description: The MachineOSConfig that serves the pool. Null when there is none, which only check mode tolerates.
  returned: success, and when the build has failed or the time is over
  type: dict
  contains:
    name:
      description: Name of the MachineOSConfig.
      returned: always
      type: str
      sample: layered
    pool:
      description: Name of the pool that it serves.
      returned: always
      type: str
      sample: layered
    generation:
      description: How often its spec has been written.
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
        - The image that the operator gives to the nodes, with its digest. It stays that of an older spec until the
          build of the present one has succeeded. Null before the first success.
      returned: always
      type: str
      sample: quay.example.com/os/layered@sha256:8c1f6a4d52d54a3b0c7f1d2f0b6b1f3f9f0b0d5a1f7d3e5c9a2b4c6d8e0f1a2b
    current_machine_os_build:
      description: Name of the build that the operator named last, when it started. Null before the first one.
      returned: always
      type: str
      sample: layered-966b8892b0c378291caf890a998624e7
findings:
  description:
    - What holds the build up or ended it, sorted. Empty when it succeeded.
  returned: success, and when the build has failed or the time is over
  type: list
  elements: dict
  contains:
    id:
      description:
        - Name of what was found. It stays the same from release to release, so that a playbook can test for it.
      returned: always
      type: str
      sample: build.package_not_found
    severity:
      description:
        - How grave it is. V(fatal) cannot clear by itself, V(error) holds something up and may clear, V(warning) holds
          nothing up.
      returned: always
      type: str
      sample: fatal
    object:
      description: The object that it was found on.
      returned: always
      type: dict
      contains:
        kind:
          description: Kind of the object.
          returned: always
          type: str
          sample: MachineOSBuild
        namespace:
          description: Namespace of the object. Empty when its kind has none.
          returned: always
          type: str
          sample: ''
        name:
          description: Name of the object.
          returned: always
          type: str
          sample: layered-966b8892b0c378291caf890a998624e7
    message:
      description: What was found, in a sentence.
      returned: always
      type: str
      sample: >-
        MachineOSBuild layered-966b8892b0c378291caf890a998624e7 failed at line 3 of the Containerfile (RUN dnf install
        -y tcpdmp): exit status 1: No match for argument: tcpdmp
    evidence:
      description: What shows it, 2048 bytes at most. Empty when the message says it all.
      returned: always
      type: str
      sample: 'Error: building at STEP "RUN dnf install -y tcpdmp": exit status 1'
    remedy:
      description: What can be done about it.
      returned: always
      type: str
      sample: Correct the package's name, or enable the repository that has it, and apply again
progress:
  description: Where it stands, in one line for people.
  returned: success, and when the build has failed or the time is over
  type: str
  sample: 'build layered-966b8892b0c378291caf890a998624e7: building'
elapsed:
  description: Seconds since the wait began.
  returned: success, and when the build has failed or the time is over
  type: int
  sample: 312
cursor:
  description: What the next call needs in O(cursor), if there is one. It is opaque.
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
            "log_dir": {"type": "path"},
        },
    )
    asked = module.params
    ask = BuildWaitRequest(
        pool=asked["pool"],
        limits=limits_of(asked),
        cursor=asked["cursor"] or "",
        check_mode=module.check_mode,
        log_dir=asked["log_dir"] or "",
        replacement_grace=asked["replacement_grace"],
    )
    finish(module, lambda: wait_for_build(open_session(asked), ask, warn=module.warn))


if __name__ == "__main__":
    main()
