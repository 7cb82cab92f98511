# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that build, check and test the collection. ``noxfile.py`` lists what is run. Not part of the tarball."""
