# SPDX-License-Identifier: GPL-3.0-or-later
"""Count right diagnoses of failed builds: ``python tests/benchmarks/diagnoses.py``.

All recordings and written cases of tests/diagnosis are diagnosed. Each wrong one is printed. It needs no lab, and
runs in the copy of the collection that the tests use.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[5]))

from ansible_collections.imagemode.openshift.tests.diagnosis.cases import recorded_cases, written_cases
from results import record


def main() -> int:
    """Print the share of right diagnoses."""
    cases = [*recorded_cases(), *written_cases()]
    wrong = {case.name: faults for case in cases if (faults := case.faults(case.diagnosis()))}
    for name, faults in wrong.items():
        print(f"{name}: {'; '.join(faults)}")
    share = 100 * (len(cases) - len(wrong)) / len(cases)
    print(f"{len(cases) - len(wrong)} of {len(cases)} diagnoses are right: {share:.1f} %")
    record("diagnoses.right", share)
    return 0


if __name__ == "__main__":
    sys.exit(main())
