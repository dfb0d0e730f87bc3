"""What holds for all tests."""

import pytest

pytest.register_assert_rewrite("tests.drawings")  # its asserts say what differs, as those in tests do
