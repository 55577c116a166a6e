"""Has the assertions of the shipped suites explain themselves when they fail."""

import pytest

pytest.register_assert_rewrite("uptake.testing.store", "uptake.testing.blobs")
